//! The shipped files load, and the reference says what the code does.

use config::{File, FileFormat, Map, Source as _, Value, ValueKind};

use super::{Folder, told};
use crate::config::load::known_keys;
use crate::config::section::Shape;
use crate::config::{Loaded, Version};

const FOOTMAN: &str = include_str!("../../../../config/footman.yaml");
const DISCOVERY: &str = include_str!("../../../../docs/discovery.md");
const REFERENCE: &str = include_str!("../../../../config/reference.yaml");

/// Loads an example beside the certificates that it names.
fn load_example(text: &str) -> Loaded {
    let folder = Folder::new();
    for name in ["client.pem", "client_key.pem", "root.pem"] {
        folder.write(&format!("certificates/{name}"), "no certificate");
    }
    folder.write("influxdb-token.txt", "a token");
    folder.read(text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_short_example_loads() {
    let loaded = load_example(FOOTMAN);
    assert_eq!(told(&loaded.warnings), Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.collector.servers.len(), 1);
    assert!(config.collector.sessions.is_some() && config.collector.app_names.is_some());
    let influxdb = config.writer.influxdb.unwrap();
    assert!(matches!(influxdb.version, Version::V2 { .. }));
}

#[test]
fn what_the_page_about_discovery_says_loads() {
    let blocks: Vec<&str> = DISCOVERY
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect();
    let [short, long] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    let read = |text: &str| {
        let loaded = Folder::new().read(text, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(told(&loaded.warnings), Vec::<String>::new());
        loaded.config.collector.discovery.unwrap()
    };
    assert_eq!(read(short).host, "sense1.example.com");
    // The second one stands for the last line of the first.
    let (all_but_last, _) = short.trim_end().rsplit_once('\n').unwrap();
    let long = long.strip_prefix("Butler-SOS:\n").unwrap();
    let discovery = read(&format!("{all_but_last}\n{long}"));
    assert_eq!(discovery.namings["Central"].name.as_deref(), Some("sense1"));
    assert_eq!((discovery.exclude.len(), discovery.tags.len()), (2, 2));
}

#[test]
fn the_reference_loads() {
    let loaded = load_example(REFERENCE);
    assert_eq!(told(&loaded.warnings), Vec::<String>::new());
    assert_eq!(loaded.config.collector.servers.len(), 1);
}

#[test]
fn the_reference_is_right_with_everything_enabled_too() {
    let enabled = REFERENCE.replace("enable: false", "enable: true");
    let enabled = enabled.replace("Extract: false", "Extract: true");
    // Home Assistant speaks no NATS.
    let (before, after) = enabled.split_once("discoveryPrefix").unwrap();
    let after = after.replacen("url: null", "url: mqtt://127.0.0.1:1883", 1);
    let enabled = format!("{before}discoveryPrefix{after}");
    for (kind, version) in [("embedded", 1), ("nats", 2), ("mqtt", 3)] {
        let text = enabled
            .replace("type: embedded", &format!("type: {kind}"))
            .replace("version: 2\n", &format!("version: {version}\n"));
        load_example(&text);
    }
}

#[test]
fn the_reference_holds_every_key_with_its_default() {
    let tree = File::from_str(REFERENCE, FileFormat::Yaml).collect().unwrap();
    let root = &tree["Butler-SOS"];
    let mut faults = Vec::new();
    for (pattern, known) in known_keys() {
        if known.shape == Shape::Section || known.environment_only {
            continue;
        }
        let steps: Vec<&str> = pattern.split('.').collect();
        match (find(root, &steps), known.default) {
            (None, _) => faults.push(format!("{pattern} is not there")),
            (Some(value), Some(default)) if written(value) != default => {
                faults.push(format!("{pattern} is {}, and in code {default}", written(value)));
            }
            _ => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Follows a pattern: `[]` is the first item, `*` the first name.
fn find<'a>(value: &'a Value, steps: &[&str]) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value) };
    let ValueKind::Table(table) = &value.kind else { return None };
    let below = match step.strip_suffix("[]") {
        Some(list) => match &table.get(list)?.kind {
            ValueKind::Array(items) => items.first()?,
            _ => return None,
        },
        None if *step == "*" => first(table)?,
        None => table.get(*step)?,
    };
    find(below, rest)
}

fn first(table: &Map<String, Value>) -> Option<&Value> {
    table.values().next()
}

/// A value as the reader writes defaults.
fn written(value: &Value) -> String {
    match &value.kind {
        ValueKind::Nil => "null".to_owned(),
        ValueKind::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| format!("{:?}", written(item))).collect();
            format!("[{}]", items.join(","))
        }
        ValueKind::Table(table) if table.is_empty() => "{}".to_owned(),
        _ => value.clone().into_string().unwrap(),
    }
}
