//! What the collector obeys: its own section, and the predecessor's about polling and publishing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::broker::Broker;
use super::certificates::{self, Certificates};
use super::heartbeat::{self, Heartbeat, UptimeMonitor};
use super::pages::{self, CollectorHttp, Prometheus};
use super::polling::{AppNames, Discovery, Sessions, read_repository, read_sessions};
use super::section::Section;
use super::servers::{self, Naming, Server, ServerTls};
use super::topics::{
    HomeAssistant, PredecessorTopics, read_home_assistant, read_predecessor_topics,
};
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
    /// How `collector.servers` has servers verified; those that are discovered by node or host.
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

/// What becomes of user names before anything is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserIds {
    /// They are published as they are.
    Clear,
    /// A keyed hash is published in their place.
    Hmac {
        /// The key of the hash, of [`LEAST_KEY_BYTES`] at least.
        key: Secret,
    },
    /// They are left out.
    Drop,
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

const POLL_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_POLL_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_POLL_TIMEOUT: Duration = Duration::from_mins(10);
const MAX_CONCURRENT_POLLS: u32 = 64;
/// More sockets than this a process rarely has.
const MOST_CONCURRENT_POLLS: u32 = 10_000;
const OUTBOX_DIRECTORY: &str = "./footman-data/outbox";
const OUTBOX_MAX_BYTES: u64 = 1 << 30;
/// Less than this holds not even one event.
const OUTBOX_LEAST_BYTES: u64 = 1 << 20;
const REPLAY_WINDOW: Duration = Duration::from_mins(5);
const LONGEST_REPLAY_WINDOW: Duration = Duration::from_hours(24);

/// The least length of the key that user ids are hashed with: names are few and can be tried, so
/// the key alone keeps them.
pub const LEAST_KEY_BYTES: usize = 16;
/// How such a key is made, for messages.
const KEY_FORM: &str =
    "16 bytes or more, such as the user-id-key that `footman secrets --out DIR` makes";

/// The words for what becomes of user names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserIdsWord {
    Clear,
    Hmac,
    Drop,
}

const USER_IDS: [(&str, UserIdsWord); 3] =
    [("clear", UserIdsWord::Clear), ("hmac", UserIdsWord::Hmac), ("drop", UserIdsWord::Drop)];

/// Reads the section `collector` and all that the collector obeys elsewhere.
pub(super) fn read(
    root: &Section<'_>,
    broker: &Broker,
    uptime_monitor: Option<UptimeMonitor>,
) -> Collector {
    let own = root.own_section("collector");
    let instance = own.optional_text("instance");
    let poll_timeout =
        own.duration("pollTimeout", POLL_TIMEOUT, SHORTEST_POLL_TIMEOUT..=LONGEST_POLL_TIMEOUT);
    let polls = own.number("maxConcurrentPolls", MAX_CONCURRENT_POLLS, 1..=MOST_CONCURRENT_POLLS);
    let sessions = read_sessions(root.section("userSessions"));
    let repository = read_repository(root.section("appNames"), own.own_section("discovery"));
    let said = servers::read_said(&own, repository.discovery.is_some());
    let site = servers::read(root.section("serversToMonitor"), sessions.is_some(), &said.tls);
    let discovery = if let Some(found) = repository.discovery {
        servers::check_namings(&own, &said.namings, &site.servers);
        warn_of_tags(&own, &found, &said.namings, &site.defined_tags);
        Some(Discovery { namings: said.namings, ..found })
    } else {
        servers::check_names(&own, &said.tls, &site.servers);
        None
    };
    let polls_anything =
        !site.servers.is_empty() || repository.app_names.is_some() || discovery.is_some();
    let collector = Collector {
        instance,
        poll_timeout,
        max_concurrent_polls: polls as usize,
        outbox: read_outbox(own.own_section("outbox")),
        certificates: certificates::read(
            root.section("cert"),
            own.own_section("cert"),
            polls_anything,
        ),
        reject_unauthorized: site.reject_unauthorized,
        health_interval: site.interval,
        sessions,
        app_names: repository.app_names,
        servers: site.servers,
        server_tls: said.tls,
        discovery,
        predecessor_topics: read_predecessor_topics(
            root.section("mqttConfig"),
            own.own_section("predecessorTopics"),
        ),
        home_assistant: read_home_assistant(own.own_section("homeAssistant"), broker),
        user_ids: read_user_ids(&own),
        http: pages::read_collector(own.own_section("http")),
        uptime_monitor,
        docker_health_check: pages::read_health_check(root.section("dockerHealthCheck")),
        prometheus: pages::read_prometheus(root.section("prometheus")),
        heartbeat: heartbeat::read(own.own_section("heartbeat")),
    };
    warn_of_short_intervals(&own, &collector);
    own.finish();
    collector
}

