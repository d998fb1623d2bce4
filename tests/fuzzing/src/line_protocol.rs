//! Any names, values and numbers make lines that InfluxDB accepts and that say the same.

use std::collections::BTreeMap;

use shared::timestamp::Timestamp;
use writer::line_protocol::{Lines, measurement_of};
use writer::point::{FieldValue, Point, Tags};

use crate::draw::Draw;
use crate::reading::{Written, compare, representable};
use crate::strict;

/// Points of one body, and tags and fields of one point: enough to come in each other's way.
const POINTS: usize = 6;
const TAGS: usize = 6;
/// Names of fields are our own, and still they must not break a line. None has a quote, for which line
/// protocol knows no way there.
const FIELDS: [&str; 7] = ["f", "a b", "c,d", "e=f", "ü", "back\\slash", "tab\tbed"];

/// Draws points, encodes them into one body and reads it back.
pub fn line_protocol(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let (mut lines, mut written, mut tag_sets) = (Lines::default(), Vec::new(), Vec::new());
    while !draw.is_empty() && written.len() < POINTS {
        let measurement = allowed(&draw.text());
        let tags = draw_tags(&mut draw);
        let fields = draw_fields(&mut draw);
        let time = Timestamp::from_nanos(i64::from_le_bytes(draw.eight()));
        let mut set = Tags::new();
        for (name, value) in &tags {
            set.set(name, value);
        }
        let encoded = set.encode();
        let mut point = Point::new(&measurement, &encoded, time);
        for (name, value) in fields {
            point = point.with(name, Some(value));
        }
        let before = lines.len();
        lines.push(&point);
        if lines.len() > before {
            written.push(Written::of(&point));
            tag_sets.push(tags);
        }
    }
    let read = compare_cleaned(&lines, written);
    for (index, (line, tags)) in read.iter().zip(&tag_sets).enumerate() {
        let read =
            line.tags.iter().map(|(name, value)| (representable(name), representable(value)));
        assert_eq!(read.collect::<BTreeMap<_, _>>(), expected(tags));
        let raw = String::from_utf8(measurement_of(lines.line(index)).to_vec()).unwrap();
        assert!(line.text.starts_with(&raw));
    }
    in_parts(&lines);
}

/// A body that is cut between lines and put together otherwise has as many lines.
fn in_parts(lines: &Lines) {
    let backwards: Vec<&[u8]> = (0..lines.len()).rev().map(|index| lines.line(index)).collect();
    let body = backwards.concat();
    let read = strict::parse(std::str::from_utf8(&body).unwrap());
    assert_eq!(read.iter().filter(|line| line.is_ok()).count(), lines.len());
    let mut both = Lines::default();
    both.append(lines);
    both.append(lines);
    assert_eq!(strict::parse(std::str::from_utf8(both.body()).unwrap()).len(), 2 * lines.len());
}

/// Names that are reserved are the operator's mistake; two backslashes in a row are read in two ways.
fn allowed(name: &str) -> String {
    let name = representable(name);
    if name.is_empty() || name.starts_with(['_', '#']) { format!("m{name}") } else { name }
}

fn draw_tags(draw: &mut Draw<'_>) -> Vec<(String, String)> {
    (0..draw.below(TAGS)).map(|_| (allowed(&draw.text()), draw.text())).collect()
}

fn draw_fields(draw: &mut Draw<'_>) -> Vec<(&'static str, FieldValue<'static>)> {
    let mut fields = BTreeMap::new();
    for _ in 0..draw.below(FIELDS.len()) {
        let name = FIELDS[draw.below(FIELDS.len())];
        let value = match draw.below(5) {
            0 => FieldValue::Float(f64::from_bits(u64::from_le_bytes(draw.eight()))),
            1 => FieldValue::Int(i64::from_le_bytes(draw.eight())),
            2 => FieldValue::UInt(u64::from_le_bytes(draw.eight())),
            3 => FieldValue::Bool(draw.byte() % 2 == 1),
            _ => FieldValue::text(draw.text()),
        };
        fields.insert(name, value);
    }
    fields.into_iter().collect()
}

/// The tags that a reader finds: the last of a name counts, and an empty one takes it away.
fn expected(tags: &[(String, String)]) -> BTreeMap<String, String> {
    let mut expected = BTreeMap::new();
    for (name, value) in tags {
        let name = representable(name);
        if name == "time" {
            continue;
        }
        if value.is_empty() {
            expected.remove(&name);
        } else {
            expected.insert(name, representable(value));
        }
    }
    expected.retain(|_, value| !value.is_empty());
    expected
}

/// Compares, with the names of fields as they come back.
fn compare_cleaned(lines: &Lines, mut written: Vec<Written>) -> Vec<strict::Line> {
    for written in &mut written {
        for (name, _) in &mut written.fields {
            if *name == "tab\tbed" {
                *name = "tab\\tbed";
            }
        }
    }
    compare(lines, &written)
}
