//! The broker between collector and writers: which one, where, and how much it keeps.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::certificates::{Tls, read_tls};
use super::section::Section;
use crate::secret::Secret;

/// The section `broker`.
#[derive(Debug, Clone)]
pub struct Broker {
    /// The first part of every subject.
    pub topic_prefix: String,
    /// The broker itself.
    pub transport: Transport,
    /// How much the dead letters may take.
    pub dead_letters_max_bytes: u64,
}

/// Which broker carries the events.
#[derive(Debug, Clone)]
pub enum Transport {
    /// A queue on disk inside one process.
    Embedded(Embedded),
    /// NATS with JetStream.
    Nats(Nats),
    /// An MQTT 5 broker.
    Mqtt(Mqtt),
}

impl Broker {
    /// How to speak TLS with it, if there is anybody to speak with.
    pub fn tls(&self) -> Option<&Tls> {
        match &self.transport {
            Transport::Embedded(_) => None,
            Transport::Nats(nats) => Some(&nats.tls),
            Transport::Mqtt(mqtt) => Some(&mqtt.tls),
        }
    }
}

/// The queue inside the process.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Where the queue lies.
    pub directory: PathBuf,
    /// How much it may take.
    pub max_bytes: u64,
    /// How long it keeps what nobody has acked.
    pub max_age: Duration,
    /// Where MQTT clients may subscribe; nowhere when none.
    pub mqtt_listener: Option<SocketAddr>,
}

/// A NATS server or cluster.
#[derive(Debug, Clone)]
pub struct Nats {
    /// The servers, in the order of the file.
    pub servers: Vec<Url>,
    /// The stream of the events.
    pub stream: String,
    /// How many servers keep a copy of it.
    pub replicas: usize,
    /// How long it keeps what nobody has acked.
    pub max_age: Duration,
    /// How much it may take.
    pub max_bytes: u64,
    /// Who we are.
    pub username: Option<String>,
    /// How we prove it.
    pub password: Option<Secret>,
    /// The credentials file of a decentralised set-up.
    pub credentials_file: Option<PathBuf>,
    /// How to speak TLS.
    pub tls: Tls,
}

/// An MQTT broker.
#[derive(Debug, Clone)]
pub struct Mqtt {
    /// `mqtt://` or `mqtts://`, host and port.
    pub url: Url,
    /// Who we are.
    pub username: Option<String>,
    /// How we prove it.
    pub password: Option<Secret>,
    /// How to speak TLS.
    pub tls: Tls,
    /// The consumer groups that must have a slot before anything is published.
    pub groups: Vec<String>,
    /// How many persistent sessions a group has.
    pub consumer_slots: u16,
    /// How long the broker keeps a session nobody is connected to.
    pub session_expiry: Duration,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const TOPIC_PREFIX: &str = "qliksense";
/// The longest prefix: it is part of every subject.
const LONGEST_PREFIX: usize = 100;
const DATA_DIRECTORY: &str = "./footman-data";
const MAX_AGE: Duration = Duration::from_hours(24 * 7);
/// No broker keeps anything for longer than ten years.
const LONGEST_AGE: Duration = Duration::from_hours(24 * 3_660);
const EMBEDDED_MAX_BYTES: u64 = GIB;
const NATS_SERVER: &str = "nats://127.0.0.1:4222";
const NATS_STREAM: &str = "QLIKSENSE";
const NATS_MAX_BYTES: u64 = 10 * GIB;
/// JetStream keeps up to five copies.
const MOST_REPLICAS: u32 = 5;
const MQTT_URL: &str = "mqtt://127.0.0.1:1883";
const GROUP: &str = "influxdb";
const CONSUMER_SLOTS: u32 = 4;
/// Each slot is a session at the broker, and each writer owns at least one.
const MOST_CONSUMER_SLOTS: u32 = 256;
const SESSION_EXPIRY: Duration = MAX_AGE;
const DEAD_LETTERS_MAX_BYTES: u64 = 256 * MIB;
/// Less than this holds not even one event.
const LEAST_BYTES: u64 = MIB;

/// The brokers that `broker.type` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Embedded,
    Nats,
    Mqtt,
}

const KINDS: [(&str, Kind); 3] =
    [("embedded", Kind::Embedded), ("nats", Kind::Nats), ("mqtt", Kind::Mqtt)];

/// The form of the name of a consumer group, for messages.
pub(super) const GROUP_FORM: &str = "letters, digits, _ and -";

/// Says whether a text is a single token of a subject as it stands.
pub(super) fn is_token(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !text.is_empty() && text.len() <= LONGEST_PREFIX && text.chars().all(plain)
}