fn read_outbox(section: Section<'_>) -> Outbox {
    let outbox = Outbox {
        directory: section.path("directory", OUTBOX_DIRECTORY),
        max_bytes: section.size("maxBytes", OUTBOX_MAX_BYTES, OUTBOX_LEAST_BYTES),
        replay_window: section.duration(
            "replayWindow",
            REPLAY_WINDOW,
            Duration::ZERO..=LONGEST_REPLAY_WINDOW,
        ),
    };
    section.finish();
    outbox
}

fn read_user_ids(own: &Section<'_>) -> UserIds {
    let word = own.one_of("userIds", &USER_IDS, UserIdsWord::Clear, "clear");
    let hashes = word == UserIdsWord::Hmac;
    let key = own.quiet_if(!hashes, |own| own.secret_file("userIdKeyFile"));
    if hashes && !own.is_given("userIdKeyFile") {
        let wrong = "is missing: userIds is hmac, which needs a key";
        own.problem("userIdKeyFile", wrong, Some(KEY_FORM));
    }
    if hashes && let Some(key) = key.as_ref().filter(|key| key.expose().len() < LEAST_KEY_BYTES) {
        let wrong = format!("names a file whose key has {} bytes", key.expose().len());
        own.problem("userIdKeyFile", wrong, Some(KEY_FORM));
    }
    match word {
        UserIdsWord::Clear => UserIds::Clear,
        UserIdsWord::Drop => UserIds::Drop,
        UserIdsWord::Hmac => UserIds::Hmac { key: key.unwrap_or_else(|| Secret::new("")) },
    }
}

/// Compares the tags of discovered servers with those that every server should have.
fn warn_of_tags(
    own: &Section<'_>,
    discovery: &Discovery,
    namings: &BTreeMap<String, Naming>,
    defined: &[String],
) {
    let for_all = discovery.tags.iter().map(|tag| ("discovery", tag));
    let for_one = namings.values().flat_map(|naming| &naming.tags).map(|tag| ("servers", tag));
    for (key, (tag, _)) in for_all.chain(for_one) {
        if !defined.contains(tag) {
            let what = format!("the tag {tag:?} is not in serversToMonitor.serverTagsDefinition");
            own.warn(key, what);
        }
    }
}

/// Says where a poll may not take as long as `pollTimeout`.
fn warn_of_short_intervals(own: &Section<'_>, collector: &Collector) {
    let polls_health = !collector.servers.is_empty() || collector.discovery.is_some();
    let health = polls_health.then_some(collector.health_interval);
    let intervals = [
        ("serversToMonitor.pollingInterval", health),
        ("userSessions.pollingInterval", collector.sessions.as_ref().map(|found| found.interval)),
        ("appNames.extractInterval", collector.app_names.as_ref().map(|found| found.interval)),
    ];
    for (key, interval) in intervals {
        let Some(interval) = interval else { continue };
        let lowered = collector.poll_timeout_at(interval);
        if lowered < collector.poll_timeout {
            let (timeout, interval) = (collector.poll_timeout.as_millis(), interval.as_millis());
            let lowered = lowered.as_millis();
            let what = format!(
                "{timeout} ms is not shorter than the {interval} ms of {key}: \
                 polls on that rhythm may take {lowered} ms"
            );
            own.warn("pollTimeout", what);
        }
    }
}
