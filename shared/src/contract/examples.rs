//! The examples, written by hand: each is exactly what Footman would publish.

use serde_json::{Value, json};

use super::{directory, read};
use crate::broker::DeadLetter;
use crate::broker::mqtt::{Mark, MemberRecord, SlotRecord};
use crate::envelope::Envelope;
use crate::event::Kind;

/// Every example by its name; what stands before the dot names its schema.
fn all() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(directory().join("examples")).unwrap();
    let mut examples: Vec<(String, Value)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let value = read(&path).unwrap_or_else(|| panic!("{name} is no JSON"));
            (name, value)
        })
        .collect();
    examples.sort_by(|a, b| a.0.cmp(&b.0));
    examples
}

/// The examples of a schema, as an AsyncAPI message has them.
pub(super) fn of(schema: &str) -> Vec<Value> {
    let mine = all().into_iter().filter_map(|(name, payload)| {
        let (file, which) = name.split_once('.')?;
        (file == schema).then(|| json!({"name": which, "payload": payload}))
    });
    mine.collect()
}

fn same<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Value {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    serde_json::to_value(read).unwrap()
}

#[test]
fn each_example_is_what_footman_would_publish() {
    for (name, example) in all() {
        let (schema, _) = name.split_once('.').unwrap();
        let written = match schema {
            "dead-letter" => {
                let text = example.to_string();
                serde_json::to_value(serde_json::from_str::<DeadLetter>(&text).unwrap()).unwrap()
            }
            "slot" => same::<SlotRecord>(&example),
            "member" => same::<MemberRecord>(&example),
            "mark" => same::<Mark>(&example),
            // These are made from several events, by the collector.
            "state" | "program" => continue,
            _ => {
                let decoded = Envelope::decode(example.to_string().as_bytes()).unwrap();
                assert_eq!(decoded.event.kind().name(), schema, "{name}");
                let data = serde_json::to_value(&decoded.event).unwrap();
                assert_eq!(example["data"], data, "{name}");
                continue;
            }
        };
        assert_eq!(example, written, "{name}");
    }
}

#[test]
fn every_kind_has_a_minimal_and_a_full_example() {
    let names: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
    let others = ["dead-letter", "state", "program"];
    for schema in Kind::ALL.into_iter().map(Kind::name).chain(others) {
        for which in ["full", "minimal"] {
            assert!(names.contains(&format!("{schema}.{which}")), "{schema}.{which}");
        }
    }
}
