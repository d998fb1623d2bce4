//! What the collector obeys: its own section, and the predecessor's about polling and publishing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::certificates::{Certificates, Tls};
use super::heartbeat::{Heartbeat, UptimeMonitor};
use super::servers::{AppNames, Server, ServerTls, Sessions};
use crate::secret::Secret;

/// Everything about polling and publishing.
#[derive(Debug, Clone)]
pub struct Collector {
    /// The name among several collectors; the host's when none.
    pub instance: Option<String>,
    /// How long a poll may take; see [`Collector::poll_timeout_at`].
    pub poll_timeout: Duration,
    /// How many requests may be open at once.
    pub max_concurrent_polls: usize,
    /// Where events wait for the broker.
    pub outbox: Outbox,
    /// The site's client certificate; none when nothing is polled.
    pub certificates: Option<Certificates>,
    /// False when no certificate of the site is verified.
    pub reject_unauthorized: bool,
    /// How often each engine is polled.
    pub health_interval: Duration,
    /// How sessions are polled; none when they are off.
    pub sessions: Option<Sessions>,
    /// How app names are polled; none when they are off.
    pub app_names: Option<AppNames>,
    /// The servers, in the order of the file.
    pub servers: Vec<Server>,
    /// `collector.servers`, by server name.
    pub server_tls: BTreeMap<String, ServerTls>,
    /// How servers are found; none when they are all in the file.
    pub discovery: Option<Discovery>,
    /// The topics of the predecessor; none when they are off.
    pub predecessor_topics: Option<PredecessorTopics>,
    /// What Home Assistant is told; none when it is off.
    pub home_assistant: Option<HomeAssistant>,
    /// What becomes of user names before anything is published.
    pub user_ids: UserIds,
    /// The collector's own pages.
    pub http: CollectorHttp,
    /// When the collector reports its memory; none when it is off.
    pub uptime_monitor: Option<UptimeMonitor>,
    /// The port of the health check of containers; none when it is off.
    pub docker_health_check: Option<u16>,
    /// The predecessor's metrics for Prometheus; none when they are off.
    pub prometheus: Option<Prometheus>,
    /// Beats of the collector alone.
    pub heartbeat: Option<Heartbeat>,
}

/// The store in which events wait for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Where it lies.
    pub directory: PathBuf,
    /// How much it may take.
    pub max_bytes: u64,
    /// How long confirmed events stay, in case the broker goes back in time.
    pub replay_window: Duration,
}

/// How servers are found by asking the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// How often the repository is asked.
    pub interval: Duration,
    /// Names and hosts that are left out.
    pub exclude: Vec<String>,
    /// Tags of every server that is found, in the order of the file.
    pub tags: Vec<(String, String)>,
    /// The repository's host, without the port.
    pub host: String,
    /// The repository's port.
    pub port: u16,
}

/// The broker and the topics of `mqttConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredecessorTopics {
    /// The broker's host.
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

/// What becomes of user names before anything is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserIds {
    /// They are published as they are.
    Clear,
    /// A keyed hash is published in their place.
    Hmac {
        /// The key of the hash.
        key: Secret,
    },
    /// They are left out.
    Drop,
}

/// The collector's own pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorHttp {
    /// Where they are served.
    pub listen: SocketAddr,
    /// The argon2id hash of the password of `/` and `/api/state`.
    pub password_hash: Option<Secret>,
    /// Whether they show user names.
    pub show_users: bool,
}

/// Where the predecessor's metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// The host to listen on.
    pub host: String,
    /// The port to listen on.
    pub port: u16,
}

/// What part of an interval a poll may take when the interval is not longer than the timeout.
const POLL_TIMEOUT_TENTHS: u32 = 9;

impl Collector {
    /// How long a poll may take on a rhythm: the timeout, or nine tenths of an interval that is
    /// not longer than it.
    pub fn poll_timeout_at(&self, interval: Duration) -> Duration {
        if interval > self.poll_timeout {
            self.poll_timeout
        } else {
            interval * POLL_TIMEOUT_TENTHS / 10
        }
    }
}
