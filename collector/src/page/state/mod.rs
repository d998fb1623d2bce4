//! What the page shows, as `GET /api/state` writes it. `docs/live-page.md` explains every member.
//!
//! Pure: made from what the site said last, the programs' heartbeats and this program's counters.
//! Members are only ever added, and each is always there, `null` where nothing is known.

mod pipeline;
mod servers;
mod summary;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use shared::timestamp::Timestamp;

pub(super) use pipeline::{Own, pipeline, programs};
pub(super) use servers::{Showing, endpoint_trouble, server};
pub(super) use summary::summary;

/// The site and its pipeline at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageState {
    /// The moment.
    pub(super) time: Timestamp,
    /// Whose page it is.
    pub(super) program: ProgramName,
    /// The site in one sentence.
    pub(super) summary: Summary,
    /// The servers, those with trouble first, otherwise in the site's order.
    pub(super) servers: Vec<ServerRow>,
    /// The repository that tells the names of apps, where they are extracted.
    pub(super) repository: Option<RepositoryRow>,
    /// What flows from polls to InfluxDB.
    pub(super) pipeline: Pipeline,
    /// Whether every dependency of this program is up.
    pub(super) ready: bool,
    /// The dependencies of this program.
    pub(super) dependencies: Vec<DependencyRow>,
    /// Every program whose heartbeat was seen.
    pub(super) programs: Vec<ProgramRow>,
}

/// Whose page it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ProgramName {
    pub(super) process: String,
    pub(super) instance: String,
    pub(super) version: String,
}

/// How good or bad something is: its colour, and its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// All is well.
    Good,
    /// Nothing is known yet.
    Idle,
    /// Somebody should look, today.
    Warn,
    /// Somebody should look now.
    Bad,
}

impl Level {
    /// Its name in JSON, classes and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Idle => "idle",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The site in one sentence, and how many servers are how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) level: Level,
    /// For people.
    pub(super) words: String,
    /// For the title of a window, which is short.
    pub(super) title: String,
    /// What is wrong besides the servers, each in a sentence.
    pub(super) besides: Vec<String>,
    pub(super) servers: usize,
    pub(super) ok: usize,
    pub(super) failing: usize,
    /// Their engine answers, another endpoint of theirs does not.
    pub(super) partly: usize,
    pub(super) saturated: usize,
    pub(super) unknown: usize,
}

/// How a server is, by its last health poll; as its state topic says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    Saturated,
    Failing,
    Unknown,
}

/// One server. Values of an answer that is older than three intervals are gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerRow {
    /// Its token in subjects, unlike that of any other server.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) host: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) state: State,
    pub(super) level: Level,
    /// The state for people.
    pub(super) words: String,
    /// Its endpoints that fail.
    pub(super) failing: Vec<Trouble>,
    pub(super) last_poll: Option<Timestamp>,
    pub(super) last_poll_ms: Option<u64>,
    pub(super) interval_s: Option<f64>,
    pub(super) version: Option<String>,
    /// Start of the engine, as it says.
    pub(super) started: Option<String>,
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory_committed_mib: Option<f64>,
    pub(super) memory_allocated_mib: Option<f64>,
    pub(super) memory_free_mib: Option<f64>,
    pub(super) memory_physical_mib: Option<f64>,
    pub(super) engine_sessions: Option<i64>,
    pub(super) engine_sessions_active: Option<i64>,
    pub(super) engine_users: Option<i64>,
    pub(super) engine_users_active: Option<i64>,
    pub(super) apps_active: Option<usize>,
    pub(super) apps_loaded: Option<usize>,
    pub(super) apps_in_memory: Option<usize>,
    pub(super) cache_hit_percent: Option<f64>,
    pub(super) proxies: Vec<ProxyRow>,
    pub(super) cpu_history: CpuHistory,
}

/// The sessions of a virtual proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyRow {
    /// Its prefix with a leading slash.
    pub(super) virtual_proxy: String,
    pub(super) sessions: Option<u64>,
    pub(super) users: Option<u64>,
    /// Who they are, where `collector.http.showUsers` allows it.
    pub(super) user_names: Option<Vec<String>>,
}

/// The load of the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CpuHistory {
    /// Seconds between two values.
    pub(super) step_s: u64,
    /// The highest percentage of each step, the oldest first, the last of now.
    pub(super) percent: Vec<Option<u16>>,
}

/// An endpoint that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trouble {
    pub(super) source: &'static str,
    pub(super) virtual_proxy: Option<String>,
    pub(super) since: Timestamp,
    pub(super) category: String,
    pub(super) message: String,
    /// Failed ticks since then.
    pub(super) ticks: u64,
}

/// The repository that tells the names of apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryRow {
    pub(super) host: String,
    pub(super) last_poll: Option<Timestamp>,
    pub(super) last_poll_ms: Option<u64>,
    pub(super) failing: Option<Trouble>,
}

/// What flows from polls to InfluxDB, since the programs' starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pipeline {
    pub(super) polls: u64,
    pub(super) failed_polls: u64,
    pub(super) unrecorded_polls: u64,
    pub(super) published: Option<u64>,
    pub(super) confirmed: Option<u64>,
    /// Events in this program's outbox.
    pub(super) outbox: Option<u64>,
    pub(super) outbox_per_second: Option<f64>,
    pub(super) outbox_seconds_left: Option<u64>,
    /// Events that wait to be stored, where that can be told.
    pub(super) backlog: Option<u64>,
    pub(super) backlog_per_second: Option<f64>,
    pub(super) backlog_seconds_left: Option<u64>,
    pub(super) oldest_unwritten_s: Option<f64>,
    pub(super) stored: Option<u64>,
    pub(super) dead_lettered: Option<u64>,
    pub(super) redelivered: Option<u64>,
    pub(super) failed_writes: Option<u64>,
    pub(super) lost: Option<u64>,
}

/// A dependency of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct DependencyRow {
    pub(super) name: String,
    pub(super) up: bool,
    pub(super) why: Option<String>,
}

/// A program whose heartbeat was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgramRow {
    pub(super) process: String,
    pub(super) instance: String,
    pub(super) version: String,
    pub(super) connected: bool,
    pub(super) honest: bool,
    pub(super) why: Option<String>,
    pub(super) last_beat: Timestamp,
    pub(super) started: Timestamp,
    pub(super) resident_mib: u64,
    pub(super) published: Option<u64>,
    pub(super) confirmed: Option<u64>,
    pub(super) outbox: Option<u64>,
    pub(super) backlog: Option<u64>,
    pub(super) oldest_unwritten_s: Option<f64>,
    pub(super) stored: Option<u64>,
    pub(super) dead_lettered: Option<u64>,
    pub(super) lost: Option<u64>,
}

impl ProgramRow {
    /// How it fares.
    pub(super) fn level(&self) -> Level {
        match (self.connected, self.honest) {
            (true, true) => Level::Good,
            (true, false) => Level::Bad,
            (false, _) => Level::Warn,
        }
    }
}
