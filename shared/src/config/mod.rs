//! The configuration of all programs: one YAML file, the environment over it, every mistake at once.
//!
//! A file written for Butler SOS 15 runs unchanged; Footman's own keys live in sections of their
//! own. The file and the environment are layered, then one reader walks the result with typed
//! getters that record problems, defaults and known keys in one pass. Every program reads the
//! whole file, so that `footman check` says exactly what the programs say.

mod broker;
mod certificates;
mod collector;
mod environment;
mod heartbeat;
mod influxdb;
mod load;
mod logging;
mod problem;
mod servers;
mod writer;

use std::time::Duration;

pub use broker::{Broker, Embedded, Mqtt, Nats, Transport};
pub use certificates::{Certificates, ClientCertificate, Tls};
pub use collector::{
    Collector, CollectorHttp, Discovery, HomeAssistant, HomeAssistantDiscovery, Outbox,
    PredecessorTopics, Prometheus, UserIds,
};
pub use environment::environment;
pub use heartbeat::{Heartbeat, UptimeMonitor};
pub use influxdb::{InfluxDb, Retention, RetentionPolicy, Version};
pub use load::{Loaded, from_text, load};
pub use logging::{LogLevel, Logging};
pub use problem::{ConfigError, Place, Problem};
pub use servers::{AppNames, ExcludedUser, Server, ServerSessions, ServerTls, Sessions, Verify};
pub use writer::{Batch, IncludeFields, Writer, WriterHttp};

/// Everything the programs obey.
#[derive(Debug, Clone)]
pub struct Config {
    /// What each program logs.
    pub logging: Logging,
    /// The beats of each program; none when they are off.
    pub heartbeat: Option<Heartbeat>,
    /// The broker between the parts.
    pub broker: Broker,
    /// Polling and publishing.
    pub collector: Collector,
    /// Consuming and storing.
    pub writer: Writer,
    /// How long a drain may take.
    pub shutdown_grace: Duration,
}

impl Config {
    /// Says whether collector and writer must share a process, as the embedded broker demands.
    pub fn needs_one_process(&self) -> bool {
        matches!(self.broker.transport, Transport::Embedded(_))
    }
}
