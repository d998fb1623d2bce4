//! The tables for people are the schemas: every member and subject, no more and no less.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{document, page};

/// Members by their paths, and whether they are always there.
type Members = BTreeMap<String, bool>;

/// The lines of the table that follows a mark, as cells.
fn table(mark: &str) -> Vec<Vec<String>> {
    let page = page();
    let (_, rest) = page.split_once(&format!("<!-- {mark} -->\n")).ok_or(mark).unwrap();
    let lines = rest.lines().take_while(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.map(cells).collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn written(name: &str) -> Members {
    let mut members = Members::new();
    for row in table(&format!("members: {name}")) {
        assert!(["yes", ""].contains(&row[2].as_str()), "{name}: {row:?}");
        assert!(!row[3].is_empty(), "{name}: {row:?}");
        for member in quoted(&row[1]) {
            let before = members.insert(member.clone(), row[2] == "yes");
            assert_eq!(before, None, "{name}: {member} stands there twice");
        }
    }
    members
}

/// The members of a schema and of what is in it, without those of `server` and `poll`, which have
/// tables of their own.
fn promised(root: &Value, schema: &Value, path: &str, members: &mut Members) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    };
    if let Some(items) = schema.get("items") {
        return promised(root, items, &format!("{path}[]"), members);
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        members.insert(inner.clone(), required.contains(&name.as_str()));
        if !(path.is_empty() && ["server", "poll", "data"].contains(&name.as_str())) {
            promised(root, member, &inner, members);
        }
    }
    for pattern in schema["patternProperties"].as_object().into_iter().flatten() {
        members.insert(pattern.0.replace('^', "").replace(".+$", "{}"), false);
    }
}

fn differences(written: &Members, promised: &Members) -> Vec<String> {
    let mut found = Vec::new();
    for (member, always) in promised {
        match written.get(member) {
            None => found.push(format!("{member} is not on the page")),
            Some(other) if other != always => found.push(format!("{member} always: {always}")),
            Some(_) => {}
        }
    }
    let more = written.keys().filter(|member| !promised.contains_key(*member));
    found.extend(more.map(|member| format!("{member} is in no schema")));
    found
}

#[test]
fn the_tables_have_the_members_of_the_schemas() {
    let mut wrong = Vec::new();
    let health = document("schemas/health.json");
    let data = |file: &str| {
        let schema = document(&format!("schemas/{file}.json"));
        let data = schema["properties"]["data"].clone();
        (schema, data)
    };
    let whole = |file: &str| {
        let schema = document(&format!("schemas/{file}.json"));
        (schema.clone(), schema)
    };
    for (name, (root, schema)) in [
        ("envelope", whole("envelope")),
        ("server", (health.clone(), health["$defs"]["Server"].clone())),
        ("poll", (health.clone(), health["$defs"]["Poll"].clone())),
        ("health", data("health")),
        ("sessions", data("sessions")),
        ("app-names", data("app-names")),
        ("failed-polls", data("failed-polls")),
        ("heartbeats", data("heartbeats")),
        ("dead-letter", whole("dead-letter")),
        ("state", whole("state")),
        ("program", whole("program")),
    ] {
        let mut members = Members::new();
        promised(&root, &schema, "", &mut members);
        assert!(members.len() > 3, "{name}: {members:?}");
        let without_names = |(member, always): (String, bool)| {
            let begin = member.split('{').next().unwrap();
            let name = if begin == member { member } else { format!("{begin}{{}}") };
            (name, always)
        };
        let written = written(name).into_iter().map(without_names).collect();
        let found = differences(&written, &members);
        wrong.extend(found.into_iter().map(|one| format!("{name}: {one}")));
    }
    assert!(wrong.is_empty(), "docs/events.md and docs/contract differ:\n{}", wrong.join("\n"));
}

#[test]
fn the_subjects_are_those_of_the_document() {
    let document = document("asyncapi.json");
    let mut promised: Vec<[String; 3]> = Vec::new();
    let channels = document["channels"].as_object().unwrap();
    let retained = |name: &str| {
        let (first, rest) = name.split_at(1);
        let operation = format!("publish{}{rest}", first.to_uppercase());
        let retained = &document["operations"][&operation]["bindings"]["mqtt"]["retain"];
        if retained.as_bool().unwrap() { "yes" } else { "no" }
    };
    for (name, channel) in channels.iter().filter(|(name, _)| name.ends_with("Mqtt")) {
        if channel["messages"].get("marker").is_some() {
            continue;
        }
        let address = |name: &str| {
            let address = channels.get(name)?["address"].as_str()?;
            Some(address.replace("{prefix}", "qliksense"))
        };
        let nats = address(&name.replace("Mqtt", "Nats")).unwrap_or_default();
        promised.push([address(name).unwrap(), nats, retained(name).to_owned()]);
    }
    promised.sort();
    let mut written: Vec<[String; 3]> = table("subjects")
        .iter()
        .map(|row| [row[1].replace('`', ""), row[2].replace('`', ""), row[4].clone()])
        .collect();
    written.sort();
    assert_eq!(written, promised);
}

#[test]
fn the_categories_are_those_of_the_schema() {
    let page = page();
    let (_, rest) = page.split_once("<!-- categories -->\n").unwrap();
    let schema = document("schemas/failed-polls.json");
    let known = schema["$defs"]["Category"]["examples"].as_array().unwrap();
    let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
    assert_eq!(quoted(rest.lines().next().unwrap()), known);
}
