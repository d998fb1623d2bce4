//! What is published for others than the writers: the predecessor's topics, and Home Assistant.

use url::Url;

use super::broker::password_needs_username;
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

/// What Home Assistant is told about the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistant {
    /// The first part of the topics of its discovery.
    pub discovery_prefix: String,
    /// The page that a device links to.
    pub url: Option<Url>,
    /// The form of the discovery messages.
    pub discovery: HomeAssistantDiscovery,
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
pub(super) fn read_home_assistant(section: Section<'_>) -> Option<HomeAssistant> {
    let enabled = section.flag("enable", false);
    let section = section.quiet_unless(enabled);
    let found = HomeAssistant {
        discovery_prefix: section.text_of(
            "discoveryPrefix",
            DISCOVERY_PREFIX,
            |text| !text.is_empty() && is_topic(text),
            TOPIC_FORM,
        ),
        url: section.optional_url("url", &["http", "https"]),
        discovery: section.one_of("discovery", &FORMS, HomeAssistantDiscovery::Device, "device"),
    };
    section.finish();
    enabled.then_some(found)
}

fn is_topic(text: &str) -> bool {
    !text.contains(['+', '#', '\0'])
}
