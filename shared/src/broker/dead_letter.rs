//! Events of which something cannot be stored, kept where they can be seen and put back.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::timestamp::Timestamp;

/// An event of which something cannot be stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The event's id; one made from its bytes when it has none.
    pub event_id: String,
    /// The subject it was published on.
    pub subject: String,
    /// The event, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
    /// The event's bytes, when they are no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_base64: Option<String>,
    /// The lines that were refused, in line protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// InfluxDB's words, or what is wrong with the event.
    pub reason: String,
    /// InfluxDB's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// When it first came here.
    pub first_time: Timestamp,
    /// When it last came here.
    pub last_time: Timestamp,
    /// How often it came here.
    pub count: u64,
}

impl DeadLetter {
    /// A dead letter that holds `payload` unchanged.
    pub fn new(event_id: String, subject: String, payload: &[u8], reason: String) -> Self {
        let event: Option<Box<RawValue>> = serde_json::from_slice(payload).ok();
        let now = Timestamp::now();
        Self {
            event_id,
            subject,
            event_base64: event.is_none().then(|| BASE64.encode(payload)),
            event,
            lines: Vec::new(),
            reason,
            http_status: None,
            first_time: now,
            last_time: now,
            count: 1,
        }
    }

    /// The event's bytes.
    pub fn payload(&self) -> Option<Vec<u8>> {
        match (&self.event, &self.event_base64) {
            (Some(event), _) => Some(event.get().as_bytes().to_vec()),
            (None, Some(text)) => BASE64.decode(text).ok(),
            (None, None) => None,
        }
    }
}

/// Where a consumer group's dead letters are kept.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Keeps a dead letter; one of the same event is updated and counted.
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError>;

    /// All dead letters, the oldest first.
    async fn list(&self) -> Result<Vec<DeadLetter>, DeadLetterError>;

    /// Forgets a dead letter, whether it is there or not.
    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError>;
}

/// Why a dead letter cannot be kept.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// Their space is used up. The writer holds until somebody makes room.
    #[error("the dead letters are full ({limit_bytes} bytes)")]
    Full {
        /// `broker.deadLetters.maxBytes`.
        limit_bytes: u64,
    },
    /// They cannot be written or read now.
    #[error("the dead letters cannot be used: {why}")]
    Unavailable {
        /// What is wrong.
        why: String,
    },
}
