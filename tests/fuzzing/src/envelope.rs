//! The envelope: any bytes are an event, or an error that says why not; an event stays what it is.

use shared::envelope::{DecodeError, EncodeError, Envelope, MAX_EVENT_BYTES, Origin, Unnumbered};
use shared::event::Event;
use writer::mapping::{MAX_LINES_BYTES, MAX_TAGS_BYTES};

use crate::reading::{VERSIONS, check_lines, schema};

/// What newer programs may add, and what somebody else may: it must not matter.
const UNKNOWN: &str =
    r#""addedLater":{"deep":[[[{"a":null}]]],"\u00e4":"\ud83e\udd80","n":-1.5e300},"#;
/// A program's start and the sequence of the event that is encoded again.
const SEQUENCE: u64 = 4_711;

/// Decodes; encodes again; adds what is unknown; raises the version.
pub fn envelope(payload: &[u8]) {
    check_letter(payload);
    let envelope = match Envelope::decode(payload) {
        Ok(envelope) => envelope,
        Err(error) => return check_error(&error),
    };
    let encoded = encode(&envelope);
    if let Some(encoded) = &encoded {
        check_encoded(&envelope, encoded);
    }
    if is_read_alike_everywhere(&envelope) {
        check_lines(&envelope);
    }
}

/// Encodes a decoded event again, with the circumstances that decoding tells.
fn encode(envelope: &Envelope) -> Option<Vec<u8>> {
    let origin = Origin::new("collector", "again");
    match Unnumbered::encode(&origin, &envelope.subject, envelope.time, &envelope.event) {
        Ok(unnumbered) => Some(unnumbered.numbered(SEQUENCE).to_vec()),
        Err(EncodeError::TooLarge { size }) => {
            assert!(size > MAX_EVENT_BYTES);
            None
        }
        Err(EncodeError::Json(error)) => panic!("an event that is no JSON: {error}"),
    }
}

/// What must hold for an event of ours and the bytes that it is.
pub(crate) fn check_encoded(envelope: &Envelope, encoded: &[u8]) {
    let again = Envelope::decode(encoded).unwrap();
    assert_eq!(again.event, envelope.event);
    assert_eq!((&again.subject, again.time), (&envelope.subject, envelope.time));
    let second = encode(&again).unwrap();
    let third = encode(&Envelope::decode(&second).unwrap()).unwrap();
    assert_eq!(data_of(&second), data_of(&third), "encoding again changes it");

    let text = std::str::from_utf8(encoded).unwrap();
    let with_more = text.replacen('{', &format!("{{{UNKNOWN}"), 1);
    let with_more = with_more.replacen("\"data\":{", &format!("\"data\":{{{UNKNOWN}"), 1);
    let with_more = Envelope::decode(with_more.as_bytes()).unwrap();
    assert_eq!(with_more.event, envelope.event, "what is unknown matters");

    let kind = envelope.event.kind().name();
    for found in [format!("qliksense.{kind}.v2"), format!("qliksense.{kind}x.v1")] {
        let later = text.replacen(
            &format!("\"type\":\"qliksense.{kind}.v1\""),
            &format!("\"type\":\"{found}\""),
            1,
        );
        match Envelope::decode(later.as_bytes()) {
            Err(DecodeError::UnknownType { found: named }) => assert_eq!(named, found),
            other => panic!("{found}: {other:?}"),
        }
    }
}

/// The data of an encoded event; the quotes around a member's name cannot be inside a text.
fn data_of(encoded: &[u8]) -> &str {
    let text = std::str::from_utf8(encoded).unwrap();
    text.split_once("\"data\":").unwrap().1
}

fn check_error(error: &DecodeError) {
    let words = error.to_string();
    assert!(!words.is_empty());
    if let DecodeError::UnknownType { found } = error {
        assert!(words.contains(&format!("{found:?}")), "{words}");
    }
}

/// The writer makes lines or a letter of it, within bounds, and the letter holds it.
fn check_letter(payload: &[u8]) {
    for version in VERSIONS {
        let (lines, letter) = writer::fuzzing::read(&schema(version), payload);
        assert!(lines.body().len() <= MAX_LINES_BYTES + 8 * MAX_TAGS_BYTES + (2 << 20));
        let Some(letter) = letter else {
            assert!(Envelope::decode(payload).is_ok(), "it is neither stored nor kept");
            continue;
        };
        assert!(lines.is_empty() && letter.lines.is_empty());
        assert!((1..=120).contains(&letter.event_id.len()), "{}", letter.event_id);
        assert!(!letter.reason.is_empty() && letter.reason.len() < 17 * 1024);
        let kept = letter.payload().unwrap();
        assert!(kept == payload || kept == payload.trim_ascii(), "the letter holds another event");
    }
}

/// Names that are reserved, and two backslashes in a row, are read in one way by some and in another
/// by others; they are the operator's choice.
fn is_read_alike_everywhere(envelope: &Envelope) -> bool {
    let server = match &envelope.event {
        Event::Health(event) => &event.server,
        Event::Sessions(event) => &event.server,
        Event::FailedPoll(event) => &event.server,
        Event::AppNames(_) | Event::Heartbeat(_) => return true,
    };
    server.tags.keys().all(|name| !name.starts_with('_') && !name.contains('\\'))
}
