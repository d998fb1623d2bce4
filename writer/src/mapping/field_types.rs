//! The type of every field in every version, as one table: what an existing database expects.
//!
//! `field_types.txt` is that table. What is there must never change; a new field is a new line.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::envelope::Envelope;

use super::points;
use super::tests::{failed_poll, health, poll, schema, sessions};
use crate::point::FieldValue;
use crate::schema::Version;

/// The columns of the table.
const VERSIONS: [Version; 3] = [Version::V1, Version::V2, Version::V3];

/// A beat with every member.
fn heartbeat() -> Value {
    json!({
        "process": "writer", "instance": "host1", "version": "0.1.0",
        "started": "2026-11-21T08:00:00Z", "uptimeS": 930, "honest": true, "uptimeMonitor": true,
        "memory": {"residentBytes": 52_480_000, "allocatedBytes": 10_485_760},
        "counters": {"published": 7, "confirmed": 6, "delivered": 5, "stored": 4, "dead_lettered": 3,
                     "redelivered": 2, "failed_writes": 1, "outbox": 1, "backlog": 9, "lost": 0,
                     "oldest_unwritten_s": 1.5}
    })
}

fn app_names() -> Value {
    json!({"repository": "qrs", "poll": poll(), "part": 1, "parts": 1, "full": true,
           "apps": [{"id": "a", "name": "Sales"}]})
}

/// A letter for each type, as reference tables have them.
fn letter(value: &FieldValue<'_>) -> char {
    match value {
        FieldValue::Float(_) => 'F',
        FieldValue::Int(_) => 'I',
        FieldValue::UInt(_) => 'U',
        FieldValue::Bool(_) => 'B',
        FieldValue::Text(_) => 'S',
    }
}

#[test]
fn every_field_has_its_type_in_every_version() {
    let mut table: BTreeMap<(String, &'static str), [char; 3]> = BTreeMap::new();
    for (column, version) in VERSIONS.into_iter().enumerate() {
        for (kind, data) in [
            ("health", health()),
            ("sessions", sessions(1, 1)),
            ("app-names", app_names()),
            ("failed-polls", failed_poll()),
            ("heartbeats", heartbeat()),
        ] {
            let event = json!({
                "specversion": "1.0", "id": "01JD", "source": "/footman/collector/host1",
                "type": format!("qliksense.{kind}.v1"), "subject": "sense1",
                "time": "2026-11-21T08:15:30Z", "data": data,
            });
            let envelope = Envelope::decode(event.to_string().as_bytes()).unwrap();
            points(&envelope, &schema(version), &mut |point| {
                for (field, value) in &point.fields {
                    let key = (point.measurement.to_owned(), *field);
                    table.entry(key).or_insert(['-'; 3])[column] = letter(value);
                }
            });
        }
    }
    let found: Vec<String> = table
        .iter()
        .map(|((measurement, field), [v1, v2, v3])| format!("{measurement}.{field} {v1} {v2} {v3}"))
        .collect();
    let expected: Vec<&str> = include_str!("field_types.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    assert_eq!(found, expected);
}
