//! The event on the wire: a CloudEvents 1.0 event in structured JSON, complete in itself.
//!
//! Numbering is apart from encoding: the sequence has no gaps, so it is given only to events that
//! the outbox takes, long after they were encoded.

mod read;

use std::fmt::Write as _;

use bytes::Bytes;
use serde::Serialize;
use thiserror::Error;
use ulid::{ULID_LEN, Ulid};

use crate::event::Event;
use crate::timestamp::Timestamp;

/// The largest event, in bytes: NATS takes 1 MiB a message, headers included.
pub const MAX_EVENT_BYTES: usize = 900 * 1024;
/// Digits of a sequence: enough for nanosecond rates over centuries, fixed so that it can be filled
/// in after encoding and compared as text.
const SEQUENCE_DIGITS: usize = 18;
const SEQUENCE_MEMBER: &str = "\"sequence\":\"";
/// What follows the digits of a sequence.
const EPOCH_MEMBER: &str = "\",\"epoch\":\"";
const TYPE_PREFIX: &str = "qliksense.";
const TYPE_SUFFIX: &str = ".v1";
const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";

/// One start of a program: who it is, and the name of its series of sequences.
#[derive(Clone, Debug)]
pub struct Origin {
    source: String,
    epoch: Ulid,
}

impl Origin {
    /// Begins an epoch of the program.
    pub fn new(process: &str, instance: &str) -> Self {
        Self { source: format!("/footman/{process}/{instance}"), epoch: Ulid::generate() }
    }

    /// The epoch.
    pub fn epoch(&self) -> Ulid {
        self.epoch
    }
}

/// An event of any kind: a CloudEvents 1.0 event in structured JSON, complete in itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Envelope"))]
pub(crate) struct Written<'a> {
    /// The version of CloudEvents.
    specversion: &'static str,
    /// Unlike that of any other event, a ULID. A redelivery has the same; on NATS it is the message
    /// id (`Nats-Msg-Id`) too.
    id: &'a str,
    /// The program that made it: `/footman/{process}/{instance}`.
    source: &'a str,
    /// The kind and version of `data`: `qliksense.{kind}.v1`.
    #[serde(rename = "type")]
    kind: String,
    /// The true name of what it is about: the server; the repository's host for app names;
    /// `{process}/{instance}` for heartbeats.
    subject: &'a str,
    /// When it was observed: the wall clock when the request was sent, for a skipped tick the tick.
    /// The parts of one poll share it, no two polls of one epoch do.
    time: Timestamp,
    /// The form of `data`.
    datacontenttype: &'static str,
    /// Its number among the events of its program in this epoch, heartbeats included: 18 digits,
    /// without gaps, so that loss can be seen and texts compare like numbers.
    sequence: &'static str,
    /// One start of the program that made it, a ULID; each start counts `sequence` from the
    /// beginning.
    epoch: String,
    /// What was observed.
    data: &'a Event,
}

/// An encoded event that waits for its sequence.
#[derive(Clone, Debug)]
pub struct Unnumbered {
    id: Ulid,
    payload: Vec<u8>,
    sequence_at: usize,
}

