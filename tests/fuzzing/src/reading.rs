//! Points, the lines they become, and what an independent reader makes of those.

use shared::config::IncludeFields;
use shared::envelope::Envelope;
use writer::line_protocol::{Lines, clean_name, fitting, timestamp_of};
use writer::mapping;
use writer::point::{FieldValue, Point};
use writer::schema::{Schema, Version};

use crate::strict::{self, Line, Value};

/// The versions of InfluxDB.
pub(crate) const VERSIONS: [Version; 3] = [Version::V1, Version::V2, Version::V3];

/// Everything is stored.
pub(crate) fn schema(version: Version) -> Schema {
    Schema {
        version,
        include_fields: IncludeFields { active: true, loaded: true, in_memory: true },
        app_names_enabled: true,
        failed_polls: Some("butler_sos_errors".to_owned()),
        memory_usage_instance: Some("DEV".to_owned()),
        session_details: true,
    }
}

/// What a point says, apart from its tags.
pub(crate) struct Written {
    pub(crate) measurement: String,
    pub(crate) fields: Vec<(&'static str, FieldValue<'static>)>,
    pub(crate) timestamp: i64,
}

impl Written {
    pub(crate) fn of(point: &Point<'_>) -> Self {
        let owned = |value: &FieldValue<'_>| match value {
            FieldValue::Float(number) => FieldValue::Float(*number),
            FieldValue::Int(number) => FieldValue::Int(*number),
            FieldValue::UInt(number) => FieldValue::UInt(*number),
            FieldValue::Bool(flag) => FieldValue::Bool(*flag),
            FieldValue::Text(text) => FieldValue::text(text.clone().into_owned()),
        };
        Self {
            measurement: point.measurement.to_owned(),
            fields: point.fields.iter().map(|(name, value)| (*name, owned(value))).collect(),
            timestamp: point.timestamp.nanos(),
        }
    }
}

/// Maps an event for every version, and reads back what it becomes.
pub(crate) fn check_lines(envelope: &Envelope) {
    for version in VERSIONS {
        let schema = schema(version);
        let (mut lines, mut written) = (Lines::default(), Vec::new());
        mapping::points(envelope, &schema, &mut |point| {
            let before = lines.len();
            lines.push(point);
            if lines.len() > before {
                written.push(Written::of(point));
            }
        });
        assert!(!lines.is_empty() || is_later_part(envelope), "an event without a point");
        compare(&lines, &written);
        let mut pushed = Lines::default();
        if mapping::push_lines(envelope, &schema, &mut pushed).is_ok() {
            assert_eq!(pushed.body(), lines.body());
        } else {
            assert!(pushed.body().len() <= 2 * mapping::MAX_LINES_BYTES);
        }
    }
}

/// Only the first part of a poll tells of the poll.
fn is_later_part(envelope: &Envelope) -> bool {
    match &envelope.event {
        shared::event::Event::Sessions(event) => event.part != 1,
        shared::event::Event::AppNames(event) => event.part != 1,
        _ => false,
    }
}

/// Every line is one line, is accepted, and says what its point says.
pub(crate) fn compare(lines: &Lines, written: &[Written]) -> Vec<Line> {
    assert_eq!(lines.len(), written.len());
    let body = std::str::from_utf8(lines.body()).expect("lines are UTF-8");
    let read = strict::parse(body);
    assert_eq!(read.len(), written.len(), "lines run into each other:\n{body}");
    let mut all = Vec::with_capacity(read.len());
    for (index, (line, written)) in read.into_iter().zip(written).enumerate() {
        let line = line.unwrap_or_else(|why| panic!("refused: {why}"));
        let alone = lines.line(index).strip_suffix(b"\n").expect("a line ends with a line feed");
        assert_eq!(line.text.as_bytes(), alone);
        assert_eq!(line.timestamp, Some(written.timestamp));
        assert_eq!(timestamp_of(lines.line(index)), Some(written.timestamp));
        assert_eq!(representable(&line.measurement), representable(&written.measurement));
        compare_fields(&line, written);
        all.push(line);
    }
    all
}

fn compare_fields(line: &Line, written: &Written) {
    let mut names = Vec::new();
    for (name, value) in &written.fields {
        let read = line.fields.get(*name);
        let same = match (value, read) {
            (FieldValue::Float(number), None) => {
                assert!(!number.is_finite(), "{name}: {number} is missing");
                continue;
            }
            (FieldValue::Float(number), Some(Value::Float(read))) => {
                number.to_bits() == read.to_bits()
            }
            (FieldValue::Int(number), Some(Value::Integer(read))) => number == read,
            (FieldValue::UInt(number), Some(Value::Unsigned(read))) => number == read,
            (FieldValue::Bool(flag), Some(Value::Boolean(read))) => flag == read,
            (FieldValue::Text(text), Some(Value::Text(read))) => fitting(text) == read,
            _ => false,
        };
        assert!(same, "{name}: {value:?} became {read:?}");
        names.push(*name);
    }
    assert_eq!(line.fields.len(), names.len(), "more fields than were written");
}

/// A name or tag value as line protocol can hold it, in the reading of the documentation: line
/// breaks and tabs as texts, no backslash at the end, several in a row as one.
pub(crate) fn representable(text: &str) -> String {
    let mut kept = String::new();
    for character in clean_name(text).chars() {
        if character != '\\' || !kept.ends_with('\\') {
            kept.push(character);
        }
    }
    kept
}
