//! One entity: what Home Assistant is told about a value of a state topic.

use serde_json::{Map, Value, json};

use super::names::slug;

/// Stands where no time is known.
const NO_TIME: &str = "1970-01-01T00:00:00+00:00";

/// What kind of entity it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    /// A number, a text or a time.
    Sensor,
    /// On or off.
    BinarySensor,
}

impl Platform {
    /// Its name in topics, ids and messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::BinarySensor => "binary_sensor",
        }
    }
}

/// When an entity is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Available {
    /// As its device is.
    AsItsDevice,
    /// As long as whoever says so is there.
    WithItsTeller,
    /// The same, once its device was asked.
    OnceAsked,
    /// Always: it says itself who is not there.
    Always,
}

/// An entity of a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entity {
    /// Unlike that of any other entity of the device; letters, digits and `_`.
    pub(super) key: String,
    /// What people see, after the device's name.
    pub(super) name: String,
    pub(super) platform: Platform,
    pub(super) available: Available,
    /// Seconds of silence after which its value is nobody's any more.
    pub(super) expire_after: Option<u64>,
    /// What it is besides: unit, classes, templates.
    traits: Map<String, Value>,
}

impl Entity {
    fn new(platform: Platform, key: &str, name: &str, template: String) -> Self {
        let mut traits = Map::new();
        traits.insert("value_template".to_owned(), Value::String(template));
        Self {
            key: key.to_owned(),
            name: name.to_owned(),
            platform,
            available: Available::AsItsDevice,
            expire_after: None,
            traits,
        }
    }

    /// A number that goes up and down, in a unit of its own.
    pub(super) fn number(key: &str, name: &str, member: &str, unit: &str) -> Self {
        Self::new(Platform::Sensor, key, name, format!("{{{{ {} }}}}", of(member)))
            .with("unit_of_measurement", unit)
            .with("state_class", "measurement")
    }

    /// An amount of memory in MiB.
    pub(super) fn memory(key: &str, name: &str, member: &str) -> Self {
        Self::number(key, name, member, "MiB")
            .with("device_class", "data_size")
            .with("suggested_display_precision", 0)
    }

    /// A counter since the start of what counts.
    pub(super) fn counter(key: &str, name: &str, member: &str, unit: &str) -> Self {
        Self::number(key, name, member, unit).with("state_class", "total_increasing").diagnostic()
    }

    /// A text.
    pub(super) fn text(key: &str, name: &str, member: &str) -> Self {
        Self::new(Platform::Sensor, key, name, format!("{{{{ {} }}}}", of(member))).diagnostic()
    }

    /// A text that has a word for there being none: `unknown` would worry people.
    pub(super) fn text_or(key: &str, name: &str, member: &str, none: &str) -> Self {
        let template = format!("{{{{ {} or '{none}' }}}}", of(member));
        Self::new(Platform::Sensor, key, name, template).diagnostic()
    }

    /// A point in time. Old versions know no word for an unknown one and complain, so it is one that
    /// nobody sees: the entity is not available meanwhile.
    pub(super) fn time(key: &str, name: &str, member: &str) -> Self {
        Self::text_or(key, name, member, NO_TIME).with("device_class", "timestamp")
    }

    /// Something that is or is not; `class` says what that means.
    pub(super) fn flag(key: &str, name: &str, member: &str, class: &str) -> Self {
        Self::binary(key, name, member, class, ("ON", "OFF"))
    }

    /// Trouble when the member is false.
    pub(super) fn trouble_unless(key: &str, name: &str, member: &str) -> Self {
        Self::binary(key, name, member, "problem", ("OFF", "ON"))
    }

    fn binary(key: &str, name: &str, member: &str, class: &str, (yes, no): (&str, &str)) -> Self {
        // `None` is Home Assistant's word for an unknown state.
        let is = of(member);
        let template = format!("{{{{ 'None' if {is} is none else '{yes}' if {is} else '{no}' }}}}");
        Self::new(Platform::BinarySensor, key, name, template).with("device_class", class)
    }

    /// Whether somebody is there, as a topic with the texts `online` and `offline` says.
    pub(super) fn connected(key: &str, name: &str, topic: &str) -> Self {
        let mut entity = Self::new(Platform::BinarySensor, key, name, "{{ value }}".to_owned())
            .with("device_class", "connectivity")
            .with("state_topic", topic)
            .with("payload_on", "online")
            .with("payload_off", "offline");
        entity.available = Available::Always;
        entity
    }

    /// For those who look into it: not among what people see first.
    pub(super) fn diagnostic(self) -> Self {
        self.with("entity_category", "diagnostic")
    }

    /// Of one of Home Assistant's classes of devices.
    pub(super) fn class(self, class: &str) -> Self {
        self.with("device_class", class)
    }

    /// With a picture, where its class has none.
    pub(super) fn icon(self, icon: &str) -> Self {
        self.with("icon", icon)
    }

    /// With whole numbers, or so many decimals.
    pub(super) fn decimals(self, decimals: u8) -> Self {
        self.with("suggested_display_precision", decimals)
    }

    /// With details from the same topic: each attribute is a member.
    pub(super) fn attributes(self, topic: &str, members: &[(&str, &str)]) -> Self {
        let pair = |(name, member): &(&str, &str)| format!("'{name}': {}", of(member));
        let pairs: Vec<String> = members.iter().map(pair).collect();
        let template = format!("{{{{ {{{}}} | tojson }}}}", pairs.join(", "));
        self.with("json_attributes_topic", topic).with("json_attributes_template", template)
    }

    /// Available at other times than its device.
    pub(super) fn available(mut self, available: Available) -> Self {
        self.available = available;
        self
    }

    /// Worth nothing after so many seconds of silence.
    pub(super) fn expires_after(mut self, seconds: Option<u64>) -> Self {
        self.expire_after = seconds;
        self
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.traits.insert(key.to_owned(), value.into());
        self
    }

    /// What both forms of discovery say about it. `device` is the device's name.
    pub(super) fn said(&self, identity: &str, device: &str) -> Map<String, Value> {
        let mut said = self.traits.clone();
        said.insert("name".to_owned(), json!(self.name));
        said.insert("unique_id".to_owned(), json!(format!("{identity}/{}", self.key)));
        if let (Some(device), Some(name)) = (slug(device), slug(&self.name)) {
            let id = format!("{}.{device}_{name}", self.platform.name());
            said.insert("default_entity_id".to_owned(), Value::String(id));
        }
        if let Some(seconds) = self.expire_after {
            said.insert("expire_after".to_owned(), json!(seconds));
        }
        said
    }
}

/// A member of a state topic in a template; null when it is missing, also from a topic that was
/// emptied or is of another version.
fn of(member: &str) -> String {
    format!("(value_json | default({{}})).get('{member}')")
}