/// Why an event cannot be encoded.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// It exceeds [`MAX_EVENT_BYTES`].
    #[error("the event has {size} bytes, {MAX_EVENT_BYTES} are allowed")]
    TooLarge {
        /// Size of the encoded event.
        size: usize,
    },
    /// It cannot be written as JSON.
    #[error("the event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Unnumbered {
    /// Encodes an event observed at `time` about `subject` (the true name of the server,
    /// repository, or process/instance).
    pub fn encode(
        origin: &Origin,
        subject: &str,
        time: Timestamp,
        event: &Event,
    ) -> Result<Self, EncodeError> {
        let id = Ulid::generate();
        let payload = serde_json::to_vec(&Written {
            specversion: SPEC_VERSION,
            id: &id.to_string(),
            source: &origin.source,
            kind: format!("{TYPE_PREFIX}{}{TYPE_SUFFIX}", event.kind().name()),
            subject,
            time,
            datacontenttype: CONTENT_TYPE,
            sequence: "000000000000000000",
            epoch: origin.epoch.to_string(),
            data: event,
        })?;
        if payload.len() > MAX_EVENT_BYTES {
            return Err(EncodeError::TooLarge { size: payload.len() });
        }
        // Inside a JSON string the quotes would be escaped, so the first match is the member.
        let sequence_at = payload
            .windows(SEQUENCE_MEMBER.len())
            .position(|window| window == SEQUENCE_MEMBER.as_bytes())
            .map_or(payload.len(), |at| at + SEQUENCE_MEMBER.len());
        Ok(Self { id, payload, sequence_at })
    }

    /// The event's id.
    pub fn id(&self) -> Ulid {
        self.id
    }

    /// Size of the encoded event, in bytes.
    pub fn size(&self) -> usize {
        self.payload.len()
    }

    /// The encoded event with its place in the epoch.
    pub fn numbered(mut self, sequence: u64) -> Bytes {
        let mut digits = String::with_capacity(SEQUENCE_DIGITS);
        // Writing to a String cannot fail.
        let _written = write!(digits, "{sequence:018}");
        let place = self.payload.get_mut(self.sequence_at..self.sequence_at + SEQUENCE_DIGITS);
        if let (Some(place), true) = (place, digits.len() == SEQUENCE_DIGITS) {
            place.copy_from_slice(digits.as_bytes());
        }
        self.payload.into()
    }
}

/// An event's place in the series of its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The start of the program that made it.
    pub epoch: Ulid,
    /// Its number in the epoch.
    pub sequence: u64,
}

impl Place {
    /// Finds the place of an event that this program encoded, without decoding the rest of it.
    pub fn of(payload: &[u8]) -> Option<Self> {
        // As above: the first match is the member, and its neighbour follows.
        let at = payload
            .windows(SEQUENCE_MEMBER.len())
            .position(|window| window == SEQUENCE_MEMBER.as_bytes())?;
        let digits = payload.get(at + SEQUENCE_MEMBER.len()..)?;
        let (digits, rest) = digits.split_at_checked(SEQUENCE_DIGITS)?;
        let epoch = rest.strip_prefix(EPOCH_MEMBER.as_bytes())?.get(..ULID_LEN)?;
        Some(Self {
            epoch: Ulid::from_string(std::str::from_utf8(epoch).ok()?).ok()?,
            sequence: std::str::from_utf8(digits).ok()?.parse().ok()?,
        })
    }
}

/// A decoded event; its texts are its own, or borrowed from the payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope<S = String> {
    /// Id, unique among all events; a ULID where Footman made it.
    pub id: S,
    /// The program that made it, e.g. `/footman/collector/host1`.
    pub source: S,
    /// The true name of the server, repository, or process/instance.
    pub subject: S,
    /// When it was observed.
    pub time: Timestamp,
    /// Its place in the epoch.
    pub sequence: Option<u64>,
    /// The start of the program that made it.
    pub epoch: Option<S>,
    /// What was observed.
    pub event: Event<S>,
}

