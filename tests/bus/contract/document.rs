//! The AsyncAPI document holds together. That it is one by AsyncAPI's own rules was checked with
//! their parser, which is not at hand here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document;

/// Every reference, with where it is.
fn references(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.push((path.to_owned(), target.clone()));
            }
            for (name, value) in members {
                references(value, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, path, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_used() {
    let document = document("asyncapi.json");
    let mut found = Vec::new();
    references(&document, "", &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for (path, target) in &found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{path} refers to {target}");
    }
    let used: BTreeSet<&str> = found.iter().map(|(_, target)| target.as_str()).collect();
    // The envelope is for those who want any event; each kind has one of its own.
    for (section, unused) in [
        ("components/messages", &[][..]),
        ("components/schemas", &["Envelope"]),
        ("channels", &[]),
        ("servers", &[]),
    ] {
        let pointer = format!("/{section}");
        for name in document.pointer(&pointer).unwrap().as_object().unwrap().keys() {
            let is_used = used.contains(format!("#/{section}/{name}").as_str());
            assert_eq!(is_used, !unused.contains(&name.as_str()), "{section}/{name}");
        }
    }
}

#[test]
fn every_channel_names_its_parameters_and_brokers() {
    let document = document("asyncapi.json");
    for (name, channel) in document["channels"].as_object().unwrap() {
        let address = channel["address"].as_str().unwrap();
        let named: BTreeSet<&str> =
            address.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let parameters = channel["parameters"].as_object().unwrap();
        assert_eq!(named, parameters.keys().map(String::as_str).collect(), "{name}");
        let protocol = if name.ends_with("Nats") { "nats" } else { "mqtt" };
        assert_eq!(address.contains('/'), protocol == "mqtt", "{name}");
        for server in channel["servers"].as_array().unwrap() {
            let server = server["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
            assert_eq!(document.pointer(server).unwrap()["protocol"], protocol, "{name}");
        }
    }
}
