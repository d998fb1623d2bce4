//! What the writer obeys: its own section, and the predecessor's about storing.

use std::path::PathBuf;
use std::time::Duration;

use super::broker::{Broker, GROUP_FORM, Transport, is_token};
use super::heartbeat::{self, Heartbeat};
use super::influxdb::{self, InfluxDb};
use super::pages::{self, WriterHttp};
use super::section::Section;

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

const GROUP: &str = "influxdb";
const MAX_POINTS: u32 = 5_000;
/// Larger requests InfluxDB refuses.
const MOST_POINTS: u32 = 100_000;
const MAX_AGE: Duration = Duration::from_secs(1);
const SHORTEST_AGE: Duration = Duration::from_millis(1);
const LONGEST_AGE: Duration = Duration::from_mins(5);
const MAX_REQUESTS_IN_FLIGHT: u32 = 4;
const MOST_REQUESTS_IN_FLIGHT: u32 = 64;
const ERRORS_MEASUREMENT: &str = "butler_sos_errors";

/// Reads the section `writer` and all that the writer obeys elsewhere.
pub(super) fn read(
    root: &Section<'_>,
    broker: &Broker,
    app_names_enabled: bool,
    memory_usage_instance: Option<String>,
) -> Writer {
    let own = root.own_section("writer");
    let consumer_group = own.text_of("consumerGroup", GROUP, is_token, GROUP_FORM);
    if let Transport::Mqtt(mqtt) = &broker.transport
        && !mqtt.groups.contains(&consumer_group)
    {
        let what = format!("{consumer_group:?} is not in broker.mqtt.groups, nobody waits for it");
        own.warn("consumerGroup", what);
    }
    let batch = own.own_section("batch");
    let points = batch.number("maxPoints", MAX_POINTS, 1..=MOST_POINTS);
    let max_age = batch.duration("maxAge", MAX_AGE, SHORTEST_AGE..=LONGEST_AGE);
    batch.finish();
    let requests =
        own.number("maxRequestsInFlight", MAX_REQUESTS_IN_FLIGHT, 1..=MOST_REQUESTS_IN_FLIGHT);
    let storing = influxdb::read(root.section("influxdbConfig"), own.own_section("influxdb"));
    let line_protocol_file = own.optional_text("lineProtocolFile").map(PathBuf::from);
    if storing.influxdb.is_some() && line_protocol_file.is_some() {
        own.warn("lineProtocolFile", "has no effect: influxdbConfig is enabled");
    }
    let writer = Writer {
        instance: own.optional_text("instance"),
        consumer_group,
        batch: Batch { max_points: points as usize, max_age },
        max_requests_in_flight: requests as usize,
        influxdb: storing.influxdb,
        include_fields: storing.include_fields,
        app_names_enabled,
        failed_polls: read_failed_polls(root.section("errorTracking")),
        memory_usage_instance,
        session_details: own.flag("sessionDetails", true),
        line_protocol_file,
        http: pages::read_writer(own.own_section("http")),
        heartbeat: heartbeat::read(own.own_section("heartbeat")),
    };
    own.finish();
    writer
}

/// Reads `errorTracking`: where failed polls are stored, if they are.
fn read_failed_polls(section: Section<'_>) -> Option<String> {
    let enabled = section.switch("enable", true);
    let section = section.quiet_unless(enabled);
    // The predecessor's daily summary: Footman logs and counts failures as they happen.
    let summary = section.section("logSummary");
    summary.flag("enable", true);
    summary.finish();
    let stored = section.section("influxdb");
    let is_stored = stored.switch("enable", true);
    let stored = stored.quiet_unless(is_stored);
    let measurement = stored.text_of(
        "measurementName",
        ERRORS_MEASUREMENT,
        |name| !name.trim().is_empty(),
        "the name of a measurement",
    );
    stored.finish();
    section.finish();
    (enabled && is_stored).then_some(measurement)
}
