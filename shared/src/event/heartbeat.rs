//! A program's sign of life.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// One beat of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// `collector`, `writer` or `footman`.
    pub process: String,
    /// The program's instance name.
    pub instance: String,
    /// The program's version.
    pub version: String,
    /// Start of the process.
    pub started: Timestamp,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether the program does its work.
    pub honest: bool,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The process' memory.
    pub memory: ProcessMemory,
    /// What the program has done since its start, and what waits.
    #[serde(default)]
    pub counters: Counters,
    /// Whether the beat was made for the schedule of `uptimeMonitor`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uptime_monitor: bool,
}

/// The process' memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessMemory {
    /// Resident set.
    #[serde(default)]
    pub resident_bytes: u64,
    /// Allocated by the program.
    #[serde(default)]
    pub allocated_bytes: u64,
}

/// Counters since the start and gauges of now, named as the fields of `footman_heartbeat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Events handed to the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<u64>,
    /// Events that the broker confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<u64>,
    /// Deliveries received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// Events whose points are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
    /// Events that became dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_lettered: Option<u64>,
    /// Deliveries that came again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redelivered: Option<u64>,
    /// Requests to InfluxDB that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_writes: Option<u64>,
    /// Events in the outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<u64>,
    /// Deliveries held and not yet acked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
    /// Age of the oldest delivery that is not stored, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unwritten_s: Option<f64>,
}
