//! What is published for others than the writers: the predecessor's topics, and Home Assistant.

use url::Url;

use super::broker::{Broker, Transport, password_needs_username};
use super::certificates::{Tls, read_tls};
use super::section::Section;
use crate::secret::Secret;

/// The broker and the topics of `mqttConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredecessorTopics {
    /// The broker's host, without brackets around an IPv6 address.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// The first part of the topics, as written.
    pub base_topic: String,
    /// Who we are.
    pub username: Option<String>,
    /// How we prove it.
    pub password: Option<Secret>,
    /// How to speak TLS; it is spoken when any of its keys is set.
    pub tls: Tls,
}

/// What Home Assistant is told about the site, and through which broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistant {
    /// The first part of the topics of its discovery.
    pub discovery_prefix: String,
    /// The form of the discovery messages.
    pub discovery: HomeAssistantDiscovery,
    /// The MQTT broker that Home Assistant listens to; none when it is that of the events.
    pub broker: Option<HomeAssistantBroker>,
}

/// An MQTT broker beside that of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistantBroker {
    /// `mqtt://` or `mqtts://`, host and port.
    pub url: Url,
    /// Who we are.
    pub username: Option<String>,
    /// How we prove it.
    pub password: Option<Secret>,
    /// How to speak TLS.
    pub tls: Tls,
}

/// The two forms of Home Assistant's discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomeAssistantDiscovery {
    /// One message per device.
    Device,
    /// One message per entity, for older versions.
    Component,
}

const MQTT_PORT: u16 = 1883;
const BASE_TOPIC: &str = "butler-sos/";
const DISCOVERY_PREFIX: &str = "homeassistant";
const FORMS: [(&str, HomeAssistantDiscovery); 2] =
    [("device", HomeAssistantDiscovery::Device), ("component", HomeAssistantDiscovery::Component)];
/// The form of the prefix of discovery, for messages.
const PREFIX_FORM: &str = "a topic without +, # and null characters, and without / at its ends";
/// What has to be written where the events go over NATS, for messages.
const NATS_URL_FORM: &str = "mqtt://host:port of the broker that Home Assistant listens to, such as \
                             nats-server with `mqtt { port: 1883 }` in its configuration";
/// The form of a topic, for messages.
const TOPIC_FORM: &str = "a topic without +, # and null characters";

/// Reads `mqttConfig` and `collector.predecessorTopics`.
pub(super) fn read_predecessor_topics(
    section: Section<'_>,
    own: Section<'_>,
) -> Option<PredecessorTopics> {
    let enabled = section.switch("enable", false);
    let section = section.quiet_unless(enabled);
    let own = own.quiet_unless(enabled);
    let host = section.required_bare_host("brokerHost");
    let port = section.port("brokerPort", MQTT_PORT);
    let base_topic = section.text_of("baseTopic", BASE_TOPIC, is_topic, TOPIC_FORM);
    section.finish();
    let username = own.optional_text("username");
    let password = own.secret("password");
    password_needs_username(&own, username.as_ref(), password.as_ref());
    let tls = read_tls(own.own_section("tls"));
    own.finish();
    let host = host.filter(|_| enabled)?.bare().to_owned();
    Some(PredecessorTopics { host, port, base_topic, username, password, tls })
}

/// Reads `collector.homeAssistant`.
pub(super) fn read_home_assistant(section: Section<'_>, events: &Broker) -> Option<HomeAssistant> {
    let enabled = section.flag("enable", false);
    let section = section.quiet_unless(enabled);
    let discovery_prefix =
        section.text_of("discoveryPrefix", DISCOVERY_PREFIX, is_discovery_prefix, PREFIX_FORM);
    let discovery = section.one_of("discovery", &FORMS, HomeAssistantDiscovery::Device, "device");
    let broker = read_home_assistant_broker(&section);
    if broker.is_none() && !section.is_given("url") {
        needs_a_broker(&section, &events.transport);
    }
    section.finish();
    enabled.then_some(HomeAssistant { discovery_prefix, discovery, broker })
}

fn read_home_assistant_broker(section: &Section<'_>) -> Option<HomeAssistantBroker> {
    let url = section.optional_url("url", &["mqtt", "mqtts"]);
    let username = section.optional_text("username");
    let password = section.secret("password");
    password_needs_username(section, username.as_ref(), password.as_ref());
    let tls = read_tls(section.own_section("tls"));
    if tls.is_set() && url.as_ref().is_some_and(|url| url.scheme() == "mqtt") {
        section.warn("tls", "has no effect with an mqtt:// URL; write mqtts:// to speak TLS");
    }
    if !section.is_given("url") {
        let why = "url is null: the broker of the events has its own keys";
        for (key, is_set) in [
            ("username", username.is_some()),
            ("password", password.is_some()),
            ("tls", tls.is_set()),
        ] {
            if is_set {
                section.warn_without_effect(key, why);
            }
        }
    }
    Some(HomeAssistantBroker { url: url?, username, password, tls })
}

/// Home Assistant speaks MQTT alone, and not every broker of events does.
fn needs_a_broker(section: &Section<'_>, events: &Transport) {
    match events {
        Transport::Mqtt(_) => {}
        Transport::Nats(_) => {
            let wrong = "is missing: broker.type is nats, and Home Assistant speaks MQTT";
            section.problem("url", wrong, Some(NATS_URL_FORM));
        }
        Transport::Embedded(embedded) => {
            if embedded.mqtt_listener.is_none() {
                let what = "is null, and so is broker.embedded.mqttListener: nobody can subscribe \
                            to the embedded broker, and Home Assistant hears nothing";
                section.warn("url", what);
            }
        }
    }
}

/// Levels without a name would be others than those that Home Assistant subscribes to.
fn is_discovery_prefix(text: &str) -> bool {
    is_topic(text) && text.split('/').all(|level| !level.is_empty())
}

fn is_topic(text: &str) -> bool {
    !text.contains(['+', '#', '\0'])
}
