//! An engine's health, in Qlik's own names.

use serde::{Deserialize, Serialize};

use super::{Poll, Server, Text, number};

/// The answer of one health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Health", bound = "S: Text + schemars::JsonSchema")
)]
#[serde(
    rename_all = "camelCase",
    bound(serialize = "S: Text", deserialize = "S: Text + Deserialize<'de>")
)]
pub struct Health<S = String> {
    /// The server polled.
    pub server: Server<S>,
    /// The poll.
    pub poll: Poll,
    /// What the engine said.
    pub health: EngineHealth<S>,
    /// The engine's documents with the names that are known.
    #[serde(default)]
    pub apps: AppLists<S>,
}

/// The body of `/engine/healthcheck`; what is missing or absurd there is missing here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "EngineHealth", bound = "S: Text + schemars::JsonSchema")
)]
pub struct EngineHealth<S = String> {
    /// Engine version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<S>,
    /// Start of the engine, compact ISO 8601 with offset, as the engine writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<S>,
    /// Memory, in MB (2^20 bytes).
    #[serde(default)]
    pub mem: Memory,
    /// Processor load.
    #[serde(default)]
    pub cpu: Cpu,
    /// Engine sessions.
    #[serde(default)]
    pub session: SessionCounts,
    /// Documents and requests.
    #[serde(default)]
    pub apps: EngineApps<S>,
    /// Users.
    #[serde(default)]
    pub users: UserCounts,
    /// Result cache.
    #[serde(default)]
    pub cache: CacheCounters,
    /// High resource use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturated: Option<bool>,
}

/// Memory, in MB (2^20 bytes).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Committed by the engine's process.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub committed: Option<f64>,
    /// Committed and reserved.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub allocated: Option<f64>,
    /// The smaller of free physical and free virtual memory of the machine.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub free: Option<f64>,
    /// Physical memory of the machine; newer engines only.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub total_physical: Option<f64>,
}

/// Processor load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cpu {
    /// Percent used by the engine, the mean of 30 seconds.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub total: Option<f64>,
}

/// Engine sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SessionCounts {
    /// With an action now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<i64>,
    /// All.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// Users with engine sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserCounts {
    /// With an action now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<i64>,
    /// All.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// Documents (ids in the engine's order, repeats kept) and counters since the engine's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "EngineApps", bound = "S: Text + schemars::JsonSchema")
)]
pub struct EngineApps<S = String> {
    /// With an action now.
    #[serde(default)]
    pub active_docs: Vec<S>,
    /// Open in a session.
    #[serde(default)]
    pub loaded_docs: Vec<S>,
    /// In memory.
    #[serde(default)]
    pub in_memory_docs: Vec<S>,
    /// Requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
    /// Selections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selections: Option<i64>,
}

/// Result cache, counters since the engine's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CacheCounters {
    /// Hits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<i64>,
    /// Lookups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookups: Option<i64>,
    /// Results added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<i64>,
    /// Results replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<i64>,
    /// Bytes added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_added: Option<i64>,
}

/// The engine's documents, each list one to one with the engine's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "AppLists", bound = "S: Text + schemars::JsonSchema")
)]
#[serde(rename_all = "camelCase")]
pub struct AppLists<S = String> {
    /// Documents with an action now, as `active_docs` of the engine.
    #[serde(default)]
    pub active: Vec<App<S>>,
    /// Documents open in a session, as `loaded_docs` of the engine.
    #[serde(default)]
    pub loaded: Vec<App<S>>,
    /// Documents in memory, as `in_memory_docs` of the engine.
    #[serde(default)]
    pub in_memory: Vec<App<S>>,
}

/// A document of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "App", bound = "S: Text + schemars::JsonSchema")
)]
pub struct App<S = String> {
    /// App id, a session app's id, or a file's path on Qlik Sense Desktop.
    pub id: S,
    /// The app's name, where the repository has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<S>,
}
