//! The AsyncAPI document: the bus as a whole, on MQTT and on NATS.

use serde_json::{Map, Value, json};

use super::channels::{Channel, On, capital, channels, message_of};
use super::schemas::{as_component, event_name};
use super::{addresses, examples};
use crate::event::Kind;

const MQTT_BINDING: &str = "0.2.0";
const NATS_BINDING: &str = "0.1.0";
const JSON: &str = "application/json";
const DESCRIPTION: &str = "Footman carries what a Qlik Sense site says about itself. Whoever can \
    subscribe to the broker can read along: each event is a CloudEvents 1.0 event in JSON, complete \
    in itself. Types change only by adding members: ignore what you do not know. A member without a \
    value is left out. `docs/events.md` explains the fields.";

/// One of the two ways to reach a channel.
#[derive(Clone, Copy)]
enum Protocol {
    Mqtt,
    Nats,
}

/// The document; every definition becomes a component.
pub(super) fn document(definitions: &Map<String, Value>) -> Value {
    let channels = channels();
    let ways: Vec<(&Channel, Protocol)> = channels.iter().flat_map(ways).collect();
    let schemas: Map<String, Value> =
        definitions.iter().map(|(name, schema)| (name.clone(), as_component(schema))).collect();
    json!({
        "asyncapi": "3.0.0",
        "id": "urn:footman:v1:bus",
        "info": {
            "title": "Footman's bus",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
            "tags": [{"name": "Qlik Sense"}, {"name": "CloudEvents"}],
        },
        "defaultContentType": JSON,
        "servers": servers(),
        "channels": ways.iter().map(|(channel, protocol)| {
            (name(channel, *protocol), described(channel, *protocol))
        }).collect::<Map<String, Value>>(),
        "operations": ways.iter().flat_map(|(channel, protocol)| {
            operations(channel, *protocol)
        }).collect::<Map<String, Value>>(),
        "components": {"messages": messages(), "schemas": schemas},
    })
}

fn ways(channel: &Channel) -> Vec<(&Channel, Protocol)> {
    match channel.on {
        On::Both => vec![(channel, Protocol::Mqtt), (channel, Protocol::Nats)],
        On::Mqtt => vec![(channel, Protocol::Mqtt)],
    }
}

fn name(channel: &Channel, protocol: Protocol) -> String {
    match protocol {
        Protocol::Mqtt => format!("{}Mqtt", channel.name),
        Protocol::Nats => format!("{}Nats", channel.name),
    }
}

fn servers() -> Value {
    json!({
        "mqtt": {
            "host": "127.0.0.1:1883",
            "protocol": "mqtt",
            "protocolVersion": "5.0",
            "description": "With `broker.type: mqtt`: an MQTT 5 broker that keeps sessions, such as \
                            mosquitto (`broker.mqtt.url`). Subscribers may speak MQTT 3.1.1.",
            "bindings": {"mqtt": {"cleanSession": true, "bindingVersion": MQTT_BINDING}},
        },
        "nats": {
            "host": "127.0.0.1:4222",
            "protocol": "nats",
            "description": "With `broker.type: nats`: nats-server 2.9 or newer with JetStream \
                            (`broker.nats.servers`). Subscribers use plain subscriptions: what is \
                            consumed from the stream is gone from it. The header `Nats-Msg-Id` is \
                            the event's id.",
        },
        "natsMqtt": {
            "host": "127.0.0.1:1883",
            "protocol": "mqtt",
            "protocolVersion": "3.1.1",
            "description": "The MQTT listener of nats-server shows the same events; retained \
                            messages exist there alone (`collector.homeAssistant.url`).",
            "bindings": {"mqtt": {"cleanSession": true, "bindingVersion": MQTT_BINDING}},
        },
        "embedded": {
            "host": "127.0.0.1:1883",
            "protocol": "mqtt",
            "protocolVersion": "5.0",
            "description": "With `broker.type: embedded`: `footman run` shows its events where \
                            `broker.embedded.mqttListener` says.",
            "bindings": {"mqtt": {"cleanSession": true, "bindingVersion": MQTT_BINDING}},
        },
    })
}

