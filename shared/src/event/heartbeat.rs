//! A program's sign of life.

use serde::{Deserialize, Serialize};

use super::number;
use crate::timestamp::Timestamp;

/// One beat of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Of a program that consumes: what it settled since its last beat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlements: Option<Settlements>,
    /// Of a program that publishes through an outbox: what of its epochs was settled otherwise, or
    /// not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publications: Option<Publications>,
}

/// What a member of a consumer group settled, by the epochs and sequences of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Settlements {
    /// The consumer group.
    pub group: String,
    /// Stored, or in the dead letters, since the last beat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<SequenceBits>,
    /// Delivered and not settled at the time of the beat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<SequenceBits>,
    /// How far each queue of the broker has come since the last beat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<Reached>,
}

/// Sequences of an epoch as bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SequenceBits {
    /// The epoch.
    pub epoch: String,
    /// The sequence of the lowest bit of the first byte.
    pub first: u64,
    /// The bytes in base64; the bit of the value 2^n stands for the nth sequence after the byte's
    /// first.
    pub bits: String,
}

/// The highest sequence of an epoch that came through a queue of the broker. Within a queue events
/// come in the order of their publishing, so all lower ones that went through it have come too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// The epoch.
    pub epoch: String,
    /// The queue: the slot on MQTT, 0 elsewhere.
    pub lane: u16,
    /// The sequence.
    pub sequence: u64,
}

/// What became of published events otherwise than by a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Publications {
    /// From this sequence on, the events of this epoch wait in the outbox.
    pub held_from: u64,
    /// Events that the broker refused for good, since the last beat; they lie in the dead letters
    /// beside the outbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<NamedEvent>,
    /// Events that the broker confirmed and no consumer ever settled, since the last beat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<NamedEvent>,
}

/// An event by its epoch, its number there, and its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NamedEvent {
    /// The epoch.
    pub epoch: String,
    /// The sequence.
    pub sequence: u64,
    /// The kind, as in subjects.
    pub kind: String,
}

/// The process' memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProcessMemory {
    /// Resident set, in bytes.
    #[serde(default)]
    pub resident_bytes: u64,
    /// Allocated by the program, in bytes.
    #[serde(default)]
    pub allocated_bytes: u64,
}

/// Counters since the start and gauges of now, named as the fields of `footman_heartbeat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub oldest_unwritten_s: Option<f64>,
    /// Events that were confirmed, or given up for their age, and that nobody settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}
