//! The dead letter of an event of which something cannot be stored.

use std::fmt::Write as _;

use shared::broker::{DeadLetter, id_from_bytes, stated_id};

use crate::batch::Held;
use crate::line_protocol::Lines;
use crate::split::{Fate, Split};

/// A dead letter must fit where an event fits; brokers take 1 MiB (NATS by default), less the
/// letter's own members.
const MAX_LETTER_BYTES: usize = 960 * 1024;
/// Refused lines kept at most; the event tells the rest.
const MAX_LINES_BYTES: usize = 256 * 1024;
/// JSON escapes a quote or backslash with one more byte.
const ESCAPED: usize = 2;
/// Longest reason in a letter: both InfluxDB and the reader of events repeat what they were given.
const MAX_REASON_BYTES: usize = 16 * 1024;
/// Why an event stays in the dead letters although InfluxDB has dropped its points.
const EXPIRED: &str = "its points are older than InfluxDB's retention policy keeps";

/// Whether an event needs a dead letter: it cannot be read, or not all its lines are stored.
///
/// Of an event that was replayed, lines that are too old are not stored either: its letter is all
/// that there is of it, and only somebody who knows that may delete it.
pub(crate) fn is_needed(held: &Held, split: &Split<'_>) -> bool {
    let is_replayed = held.subject.before_replay().is_some();
    let is_expired = |line| is_replayed && split.fate(line) == Fate::Expired;
    held.unreadable.is_some()
        || held.lines.clone().any(|line| split.why(line).is_some() || is_expired(line))
}

/// The dead letter of an event that needs one.
pub(crate) fn letter(held: &Held, lines: &Lines, split: &Split<'_>) -> DeadLetter {
    let first_subject = held.subject.before_replay();
    let mut reasons: Vec<&str> = Vec::new();
    let mut status = None;
    let mut refused = Vec::new();
    let mut given_up = 0;
    for index in held.lines.clone() {
        let words = match (split.fate(index), split.why(index)) {
            (fate, Some(reason)) => {
                given_up += usize::from(matches!(fate, Fate::GivenUp(_)));
                status.get_or_insert(reason.status);
                &reason.words
            }
            (Fate::Expired, None) if first_subject.is_some() => EXPIRED,
            (_, None) => continue,
        };
        refused.push(index);
        if !reasons.contains(&words) {
            reasons.push(words);
        }
    }
    let mut why = held.unreadable.clone().unwrap_or_else(|| reasons.join("; "));
    shorten(&mut why);
    // Writing to a String cannot fail.
    if given_up > 0 {
        let _written =
            write!(why, " ({given_up} of the lines only shared their requests with refused ones)");
    }
    let kept = texts(&refused, lines, held.payload.len());
    if kept.len() < refused.len() {
        let _written = write!(why, " ({} more lines)", refused.len() - kept.len());
    }
    let subject = first_subject.as_ref().unwrap_or(&held.subject).as_topic().to_owned();
    let mut letter = DeadLetter::new(event_id(held), subject, &held.payload, why);
    letter.lines = kept;
    letter.http_status = status;
    letter
}

/// The ids of the letters from which an event may have been replayed, when it was: what could not be
/// read then has its id from its bytes.
pub(crate) fn replayed(held: &Held) -> Vec<String> {
    if held.subject.before_replay().is_none() {
        return Vec::new();
    }
    let mut ids = vec![event_id(held), id_from_bytes(&held.payload)];
    ids.dedup();
    ids
}

/// Leaves the middle out: InfluxDB repeats a line before it says what is wrong with it.
fn shorten(why: &mut String) {
    if why.len() > MAX_REASON_BYTES {
        let half = MAX_REASON_BYTES / 2;
        let (start, end) =
            (why.floor_char_boundary(half), why.ceil_char_boundary(why.len() - half));
        why.replace_range(start..end, " … ");
    }
}

fn texts(refused: &[usize], lines: &Lines, payload_bytes: usize) -> Vec<String> {
    let mut room = (MAX_LETTER_BYTES.saturating_sub(payload_bytes) / ESCAPED).min(MAX_LINES_BYTES);
    let mut kept = Vec::new();
    for &index in refused {
        let line = lines.line(index);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let Some(left) = room.checked_sub(line.len()) else {
            break;
        };
        room = left;
        kept.push(String::from_utf8_lossy(line).into_owned());
    }
    kept
}

/// The event's id; one made from its bytes when it has none, or is no event: whoever publishes
/// something else may number it 1, 2, 3 again and again, and no letter takes the place of another.
fn event_id(held: &Held) -> String {
    stated_id(&held.payload)
        .filter(|_| held.unreadable.is_none())
        .unwrap_or_else(|| id_from_bytes(&held.payload))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::broker::DeliveryTag;
    use shared::subject::Subject;

    use super::*;

    fn held(payload: &'static [u8], unreadable: Option<&str>) -> Held {
        Held {
            tag: DeliveryTag(1),
            subject: Subject::from_neutral("p/v1/health/a".to_owned()),
            payload: Bytes::from_static(payload),
            lines: 0..0,
            unreadable: unreadable.map(str::to_owned),
        }
    }

    #[test]
    fn a_long_reason_keeps_its_beginning_and_its_end() {
        let mut why = format!("unable to parse '{}': max key length exceeded", "é".repeat(50_000));
        shorten(&mut why);
        assert!(why.len() <= MAX_REASON_BYTES + 8, "{}", why.len());
        assert!(why.starts_with("unable to parse 'é") && why.ends_with("key length exceeded"));
    }

    #[test]
    fn ids_come_from_the_event_or_its_bytes() {
        let id = |payload, unreadable| event_id(&held(payload, unreadable));
        assert_eq!(id(br#"{"id":"01JD","type":"x"}"#, None), "01JD");
        assert_eq!(id(br#"{"id":""}"#, None).len(), 16);
        let made = id(b"\xff", Some("no JSON"));
        assert_eq!((made.len(), made.clone()), (16, id(b"\xff", Some("no JSON"))));
        // Somebody's counter: two of them are two letters, and one that comes back is the same.
        let one = id(br#"{"id":"1","a":1}"#, Some("no event"));
        assert_ne!(one, id(br#"{"id":"1","a":2}"#, Some("no event")));
        assert_eq!(one, id(b" {\"id\":\"1\",\"a\":1}\n", Some("no event")));
    }

    #[test]
    fn a_replay_is_of_every_letter_that_the_event_may_have_had() {
        let mut event = held(br#"{"id":"1"}"#, None);
        assert!(replayed(&event).is_empty(), "it is no replay");
        event.subject = event.subject.for_replay().unwrap();
        let when_unreadable = event_id(&held(br#"{"id":"1"}"#, Some("unknown type")));
        assert_eq!(replayed(&event), ["1".to_owned(), when_unreadable]);
        event.payload = Bytes::from_static(b"\xff");
        assert_eq!(replayed(&event).len(), 1);
    }
}
