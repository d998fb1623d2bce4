//! One device and its entities, in either form of Home Assistant's discovery.
//!
//! Since 2024.11 a device is one message; before that each entity is one, which all versions take.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use shared::config::HomeAssistantDiscovery as Form;

use super::entity::{Available, Entity};
use super::names::level;

/// Who tells of it, as Home Assistant's log has it.
const ORIGIN: &str = "Footman";
/// What a status topic says of a program that is there; Home Assistant's own words too.
const ONLINE: &str = "online";

/// What a state topic says of a server that was asked.
const ASKED_STATES: [&str; 3] = ["ok", "saturated", "failing"];

/// The components of a message, each with its platform: what has to be known to take one back.
pub(super) type Components = BTreeMap<String, String>;

/// A topic whose messages say whether something is available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Availability {
    topic: String,
    /// Makes `online` or `offline` of a message that says it otherwise.
    template: Option<String>,
}

impl Availability {
    /// A topic that says `online` and `offline`.
    pub(super) fn status(topic: String) -> Self {
        Self { topic, template: None }
    }

    /// A state topic: available in these states.
    pub(super) fn in_states(topic: String, states: &[&str]) -> Self {
        let states: Vec<String> = states.iter().map(|state| format!("'{state}'")).collect();
        let states = states.join(", ");
        let template = format!(
            "{{{{ '{ONLINE}' if (value_json | default({{}})).get('state') in [{states}] \
             else 'offline' }}}}"
        );
        Self { topic, template: Some(template) }
    }

    fn said(&self) -> Value {
        match &self.template {
            None => json!({ "topic": self.topic }),
            Some(template) => json!({ "topic": self.topic, "value_template": template }),
        }
    }
}

/// A device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Device {
    /// Unlike that of any device of any site: its state topic.
    pub(super) identity: String,
    /// The levels of its topic below the form's own.
    pub(super) place: [String; 2],
    pub(super) name: String,
    pub(super) manufacturer: &'static str,
    pub(super) model: String,
    pub(super) version: Option<String>,
    /// Who tells of it: any of these being online is enough.
    pub(super) tellers: Vec<Availability>,
    /// Whether the device itself is there; all of this must be, and one of the tellers.
    pub(super) available: Option<Availability>,
    pub(super) entities: Vec<Entity>,
}

/// A message of discovery, retained.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) components: Components,
    said: Map<String, Value>,
}

impl Message {
    /// Its payload; in the device form, `dropped` components are taken back.
    pub(super) fn payload(&self, dropped: &Components) -> Vec<u8> {
        let mut said = self.said.clone();
        if let Some(Value::Object(components)) = said.get_mut("components") {
            for (key, platform) in dropped {
                // A platform without anything else takes a component back; left out, it would stay
                // in Home Assistant without a value.
                components.entry(key).or_insert_with(|| json!({ "platform": platform }));
            }
        }
        Value::Object(said).to_string().into_bytes()
    }
}

impl Device {
    /// The messages that announce it.
    pub(super) fn messages(&self, prefix: &str, form: Form) -> Vec<Message> {
        match form {
            Form::Device => vec![self.as_device(prefix)],
            Form::Component => {
                self.entities.iter().map(|entity| self.as_component(prefix, entity)).collect()
            }
        }
    }

    fn as_device(&self, prefix: &str) -> Message {
        let [site, node] = &self.place;
        let mut said = self.shared();
        self.put_availability(&mut said, Available::AsItsDevice);
        said.insert("state_topic".to_owned(), json!(self.identity));
        let mut components = Map::new();
        for entity in &self.entities {
            let mut component = entity.said(&self.identity, &self.name);
            component.insert("platform".to_owned(), json!(entity.platform.name()));
            // What stands in the component goes before what the device says.
            if entity.available != Available::AsItsDevice {
                self.put_availability(&mut component, entity.available);
            }
            components.insert(entity.key.clone(), Value::Object(component));
        }
        said.insert("components".to_owned(), Value::Object(components));
        let platform = |entity: &Entity| (entity.key.clone(), entity.platform.name().to_owned());
        Message {
            topic: format!("{prefix}/device/{site}/{node}/config"),
            components: self.entities.iter().map(platform).collect(),
            said,
        }
    }

    fn as_component(&self, prefix: &str, entity: &Entity) -> Message {
        let node = level(&self.place.join("/"));
        let mut said = self.shared();
        said.insert("state_topic".to_owned(), json!(self.identity));
        said.append(&mut entity.said(&self.identity, &self.name));
        self.put_availability(&mut said, entity.available);
        let (platform, key) = (entity.platform.name(), &entity.key);
        Message {
            topic: format!("{prefix}/{platform}/{node}/{key}/config"),
            components: Components::new(),
            said,
        }
    }

    /// What stands in every message.
    fn shared(&self) -> Map<String, Value> {
        let mut device = json!({
            "identifiers": [self.identity],
            "name": self.name,
            "manufacturer": self.manufacturer,
            "model": self.model,
        });
        if let (Some(version), Value::Object(device)) = (&self.version, &mut device) {
            device.insert("sw_version".to_owned(), json!(version));
        }
        let origin = json!({ "name": ORIGIN, "sw_version": env!("CARGO_PKG_VERSION") });
        Map::from_iter([("device".to_owned(), device), ("origin".to_owned(), origin)])
    }

    /// Availability is one list with one mode, so a device that is there or not has one teller.
    fn put_availability(&self, said: &mut Map<String, Value>, available: Available) {
        let mut list: Vec<Value> = Vec::new();
        if available != Available::Always {
            list.extend(self.tellers.iter().map(Availability::said));
        }
        let mut mode = "any";
        if available == Available::AsItsDevice
            && let Some(itself) = &self.available
        {
            list.push(itself.said());
            mode = "all";
        }
        if available == Available::OnceAsked {
            list.push(Availability::in_states(self.identity.clone(), &ASKED_STATES).said());
            mode = "all";
        }
        // An empty list is said too: it goes before what the device says.
        said.insert("availability".to_owned(), Value::Array(list));
        said.insert("availability_mode".to_owned(), json!(mode));
    }
}
