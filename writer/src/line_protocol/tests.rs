use proptest::prelude::*;
use shared::timestamp::Timestamp;

use super::*;
use crate::point::Tags;

fn line(measurement: &str, tags: &[(&str, &str)], value: FieldValue<'_>) -> String {
    let mut list = Tags::new();
    for (name, value) in tags {
        list.set(name, value);
    }
    let tags = list.encode();
    let mut lines = Lines::default();
    lines.push(&Point::new(measurement, &tags, Timestamp::from_nanos(7)).with("f", Some(value)));
    lines.text().into_owned()
}

#[test]
fn values_have_their_types() {
    for (value, expected) in [
        (FieldValue::Float(12.5), "m f=12.5 7"),
        (FieldValue::Float(-0.0), "m f=-0 7"),
        (FieldValue::Float(1.5e-7), "m f=1.5e-7 7"),
        (FieldValue::Float(-2e300), "m f=-2e300 7"),
        (FieldValue::Float(7_037_695.0), "m f=7037695 7"),
        (FieldValue::Float(f64::NAN), ""),
        (FieldValue::Float(f64::INFINITY), ""),
        (FieldValue::Int(i64::MIN), "m f=-9223372036854775808i 7"),
        (FieldValue::UInt(u64::MAX), "m f=18446744073709551615u 7"),
        (FieldValue::Bool(true), "m f=true 7"),
        (FieldValue::text(""), "m f=\"\" 7"),
        (FieldValue::text("C:\\Apps\\"), "m f=\"C:\\\\Apps\\\\\" 7"),
        (FieldValue::text("a \"b\",=\n"), "m f=\"a \\\"b\\\",=\n\" 7"),
    ] {
        assert_eq!(line("m", &[], value), expected);
    }
}

#[test]
fn names_and_tags_are_escaped() {
    let tags = [("a b", "x,y=z"), ("c", "end\\\\"), ("d", "\\"), ("e", "1\n2\r3\t4"), ("ü", "🦀")];
    assert_eq!(
        line("m,1 #", &tags, FieldValue::Int(1)),
        "m\\,1\\ #,a\\ b=x\\,y\\=z,c=end,e=1\\n2\\r3\\t4,ü=🦀 f=1i 7"
    );
    assert_eq!(line("#m\\", &[], FieldValue::Int(1)), "_m f=1i 7");
    let tags = [("t", "a\\ b\\\\,c\\d")];
    assert_eq!(line("m", &tags, FieldValue::Int(1)), "m,t=a\\\\\\ b\\\\\\,c\\d f=1i 7");
}

#[test]
fn texts_are_cut_between_characters() {
    let text = format!("a{}", "é".repeat(MAX_TEXT_BYTES));
    let kept = fitting(&text);
    assert_eq!(kept.len(), MAX_TEXT_BYTES - 1);
    assert!(kept.ends_with('é'));
    assert_eq!(fitting("short"), "short");
}

#[test]
fn lines_are_found_again() {
    let mut lines = Lines::default();
    let tags = Tags::new().with("t", "a b").encode();
    for (measurement, nanos) in [("m 1", 5), ("n", 6)] {
        let point = Point::new(measurement, &tags, Timestamp::from_nanos(nanos));
        lines.push(&point.clone());
        lines.push(&point.with("f", Some(FieldValue::text("x y\n, 9"))));
    }
    let mut both = Lines::default();
    both.append(&lines);
    both.append(&lines);
    assert_eq!((lines.len(), both.len()), (2, 4));
    assert_eq!(both.line(2), lines.line(0));
    assert_eq!(both.line(3), lines.line(1));
    assert_eq!(both.line(4), b"");
    assert_eq!(measurement_of(both.line(2)), b"m\\ 1");
    assert_eq!(measurement_of(both.line(3)), b"n");
    assert_eq!(timestamp_of(both.line(2)), Some(5));
    both.clear();
    assert!(both.is_empty() && both.body().is_empty());
}

/// Splits a body into lines as InfluxDB does: line feeds within quotes belong to the text.
fn count_lines(body: &str) -> usize {
    let (mut quoted, mut escaped, mut lines) = (false, false, 0);
    for character in body.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '\n' if !quoted => lines += 1,
            _ => {}
        }
    }
    assert!(!quoted, "unbalanced quotes in {body}");
    lines
}

proptest! {
    #[test]
    fn every_point_is_one_line(
        measurement in "\\PC{1,20}",
        tags in prop::collection::btree_map(any::<String>(), any::<String>(), 0..5),
        text in any::<String>(),
        number in any::<f64>(),
    ) {
        prop_assume!(!measurement.contains('"'));
        let mut list = Tags::new();
        for (name, value) in tags.iter().filter(|(name, value)| !format!("{name}{value}").contains('"')) {
            list.set(name, value);
        }
        let encoded = list.encode();
        let mut lines = Lines::default();
        let point = Point::new(&measurement, &encoded, Timestamp::from_nanos(7))
            .with("n", Some(FieldValue::Float(number)))
            .with("t", Some(FieldValue::text(&*text)));
        lines.push(&point);
        lines.push(&point);
        prop_assert_eq!(lines.len(), 2);
        prop_assert_eq!(count_lines(std::str::from_utf8(lines.body()).unwrap()), 2);
        prop_assert_eq!(lines.line(0), lines.line(1));
        prop_assert_eq!(timestamp_of(lines.line(0)), Some(7));
    }

    #[test]
    fn texts_come_back(text in any::<String>()) {
        let line = line("m", &[], FieldValue::text(&*text));
        let written = line.strip_prefix("m f=\"").unwrap().strip_suffix("\" 7").unwrap();
        let mut read = String::new();
        let mut characters = written.chars();
        while let Some(character) = characters.next() {
            prop_assert_ne!(character, '"');
            read.push(if character == '\\' { characters.next().unwrap() } else { character });
        }
        prop_assert_eq!(read, text);
    }
}
