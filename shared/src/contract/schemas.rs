//! The JSON Schemas: one for each kind of payload, complete in itself.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::flat;
use crate::broker::DeadLetter;
use crate::broker::mqtt::{Mark, MemberRecord, SlotRecord};
use crate::envelope::Written;
use crate::event::{AppNames, FailedPoll, Health, Heartbeat, Kind, Sessions};

/// Where definitions are in a schema that stands alone.
const DEFINITIONS: &str = "#/$defs/";
const ULID: &str = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$";

/// A schema that stands alone.
pub(super) struct File {
    /// Its name in the directory.
    pub(super) name: &'static str,
    /// Its definition.
    pub(super) definition: &'static str,
    /// What it describes.
    pub(super) title: &'static str,
}

const fn file(name: &'static str, definition: &'static str, title: &'static str) -> File {
    File { name, definition, title }
}

pub(super) const FILES: [File; 12] = [
    file("envelope", "Envelope", "Any event of Footman"),
    file("health", "HealthEvent", "The health of an engine"),
    file("sessions", "SessionsEvent", "The sessions of a virtual proxy"),
    file("app-names", "AppNamesEvent", "The apps that a repository knows"),
    file("failed-polls", "FailedPollsEvent", "A poll that failed or was skipped"),
    file("heartbeats", "HeartbeatsEvent", "A program's sign of life"),
    file("dead-letter", "DeadLetter", "An event of which something cannot be stored"),
    file("state", "State", "The latest of a server"),
    file("program", "Program", "The latest of a program"),
    file("slot", "SlotRecord", "The record of a slot"),
    file("member", "MemberRecord", "The record of a member of a consumer group"),
    file("mark", "Mark", "The mark of an outbox"),
];

/// The definition of a kind's whole payload.
pub(super) fn event_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Health => "HealthEvent",
        Kind::Sessions => "SessionsEvent",
        Kind::AppNames => "AppNamesEvent",
        Kind::FailedPolls => "FailedPollsEvent",
        Kind::Heartbeats => "HeartbeatsEvent",
    }
}

/// All definitions by their names; they refer to each other by [`DEFINITIONS`].
pub(super) fn definitions() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator = settings.into_generator();
    generator.subschema_for::<Written<'_>>();
    generator.subschema_for::<DeadLetter>();
    generator.subschema_for::<SlotRecord>();
    generator.subschema_for::<MemberRecord>();
    generator.subschema_for::<Mark>();
    let data = Kind::ALL.map(|kind| (kind, data_of(kind, &mut generator)));
    let mut definitions = generator.take_definitions(true);
    // The event of the types is any of them; here each kind has one of its own.
    definitions.remove("Event");
    definitions.values_mut().for_each(without_null);
    let envelope = definitions.get_mut("Envelope").unwrap();
    constrain(envelope);
    let envelope = envelope.clone();
    for (kind, data) in data {
        definitions.insert(event_name(kind).to_owned(), event(&envelope, kind, &data));
    }
    definitions.insert("State".to_owned(), flat::state());
    definitions.insert("Program".to_owned(), flat::program());
    definitions
}

fn data_of(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    let schema = match kind {
        Kind::Health => generator.subschema_for::<Health>(),
        Kind::Sessions => generator.subschema_for::<Sessions>(),
        Kind::AppNames => generator.subschema_for::<AppNames>(),
        Kind::FailedPolls => generator.subschema_for::<FailedPoll>(),
        Kind::Heartbeats => generator.subschema_for::<Heartbeat>(),
    };
    schema.to_value()
}

/// A member without a value is left out, so none is ever null.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(without_null);
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [Value::Object(only)] = &choices[..] {
                    let only = only.clone();
                    members.remove("anyOf");
                    for (name, value) in only {
                        members.entry(name).or_insert(value);
                    }
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// What the envelope's types do not say: its texts have a form.
fn constrain(envelope: &mut Value) {
    let kinds: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
    let members = [
        ("specversion", json!({"const": "1.0"})),
        ("datacontenttype", json!({"const": "application/json"})),
        ("id", json!({"pattern": ULID})),
        ("epoch", json!({"pattern": ULID})),
        ("sequence", json!({"pattern": "^[0-9]{18}$"})),
        ("source", json!({"pattern": "^/footman/(collector|writer|footman)/"})),
        ("type", json!({"pattern": format!("^qliksense\\.({})\\.v1$", kinds.join("|"))})),
    ];
    for (name, further) in members {
        extend(&mut envelope["properties"][name], further);
    }
    let data = envelope["properties"]["data"]["description"].clone();
    envelope["properties"]["data"] = json!({"type": "object", "description": data});
}

fn event(envelope: &Value, kind: Kind, data: &Value) -> Value {
    let mut event = envelope.clone();
    event["description"] =
        format!("An event of the kind `{}`: a CloudEvents 1.0 event.", kind.name()).into();
    let properties = &mut event["properties"];
    let name = format!("qliksense.{}.v1", kind.name());
    extend(&mut properties["type"], json!({"const": name}));
    properties["type"].as_object_mut().unwrap().remove("pattern");
    extend(&mut properties["data"], data.clone());
    event
}

fn extend(schema: &mut Value, further: Value) {
    let Value::Object(further) = further else { return };
    schema.as_object_mut().unwrap().extend(further);
}

/// The definitions that a schema refers to, and those that these refer to.
fn reached(schema: &Value, definitions: &Map<String, Value>, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(|name| name.as_str()) {
                let name = name.strip_prefix(DEFINITIONS).unwrap();
                if found.insert(name.to_owned()) {
                    reached(&definitions[name], definitions, found);
                }
            }
            members.values().for_each(|value| reached(value, definitions, found));
        }
        Value::Array(items) => items.iter().for_each(|item| reached(item, definitions, found)),
        _ => {}
    }
}

/// A schema with all that it refers to.
pub(super) fn alone(file: &File, definitions: &Map<String, Value>) -> Value {
    let mut schema = definitions[file.definition].clone();
    let mut found = BTreeSet::new();
    reached(&schema, definitions, &mut found);
    let further: Map<String, Value> =
        found.into_iter().map(|name| (name.clone(), definitions[&name].clone())).collect();
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:footman:v1:{}", file.name),
        "title": file.title,
    });
    extend(&mut schema, head);
    if !further.is_empty() {
        extend(&mut schema, json!({"$defs": further}));
    }
    schema
}

/// The same definition where definitions are the components of an AsyncAPI document, whose schemas
/// ignore what stands beside a reference.
pub(super) fn as_component(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut members: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), as_component(value))).collect();
            if let Some(Value::String(name)) = members.get("$ref") {
                let name = name.strip_prefix(DEFINITIONS).unwrap();
                let reference = json!({"$ref": format!("#/components/schemas/{name}")});
                members.remove("$ref");
                if members.is_empty() {
                    return reference;
                }
                // A description of its own says more than the type of what it refers to.
                members.remove("type");
                members.insert("allOf".to_owned(), json!([reference]));
            }
            Value::Object(members)
        }
        Value::Array(items) => items.iter().map(as_component).collect(),
        other => other.clone(),
    }
}
