//! The file: what Node-RED and people need to import it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{folder, nodes};

/// The node types that a Node-RED without any addition has, as far as the flow uses them.
const CORE: &[&str] = &[
    "tab",
    "group",
    "comment",
    "mqtt-broker",
    "mqtt in",
    "function",
    "switch",
    "inject",
    "status",
    "debug",
    "link out",
    "http in",
    "template",
    "http response",
];

fn text<'a>(node: &'a Value, member: &str) -> &'a str {
    node[member].as_str().unwrap_or_default()
}

#[test]
fn the_flow_is_what_its_source_makes() {
    let output =
        Command::new("python3").arg(folder().join("generate.py")).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ids_are_distinct_and_wires_lead_somewhere() {
    let nodes = nodes();
    let ids: BTreeSet<&str> = nodes.iter().map(|node| text(node, "id")).collect();
    assert_eq!(ids.len(), nodes.len());
    for id in &ids {
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    for node in &nodes {
        let name = text(node, "name");
        let outputs = node["wires"].as_array().map(Vec::as_slice).unwrap_or_default();
        let wired = outputs.iter().flat_map(|output| output.as_array().unwrap());
        let scope = node["scope"].as_array().into_iter().flatten();
        let members = node["nodes"].as_array().into_iter().flatten();
        for other in wired.chain(scope).chain(members) {
            assert!(ids.contains(other.as_str().unwrap()), "{name} leads to {other}");
        }
        for place in ["z", "g", "broker"] {
            // The broker itself has its address there.
            let other = text(node, place);
            assert!(
                other.is_empty() || other == "127.0.0.1" || ids.contains(other),
                "{name}: {place}"
            );
        }
        if let Some(number) = node["outputs"].as_u64() {
            assert_eq!(outputs.len(), usize::try_from(number).unwrap(), "{name}");
        }
    }
}

#[test]
fn any_node_red_can_import_it_and_nothing_secret_is_in_it() {
    let nodes = nodes();
    for node in &nodes {
        let kind = text(node, "type");
        assert!(CORE.contains(&kind), "{kind} is no core node");
        assert!(node.get("credentials").is_none() && node.get("user").is_none(), "{node}");
        assert!(node["libs"].as_array().is_none_or(Vec::is_empty), "{node}");
    }
    let brokers: Vec<&Value> = nodes.iter().filter(|node| node["type"] == "mqtt-broker").collect();
    assert_eq!(brokers.len(), 1);
    assert_eq!((text(brokers[0], "broker"), text(brokers[0], "port")), ("127.0.0.1", "1883"));
    // nats-server's listener speaks 3.1.1 alone.
    assert_eq!(text(brokers[0], "protocolVersion"), "4");
}

#[test]
fn it_subscribes_to_what_is_published_and_each_group_is_explained() {
    use shared::event::Source;
    use shared::subject::{Subject, Token};
    let (token, prefix) = (Token::new("a.b"), "qliksense");
    let own: BTreeSet<String> = [
        Subject::health(prefix, &token),
        Subject::sessions(prefix, &token, &Token::virtual_proxy("/")),
        Subject::app_names(prefix, &token),
        Subject::failed_polls(prefix, &token, Source::Health),
        Subject::heartbeats(prefix, "writer", "a.b"),
    ]
    .iter()
    .map(|subject| {
        let levels: Vec<&str> = subject.as_topic().split('/').collect();
        format!("{}{}", levels[..3].join("/"), "/+".repeat(levels.len() - 3))
    })
    .chain(["qliksense/v1/status/+/+".to_owned(), "qliksense/v1/state/+".to_owned()])
    .collect();
    let nodes = nodes();
    let subscriptions = nodes.iter().filter(|node| node["type"] == "mqtt in");
    assert_eq!(
        subscriptions.map(|node| text(node, "topic").to_owned()).collect::<BTreeSet<_>>(),
        own
    );
    for group in nodes.iter().filter(|node| node["type"] == "group") {
        let explains = |node: &&Value| node["type"] == "comment" && node["g"] == group["id"];
        let comment = nodes.iter().find(explains).unwrap();
        assert!(text(comment, "info").len() > 40, "{comment}");
    }
}