/// Why bytes are no event.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// No JSON, or no CloudEvents event.
    #[error("the payload is no CloudEvents event in JSON")]
    NotAnEvent(#[source] serde_json::Error),
    /// An event of a type or version that this program does not know.
    #[error("the event's type {found:?} is not known here")]
    UnknownType {
        /// The type found.
        found: String,
    },
    /// An event in another version of CloudEvents.
    #[error("the event's specversion {found:?} is not known here")]
    UnknownVersion {
        /// The version found.
        found: String,
    },
    /// An event whose data is not what its type promises.
    #[error("the data of the {kind} event cannot be read")]
    BadData {
        /// The event's kind.
        kind: &'static str,
        /// What is wrong, and where.
        #[source]
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AppNames, Health, Poll};

    fn app_names(repository: &str) -> Event {
        Event::AppNames(AppNames {
            repository: repository.to_owned(),
            poll: Poll {
                scheduled: Timestamp::from_nanos(1_763_712_930_000_000_000),
                duration_ms: 12,
                interval_ms: 60_000,
                bytes: Some(3),
            },
            part: 1,
            parts: 1,
            full: true,
            apps: vec![],
        })
    }

    fn encode(event: &Event, subject: &str) -> Unnumbered {
        let origin = Origin::new("collector", "host1");
        let time = Timestamp::from_nanos(1_763_712_930_123_456_789);
        Unnumbered::encode(&origin, subject, time, event).unwrap()
    }

    #[test]
    fn round_trip_with_sequence() {
        let event = app_names("qrs.corp.com");
        let unnumbered = encode(&event, "evil \"sequence\":\"1\" \\\"sequence\":\"");
        let id = unnumbered.id().to_string();
        let envelope = Envelope::decode(&unnumbered.numbered(4711)).unwrap();
        assert_eq!(envelope.id, id);
        assert_eq!(envelope.sequence, Some(4711));
        assert_eq!(envelope.source, "/footman/collector/host1");
        assert_eq!(envelope.subject, "evil \"sequence\":\"1\" \\\"sequence\":\"");
        assert_eq!(envelope.time.to_string(), "2025-11-21T08:15:30.123456789Z");
        assert_eq!(envelope.event, event);
    }

    #[test]
    fn the_place_of_an_event_is_found_without_decoding() {
        let origin = Origin::new("collector", "\"sequence\":\"1");
        let evil = "evil \"sequence\":\"1\",\"epoch\":\"";
        let time = Timestamp::now();
        let event = Unnumbered::encode(&origin, evil, time, &app_names("qrs")).unwrap();
        let place = Place { epoch: origin.epoch(), sequence: 4711 };
        assert_eq!(Place::of(&event.numbered(4711)), Some(place));
        for other in
            ["", "{}", "\"sequence\":\"1", "\"sequence\":\"000000000000000001\",\"epoch\":\"0"]
        {
            assert_eq!(Place::of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn wire_form() {
        let payload = encode(&app_names("qrs"), "qrs").numbered(1);
        let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(json["specversion"], "1.0");
        assert_eq!(json["type"], "qliksense.app-names.v1");
        assert_eq!(json["datacontenttype"], "application/json");
        assert_eq!(json["sequence"], "000000000000000001");
        assert_eq!(json["data"]["poll"]["intervalMs"], 60_000);
        assert_eq!(json["data"]["poll"]["scheduled"], "2025-11-21T08:15:30.000000000Z");
    }

    #[test]
    fn unknown_members_are_ignored_and_unknown_types_named() {
        let payload = encode(&app_names("qrs"), "qrs").numbered(1);
        let mut json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        json["data"]["added_later"] = true.into();
        json["traceparent"] = "x".into();
        assert!(Envelope::decode(json.to_string().as_bytes()).is_ok());
        json["type"] = "qliksense.app-names.v2".into();
        let error = Envelope::decode(json.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::UnknownType { found } if found.ends_with("v2")));
        assert!(matches!(Envelope::decode(b"\xff"), Err(DecodeError::NotAnEvent(_))));
        json["type"] = "qliksense.health.v1".into();
        let error = Envelope::decode(json.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::BadData { kind: "health", .. }));
    }

    #[test]
    fn whole_engine_numbers_have_no_decimal_point() {
        let health: Health = serde_json::from_value(serde_json::json!({
            "server": {"name": "a", "host": "a:4747"},
            "poll": {"scheduled": "2025-11-21T08:15:30Z", "durationMs": 1, "intervalMs": 1},
            "health": {"cpu": {"total": 7.0}, "mem": {"free": 0.5}},
        }))
        .unwrap();
        let json = serde_json::to_string(&health).unwrap();
        assert!(json.contains(r#""cpu":{"total":7}"#) && json.contains(r#""free":0.5"#), "{json}");
    }

    #[test]
    fn events_have_a_largest_size() {
        let origin = Origin::new("collector", "host1");
        let event = app_names(&"x".repeat(MAX_EVENT_BYTES));
        let error = Unnumbered::encode(&origin, "s", Timestamp::now(), &event).unwrap_err();
        assert!(matches!(error, EncodeError::TooLarge { size } if size > MAX_EVENT_BYTES));
    }
}
