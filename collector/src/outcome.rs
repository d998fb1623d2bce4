//! What became of a tick, as the live view and whoever else listens sees it.

use std::sync::Arc;
use std::time::Duration;

use shared::event::{Category, Server, Source};
use shared::timestamp::Timestamp;

/// The outcome of a tick in brief.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The server polled; for app names, the repository.
    pub server: Arc<Server>,
    /// The API polled.
    pub source: Source,
    /// The virtual proxy's prefix with a leading slash, for sessions.
    pub virtual_proxy: Option<String>,
    /// When the request was sent, or the tick if there was none.
    pub time: Timestamp,
    /// From sending the request to the end of the answer, or to the failure.
    pub duration: Duration,
    /// Time between two ticks.
    pub interval: Duration,
    /// Whether the outbox took it.
    pub recorded: bool,
    /// What the answer said, or why there is none.
    pub result: Result<Facts, FailedOutcome>,
}

/// A few facts of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// An engine's health; what is missing was missing or absurd in the answer.
    Health {
        /// Load of the processors, in percent.
        cpu_percent: Option<f64>,
        /// Engine sessions.
        sessions: Option<i64>,
        /// Users with engine sessions.
        users: Option<i64>,
        /// Apps in memory, session apps among them.
        apps_in_memory: usize,
        /// High resource use.
        saturated: Option<bool>,
    },
    /// Sessions of a virtual proxy.
    Sessions {
        /// Sessions, those of excluded users among them.
        sessions: u64,
        /// Distinct users who are not excluded.
        users: u64,
    },
    /// Apps of the repository.
    AppNames {
        /// Apps listed.
        apps: usize,
        /// Apps that are new, renamed or gone.
        changed: usize,
    },
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedOutcome {
    /// The cause.
    pub category: Category,
    /// The cause in words.
    pub message: String,
    /// Ticks that this outcome stands for.
    pub ticks: u64,
}
