//! The configuration of all programs: one YAML file, the environment over it, every mistake at once.
//!
//! A file written for Butler SOS 15 runs unchanged; Footman's own keys live in sections of their
//! own. The file and the environment are layered, then one reader walks the result with typed
//! getters that record problems, defaults and known keys in one pass. Every program reads the
//! whole file, so that `footman check` says exactly what the programs say.

mod advice;
mod broker;
mod certificates;
mod collector;
mod environment;
mod heartbeat;
mod hosts;
mod influxdb;
mod layers;
mod lines;
mod load;
mod logging;
mod modes;
mod nearest;
mod not_done;
mod pages;
mod places;
mod polling;
mod problem;
mod section;
mod servers;
mod topics;
mod units;
mod usable;
mod used_file;
mod writer;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use broker::{Broker, Embedded, Mqtt, Nats, Transport};
pub use certificates::{Certificates, ClientCertificate, Tls};
pub use collector::{Collector, LEAST_KEY_BYTES, Outbox, UserIds};
pub use environment::environment;
pub use heartbeat::{Heartbeat, UptimeMonitor};
pub use influxdb::{InfluxDb, Retention, RetentionPolicy, Version};
pub use load::{Loaded, check, from_text, load};
pub use logging::{LogLevel, Logging};
pub use nearest::nearest;
pub use pages::{CollectorHttp, Prometheus, WriterHttp};
pub use polling::{AppNames, Discovery, ExcludedUser, Sessions};
pub use problem::{ConfigError, Place, Problem};
pub use servers::{Naming, Server, ServerSessions, ServerTls, Verify};
pub use topics::{HomeAssistant, HomeAssistantDiscovery, PredecessorTopics};
pub use used_file::UsedFile;
pub use writer::{Batch, IncludeFields, Writer};

/// The root of the configuration, which it shares with the predecessor.
const ROOT: &str = "Butler-SOS";

/// Reads a duration as Footman's own sections write them, for programs that take one elsewhere.
/// The error is the form that is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    units::duration(text).ok_or(units::DURATION_FORM)
}

/// Reads a host name or an IP address without a port, and gives it as it stands in a URL: an IPv6
/// address in brackets. None when it is neither.
pub fn parse_host(text: &str) -> Option<String> {
    hosts::host_and_port(text).filter(|found| found.port.is_none()).map(|found| found.host)
}

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

    /// Says whether messages for Home Assistant go where nobody can subscribe.
    fn home_assistant_is_not_heard(&self) -> bool {
        let is_closed = matches!(
            &self.broker.transport,
            Transport::Embedded(embedded) if embedded.mqtt_listener.is_none()
        );
        is_closed && self.collector.home_assistant.is_some()
    }

    /// Says whether several programs beat one heartbeat URL, which hides that one of them is dead.
    pub fn heartbeat_hides_programs(&self) -> bool {
        let parts_have_their_own =
            self.collector.heartbeat.is_some() && self.writer.heartbeat.is_some();
        !self.needs_one_process()
            && !parts_have_their_own
            && self.heartbeat.as_ref().is_some_and(|heartbeat| !heartbeat.names_its_program())
    }
}