/// Reads the section `broker`; only the broker that is chosen has effect.
pub(super) fn read(section: Section<'_>) -> Broker {
    let kind = section.one_of("type", &KINDS, Kind::Embedded, "embedded");
    let topic_prefix = section.text_of(
        "topicPrefix",
        TOPIC_PREFIX,
        |text| text.len() <= LONGEST_PREFIX && text.split('/').all(is_token),
        "letters, digits, _ and -, in levels separated by /",
    );
    let embedded = section.own_section("embedded").quiet_unless(kind == Kind::Embedded);
    let nats = section.own_section("nats").quiet_unless(kind == Kind::Nats);
    let mqtt = section.own_section("mqtt").quiet_unless(kind == Kind::Mqtt);
    let (embedded, nats, mqtt) = (read_embedded(embedded), read_nats(nats), read_mqtt(mqtt));
    let dead_letters = section.own_section("deadLetters");
    let dead_letters_max_bytes = dead_letters.size("maxBytes", DEAD_LETTERS_MAX_BYTES, LEAST_BYTES);
    dead_letters.finish();
    for (key, is_chosen) in [
        ("embedded", kind == Kind::Embedded),
        ("nats", kind == Kind::Nats),
        ("mqtt", kind == Kind::Mqtt),
    ] {
        if !is_chosen {
            section.warn_without_effect(key, "broker.type names another broker");
        }
    }
    section.finish();
    let transport = match (kind, mqtt) {
        (Kind::Nats, _) => Transport::Nats(nats),
        (Kind::Mqtt, Some(mqtt)) => Transport::Mqtt(mqtt),
        // Without a URL, the mistake is recorded already.
        (Kind::Embedded, _) | (Kind::Mqtt, None) => Transport::Embedded(embedded),
    };
    Broker { topic_prefix, transport, dead_letters_max_bytes }
}

fn read_embedded(section: Section<'_>) -> Embedded {
    let embedded = Embedded {
        directory: section.path("directory", DATA_DIRECTORY),
        max_bytes: section.size("maxBytes", EMBEDDED_MAX_BYTES, LEAST_BYTES),
        max_age: max_age(&section),
        mqtt_listener: section.optional_listen("mqttListener"),
    };
    if let Some(listener) = embedded.mqtt_listener.filter(|found| !found.ip().is_loopback()) {
        let what = format!(
            "{listener} can be reached from elsewhere: whoever reaches it subscribes without a \
             password to all events, the names of users among them"
        );
        section.warn("mqttListener", what);
    }
    section.finish();
    embedded
}

fn read_nats(section: Section<'_>) -> Nats {
    let texts = section.texts("servers", &[NATS_SERVER]);
    if texts.is_empty() {
        section.problem("servers", "is empty", Some("at least one server"));
    }
    let servers = texts.iter().enumerate();
    let servers = servers
        .filter_map(|(index, text)| section.url_at("servers", index, text, &["nats", "tls"]))
        .collect();
    let stream = section.text_of("stream", NATS_STREAM, is_token, "letters, digits, _ and -");
    let replicas = section.number("replicas", 1, 1..=MOST_REPLICAS);
    warn_of_repetitions(&section, "servers", &texts);
    if replicas.is_multiple_of(2) {
        let odd = replicas - 1;
        let what = format!(
            "{replicas} copies survive the loss of no more servers than {odd}: publishing needs \
             more than half of them; write {odd} or {}",
            replicas + 1
        );
        section.warn("replicas", what);
    }
    let nats = Nats {
        servers,
        stream,
        replicas: replicas as usize,
        max_age: max_age(&section),
        max_bytes: section.size("maxBytes", NATS_MAX_BYTES, LEAST_BYTES),
        username: section.optional_text("username"),
        password: section.secret("password"),
        credentials_file: section.optional_private_file("credentialsFile"),
        tls: read_tls(section.own_section("tls")),
    };
    password_needs_username(&section, nats.username.as_ref(), nats.password.as_ref());
    if nats.credentials_file.is_some() && nats.username.is_some() {
        let wrong = "is given, and so is username; only one may be";
        section.problem(
            "credentialsFile",
            wrong,
            Some("credentialsFile, or username and password"),
        );
    }
    section.finish();
    nats
}

fn read_mqtt(section: Section<'_>) -> Option<Mqtt> {
    let url = section.url("url", MQTT_URL, &["mqtt", "mqtts"]);
    let username = section.optional_text("username");
    let password = section.secret("password");
    password_needs_username(&section, username.as_ref(), password.as_ref());
    let tls = read_tls(section.own_section("tls"));
    if tls.is_set() && url.as_ref().is_some_and(|url| url.scheme() == "mqtt") {
        section.warn("tls", "has no effect with an mqtt:// URL; write mqtts:// to speak TLS");
    }
    let groups = section.texts("groups", &[GROUP]);
    if groups.is_empty() {
        section.problem("groups", "is empty", Some("at least one consumer group"));
    }
    for (index, group) in groups.iter().enumerate() {
        if !is_token(group) {
            section.problem_at("groups", index, format!("{group:?} is not allowed"), GROUP_FORM);
        }
    }
    warn_of_repetitions(&section, "groups", &groups);
    let slots = section.number("consumerSlots", CONSUMER_SLOTS, 1..=MOST_CONSUMER_SLOTS);
    let consumer_slots = u16::try_from(slots).unwrap_or(u16::MAX);
    let session_expiry =
        section.duration("sessionExpiry", SESSION_EXPIRY, Duration::from_mins(1)..=LONGEST_AGE);
    section.finish();
    Some(Mqtt { url: url?, username, password, tls, groups, consumer_slots, session_expiry })
}

fn max_age(section: &Section<'_>) -> Duration {
    section.duration("maxAge", MAX_AGE, Duration::from_mins(1)..=LONGEST_AGE)
}

/// Finds what a list names twice.
fn warn_of_repetitions(section: &Section<'_>, key: &'static str, texts: &[String]) {
    for (index, text) in texts.iter().enumerate() {
        if texts.iter().take(index).any(|before| before == text) {
            section.warn_at(key, index, "is listed twice".to_owned());
        }
    }
}

/// A password alone is never asked for.
pub(super) fn password_needs_username(
    section: &Section<'_>,
    username: Option<&String>,
    password: Option<&Secret>,
) {
    if password.is_some() && username.is_none() {
        section.problem("username", "is missing: a password needs its username", None);
    }
}
