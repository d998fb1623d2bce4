//! Events of which something cannot be stored, kept where they can be seen and put back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::timestamp::Timestamp;

/// Longest id that a letter takes over.
const MAX_ID_BYTES: usize = 120;
/// Bytes of the digest that stands for a missing id: 16 hex digits.
const DIGEST_BYTES: usize = 8;

/// An event of which something cannot be stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The event's id; one made from its bytes when it has none.
    pub event_id: String,
    /// The subject it was published on.
    pub subject: String,
    /// The event, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Value>"))]
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

    /// The event's bytes, when they are those by which a writer finds this letter again: what is
    /// only the beginning of an event cannot be replayed.
    pub fn whole_payload(&self) -> Option<Vec<u8>> {
        self.payload().filter(|payload| {
            stated_id(payload).is_some_and(|id| id == self.event_id)
                || id_from_bytes(payload) == self.event_id
        })
    }

    /// The letter without its event and lines; it takes `bytes` where it is kept.
    pub fn header(self, bytes: u64) -> LetterHeader {
        let Self { event_id, subject, reason, http_status, first_time, last_time, count, .. } =
            self;
        LetterHeader { event_id, subject, reason, http_status, first_time, last_time, count, bytes }
    }
}

/// The id that an event gives itself, if it can be one.
pub fn stated_id(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    let Identified { id } = serde_json::from_slice(payload).ok()?;
    (1..=MAX_ID_BYTES).contains(&id.len()).then_some(id)
}

/// The id that an event has from its bytes, where it has no other.
pub fn id_from_bytes(payload: &[u8]) -> String {
    // A letter keeps an event without the blanks around it, and so it comes back.
    let digest = Sha256::digest(payload.trim_ascii());
    let mut id = String::with_capacity(2 * DIGEST_BYTES);
    for byte in digest.iter().take(DIGEST_BYTES) {
        // Writing to a String cannot fail.
        let _written = write!(id, "{byte:02x}");
    }
    id
}

/// What there is to know of a dead letter without its event and lines, which may be large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetterHeader {
    /// The event's id.
    pub event_id: String,
    /// The subject it was published on.
    pub subject: String,
    /// InfluxDB's words, or what is wrong with the event. May hold what only `show` may show.
    pub reason: String,
    /// InfluxDB's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// When it first came here.
    pub first_time: Timestamp,
    /// When it last came here.
    pub last_time: Timestamp,
    /// How often it came here.
    pub count: u64,
    /// What it takes where it is kept.
    pub bytes: u64,
}

/// What is done with each letter, and with the bytes that it takes.
pub type Look<'a> = &'a mut (dyn FnMut(DeadLetter, u64) + Send);

/// Where a consumer group's dead letters are kept.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Keeps a dead letter; one of the same event is updated and counted.
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError>;

    /// Looks at every dead letter, one at a time and in no order; at one that changes meanwhile
    /// perhaps twice.
    async fn each(&self, look: Look<'_>) -> Result<(), DeadLetterError>;

    /// One dead letter, if it is there.
    async fn get(&self, event_id: &str) -> Result<Option<DeadLetter>, DeadLetterError>;

    /// Forgets a dead letter, whether it is there or not.
    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError>;

    /// How often an event has come here; none when it is not here (any more).
    async fn count(&self, event_id: &str) -> Result<Option<u64>, DeadLetterError> {
        Ok(self.get(event_id).await?.map(|letter| letter.count))
    }

    /// All dead letters without what makes them large, the oldest first.
    async fn headers(&self) -> Result<Vec<LetterHeader>, DeadLetterError> {
        let mut found = BTreeMap::new();
        let mut look = |letter: DeadLetter, bytes| {
            let header = letter.header(bytes);
            found.insert(header.event_id.clone(), header);
        };
        self.each(&mut look).await?;
        let mut headers: Vec<LetterHeader> = found.into_values().collect();
        headers.sort_by_key(|header| header.first_time);
        Ok(headers)
    }

    /// All dead letters whole, the oldest first: for those who know that they are few.
    async fn list(&self) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let mut found = BTreeMap::new();
        let mut look = |letter: DeadLetter, _bytes| {
            found.insert(letter.event_id.clone(), letter);
        };
        self.each(&mut look).await?;
        let mut letters: Vec<DeadLetter> = found.into_values().collect();
        letters.sort_by_key(|letter| letter.first_time);
        Ok(letters)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_unless_it_is_a_part() {
        let json = br#" {"id": "01JD", "a":  1}
"#;
        for payload in [&json[..], b"[1,\t2]\n", b"\xff", b"no JSON"] {
            let kept = |event_id: &str| {
                let subject = "p/v1/health/a".to_owned();
                DeadLetter::new(event_id.to_owned(), subject, payload, "why".to_owned())
            };
            for id in stated_id(payload).into_iter().chain([id_from_bytes(payload)]) {
                let whole = kept(&id).whole_payload().unwrap();
                assert_eq!(whole.trim_ascii(), payload.trim_ascii());
            }
            assert_eq!(kept("other").whole_payload(), None);
        }
    }
}
