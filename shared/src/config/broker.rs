//! The broker between collector and writers: which one, where, and how much it keeps.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::certificates::Tls;
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
