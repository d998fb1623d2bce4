//! What Footman observed: the `data` of the events on the bus.
//!
//! These types are the contract with every subscriber: they change only by adding, a member
//! without a value is left out, and unknown members are ignored when read.

mod app_names;
mod failed_poll;
mod health;
mod heartbeat;
mod number;
mod sessions;
mod started;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use app_names::{AppChange, AppNames, Change};
pub use failed_poll::{Category, FailedPoll};
pub use health::{
    App, AppLists, CacheCounters, Cpu, EngineApps, EngineHealth, Health, Memory, SessionCounts,
    UserCounts,
};
pub use heartbeat::{
    Counters, Heartbeat, NamedEvent, ProcessMemory, Publications, Reached, SequenceBits,
    Settlements,
};
pub use sessions::{Session, Sessions};
pub use text::{BorrowedText, Text};

use crate::timestamp::Timestamp;

/// One event of any kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Event", bound = "S: Text + schemars::JsonSchema")
)]
#[serde(untagged, bound(serialize = "S: Text"))]
pub enum Event<S = String> {
    /// An engine's health.
    Health(Box<Health<S>>),
    /// The sessions of one virtual proxy, or one part of them.
    Sessions(Sessions<S>),
    /// New, renamed and gone apps, or the full list.
    AppNames(AppNames),
    /// A poll that failed or was skipped.
    FailedPoll(Box<FailedPoll>),
    /// A program's sign of life.
    Heartbeat(Box<Heartbeat>),
}

/// The kinds of events, as subjects and the CloudEvents `type` name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `health`
    Health,
    /// `sessions`
    Sessions,
    /// `app-names`
    AppNames,
    /// `failed-polls`
    FailedPolls,
    /// `heartbeats`
    Heartbeats,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Health, Self::Sessions, Self::AppNames, Self::FailedPolls, Self::Heartbeats];

    /// The kind's name in subjects and types.
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Sessions => "sessions",
            Self::AppNames => "app-names",
            Self::FailedPolls => "failed-polls",
            Self::Heartbeats => "heartbeats",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl<S> Event<S> {
    /// The event's kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Health(_) => Kind::Health,
            Self::Sessions(_) => Kind::Sessions,
            Self::AppNames(_) => Kind::AppNames,
            Self::FailedPoll(_) => Kind::FailedPolls,
            Self::Heartbeat(_) => Kind::Heartbeats,
        }
    }
}

/// A monitored server, with its true names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Server", bound = "S: Text + schemars::JsonSchema")
)]
#[serde(
    rename_all = "camelCase",
    bound(serialize = "S: Text", deserialize = "S: Text + Deserialize<'de>")
)]
pub struct Server<S = String> {
    /// `serverName` of the configuration; for app names, the repository's host.
    pub name: S,
    /// `serverDescription` of the configuration.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub description: S,
    /// The engine's `host:port`, as configured.
    pub host: S,
    /// The server's own tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<S, S>,
}

fn is_empty(text: &impl AsRef<str>) -> bool {
    text.as_ref().is_empty()
}

/// The circumstances of the poll that an event came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// The tick at which the poll was due.
    pub scheduled: Timestamp,
    /// From sending the request to the end of the answer, or to the failure, in milliseconds.
    pub duration_ms: u64,
    /// Time between two ticks, in milliseconds.
    pub interval_ms: u64,
    /// Size of the answer's body, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// One of the APIs that are polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The engine's health check.
    Health,
    /// The proxy's sessions.
    Sessions,
    /// The repository's apps.
    AppNames,
}

impl Source {
    /// The source's name in subjects, tags and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Sessions => "sessions",
            Self::AppNames => "app-names",
        }
    }
}