fn described(channel: &Channel, protocol: Protocol) -> Value {
    let address = format!("{{prefix}}/v1/{}", channel.tail);
    let parameters = addresses::parameters(&address);
    let (address, servers) = match protocol {
        Protocol::Nats => (address.replace('/', "."), vec!["nats"]),
        // Their listeners know nothing of what the programs agree on over a broker of their own.
        Protocol::Mqtt if is_own_affair(channel) => (address, vec!["mqtt"]),
        Protocol::Mqtt => (address, vec!["mqtt", "natsMqtt", "embedded"]),
    };
    let servers: Vec<Value> =
        servers.iter().map(|server| json!({"$ref": format!("#/servers/{server}")})).collect();
    let message = json!({"$ref": format!("#/components/messages/{}", channel.message)});
    json!({
        "address": address,
        "description": channel.when,
        "servers": servers,
        "parameters": parameters,
        "messages": {channel.message: message},
    })
}

fn is_own_affair(channel: &Channel) -> bool {
    matches!(channel.message, "slot" | "member" | "mark" | "marker")
}

fn operations(channel: &Channel, protocol: Protocol) -> Vec<(String, Value)> {
    let name = name(channel, protocol);
    let capital = capital(&name);
    let bindings = match protocol {
        Protocol::Mqtt => json!({"mqtt": {
            "qos": 1, "retain": channel.retained, "bindingVersion": MQTT_BINDING,
        }}),
        Protocol::Nats => json!({"nats": {"bindingVersion": NATS_BINDING}}),
    };
    let operation = |action: &str, summary: &str| {
        json!({
            "action": action,
            "channel": {"$ref": format!("#/channels/{name}")},
            "summary": summary,
            "messages": [{"$ref": format!("#/channels/{name}/messages/{}", channel.message)}],
            "bindings": bindings,
        })
    };
    let mut operations =
        vec![(format!("publish{capital}"), operation("send", "Footman publishes."))];
    if let Some(consumer) = channel.consumer {
        operations.push((format!("consume{capital}"), operation("receive", consumer)));
    }
    operations
}

fn messages() -> Map<String, Value> {
    let events = Kind::ALL.map(|kind| {
        let title = match kind {
            Kind::Health => "Health of an engine",
            Kind::Sessions => "Sessions of a virtual proxy",
            Kind::AppNames => "App names",
            Kind::FailedPolls => "Failed poll",
            Kind::Heartbeats => "Heartbeat",
        };
        (message_of(kind), title, event_name(kind), kind.name())
    });
    let records = [
        ("deadLetter", "Dead letter", "DeadLetter", "dead-letter"),
        ("state", "State of a server", "State", "state"),
        ("program", "Program", "Program", "program"),
        ("slot", "Slot", "SlotRecord", "slot"),
        ("member", "Member of a consumer group", "MemberRecord", "member"),
        ("mark", "Mark of an outbox", "Mark", "mark"),
    ];
    let mut messages: Map<String, Value> = events
        .into_iter()
        .chain(records)
        .map(|(name, title, definition, file)| {
            let schema = format!("#/components/schemas/{definition}");
            (name.to_owned(), message(title, JSON, &json!({"$ref": schema}), examples::of(file)))
        })
        .collect();
    let status = json!({"type": "string", "enum": ["online", "offline"]});
    messages.insert("status".to_owned(), message("Status", "text/plain", &status, vec![]));
    let marker = json!({"type": "string", "description": "Of no meaning to others."});
    messages.insert("marker".to_owned(), message("Marker", "text/plain", &marker, vec![]));
    messages
}

fn message(title: &str, content: &str, payload: &Value, examples: Vec<Value>) -> Value {
    let mut message = json!({"title": title, "contentType": content, "payload": payload});
    if !examples.is_empty() {
        message["examples"] = examples.into();
    }
    message
}
