//! Judges payloads by the schema that the AsyncAPI document names for where they came.

use std::collections::BTreeMap;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};

use super::document;

/// Where the document is, for its schemas; nothing is fetched from there.
const PLACE: &str = "http://footman.invalid/asyncapi.json";

/// Between the levels of an address, by which MQTT and NATS are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// On MQTT.
    Slash,
    /// On NATS.
    Dot,
}

impl Separator {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Slash => "/",
            Self::Dot => ".",
        }
    }
}

/// A channel of the document.
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) address: String,
    /// The values that a level may have, where the document names them.
    values: BTreeMap<String, Vec<String>>,
    /// The name of its message.
    pub(super) message: String,
}

/// The document with its schemas, ready to judge.
pub(super) struct Judge {
    pub(super) document: Value,
    pub(super) channels: Vec<Channel>,
    schemas: Schemas,
    messages: BTreeMap<String, SchemaIndex>,
}

impl Judge {
    pub(super) fn new() -> Self {
        let document = document("asyncapi.json");
        let channels = document["channels"].as_object().unwrap();
        let channels = channels.iter().map(|(name, channel)| Channel::new(name, channel)).collect();
        // AsyncAPI's schemas are those of draft 7.
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.set_default_draft(Draft::V7);
        compiler.add_resource(PLACE, document.clone()).unwrap();
        let mut compiled = |name: &String| {
            let payload = format!("{PLACE}#/components/messages/{name}/payload");
            (name.clone(), compiler.compile(&payload, &mut schemas).unwrap())
        };
        let messages = document["components"]["messages"].as_object().unwrap();
        let messages = messages.keys().map(&mut compiled).collect();
        Self { document, channels, schemas, messages }
    }

    /// The one channel to which an address belongs.
    pub(super) fn channel(&self, separator: Separator, address: &str) -> Result<&Channel, String> {
        let fitting: Vec<&Channel> =
            self.channels.iter().filter(|channel| channel.fits(separator, address)).collect();
        match fitting[..] {
            [channel] => Ok(channel),
            [] => Err(format!("{address} is in no channel")),
            _ => Err(format!("{address} is in several channels")),
        }
    }

    /// Says what is wrong with something that came.
    pub(super) fn judge(
        &self,
        separator: Separator,
        address: &str,
        payload: &str,
    ) -> Result<&str, String> {
        let channel = self.channel(separator, address)?;
        let message = &self.document["components"]["messages"][&channel.message];
        let value = match message["contentType"].as_str() {
            Some("application/json") => serde_json::from_str(payload)
                .map_err(|error| format!("{address} is no JSON ({error}): {payload}"))?,
            _ => Value::from(payload),
        };
        match self.schemas.validate(&value, self.messages[&channel.message]) {
            Ok(()) => Ok(&channel.message),
            Err(error) => Err(format!("{address}: {error} in {payload}")),
        }
    }
}

impl Channel {
    fn new(name: &str, channel: &Value) -> Self {
        let values = channel["parameters"].as_object().unwrap().iter().filter_map(|(name, one)| {
            let values = one["enum"].as_array()?;
            let values = values.iter().map(|value| value.as_str().unwrap().to_owned());
            Some((format!("{{{name}}}"), values.collect()))
        });
        let messages = channel["messages"].as_object().unwrap();
        assert_eq!(messages.len(), 1, "{name}");
        Self {
            name: name.to_owned(),
            address: channel["address"].as_str().unwrap().to_owned(),
            values: values.collect(),
            message: messages.keys().next().unwrap().clone(),
        }
    }

    fn fits(&self, separator: Separator, address: &str) -> bool {
        let wanted: Vec<&str> = self.address.split(separator.text()).collect();
        let found: Vec<&str> = address.split(separator.text()).collect();
        wanted.len() == found.len()
            && wanted.iter().zip(found).all(|(wanted, found)| {
                if !wanted.starts_with('{') {
                    return *wanted == found;
                }
                self.values.get(*wanted).is_none_or(|values| values.iter().any(|one| one == found))
            })
    }

    /// An address of this channel.
    pub(super) fn an_address(&self) -> String {
        let mut address = self.address.replace("{prefix}", "qliksense");
        for (name, values) in &self.values {
            address = address.replace(name, &values[0]);
        }
        while let Some((before, rest)) = address.split_once('{') {
            let (_name, after) = rest.split_once('}').unwrap();
            address = format!("{before}x{after}");
        }
        address
    }
}

#[test]
fn what_is_no_event_is_refused_and_what_is_added_is_not() {
    let judge = Judge::new();
    let mut event = document("examples/health.full.json");
    let address = "qliksense/v1/health/sense1";
    let judged = |address: &str, event: &Value| {
        judge.judge(Separator::Slash, address, &event.to_string()).map(str::to_owned)
    };
    assert_eq!(judged(address, &event), Ok("health".to_owned()));
    judged("qliksense/v1/healthy/sense1", &event).unwrap_err();
    judged("qliksense/v1/sessions/sense1/default", &event).unwrap_err();
    judge.judge(Separator::Dot, address, &event.to_string()).unwrap_err();
    judge.judge(Separator::Slash, address, "no JSON").unwrap_err();
    judge.judge(Separator::Slash, "qliksense/v1/status/writer/a", "away").unwrap_err();
    event["data"]["health"]["mem"]["later"] = json!({"x": 1});
    event["traceparent"] = json!("x");
    judged(address, &event).unwrap();
    for (pointer, wrong) in [
        ("/sequence", json!("4711")),
        ("/id", json!("not a ULID")),
        ("/time", json!("2026-11-21 08:15:30")),
        ("/time", json!("2026-13-21T08:15:30.000000000Z")),
        ("/data/server/name", Value::Null),
        ("/data/poll/durationMs", json!(-1)),
        ("/data/health/cpu/total", json!("7")),
        ("/data/health/mem/free", Value::Null),
        ("/data/apps/active/0", json!({"name": "no id"})),
    ] {
        let mut event = event.clone();
        *event.pointer_mut(pointer).unwrap() = wrong;
        judged(address, &event).expect_err(pointer);
    }
    event["data"].as_object_mut().unwrap().remove("server");
    judged(address, &event).unwrap_err();
}
