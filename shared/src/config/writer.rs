//! What the writer obeys: its own section, and the predecessor's about storing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::heartbeat::Heartbeat;
use super::influxdb::InfluxDb;

/// Everything about consuming and storing.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The name among several writers; made from the host's when none.
    pub instance: Option<String>,
    /// The group whose events this writer shares.
    pub consumer_group: String,
    /// When a batch is flushed.
    pub batch: Batch,
    /// How many batches may be on their way to InfluxDB at once.
    pub max_requests_in_flight: usize,
    /// Where points are stored; none when `influxdbConfig` is not enabled.
    pub influxdb: Option<InfluxDb>,
    /// Which lists of apps are stored.
    pub include_fields: IncludeFields,
    /// Whether the names of apps are stored beside their ids.
    pub app_names_enabled: bool,
    /// The measurement of failed polls; none when they are not stored.
    pub failed_polls: Option<String>,
    /// The `butler_sos_instance` tag of the memory points; none when they are not stored.
    pub memory_usage_instance: Option<String>,
    /// Whether each session is stored as a point of its own.
    pub session_details: bool,
    /// Where points go when InfluxDB is not enabled.
    pub line_protocol_file: Option<PathBuf>,
    /// The writer's own pages.
    pub http: WriterHttp,
    /// Beats of the writer alone.
    pub heartbeat: Option<Heartbeat>,
}

/// When a batch is flushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// With this many points at the latest.
    pub max_points: usize,
    /// At this age at the latest.
    pub max_age: Duration,
}

/// Which lists of apps are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncludeFields {
    /// Apps with a user in them.
    pub active: bool,
    /// Apps that are open.
    pub loaded: bool,
    /// Apps that are in memory.
    pub in_memory: bool,
}

/// The writer's own pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterHttp {
    /// Where they are served; without the key, the first free port from the default on.
    pub listen: SocketAddr,
    /// True when the address is the default one, which may move to the next free port.
    pub may_move: bool,
}
