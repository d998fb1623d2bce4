//! What stands in the place of the names in braces in addresses.

use serde_json::{Map, Value, json};

use crate::event::Source;

const TOKEN: &str = "bytes outside `A-Za-z0-9_-` as `%XX`";

/// The parameters of an address.
pub(super) fn parameters(address: &str) -> Map<String, Value> {
    let names = address.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| (name.to_owned(), parameter(name))).collect()
}

fn parameter(name: &str) -> Value {
    match name {
        "prefix" => json!({
            "description": "`broker.topicPrefix` of the configuration; it may have several levels.",
            "default": "qliksense",
        }),
        "server" => token("The server's name, or for app names that failed the repository's host"),
        "virtualProxy" => json!({
            "description": format!(
                "The virtual proxy's prefix without its leading slash, {TOKEN}; `default` for the \
                 default one."
            ),
            "examples": ["default", "hdr"],
        }),
        "repository" => token("The repository's host"),
        "source" => json!({
            "description": "The API that was polled.",
            "enum": ([Source::Health, Source::Sessions, Source::AppNames].map(Source::name)),
        }),
        "process" => json!({
            "description": "The program.", "enum": ["collector", "writer", "footman"],
        }),
        "instance" => token("The program's instance name"),
        "group" => json!({
            "description": "The consumer group, `writer.consumerGroup`.", "default": "influxdb",
        }),
        "eventId" => token("The event's id, or 16 hex digits made from its bytes"),
        "slot" => json!({"description": "The slot, from 0.", "examples": ["0", "3"]}),
        "member" => token("`{process}-{instance}`"),
        "outbox" => token("The outbox's own name"),
        "client" => json!({"description": "Whoever reads the letters."}),
        other => panic!("no parameter is called {other}"),
    }
}

fn token(what: &str) -> Value {
    json!({"description": format!("{what}; {TOKEN}.")})
}
