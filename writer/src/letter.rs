//! The dead letter of an event of which something cannot be stored.

use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use shared::broker::DeadLetter;

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
/// Bytes of the digest that stands for a missing id: 16 hex digits.
const DIGEST_BYTES: usize = 8;
/// After this, 1.x and 2.x repeat the line.
const UNREADABLE: &str = "unable to parse";
/// Longest reason in a log line.
const MAX_LOGGED: usize = 200;
/// Longest reason in a letter: both InfluxDB and the reader of events repeat what they were given.
const MAX_REASON_BYTES: usize = 16 * 1024;
/// Longest id that a letter takes over.
const MAX_ID_BYTES: usize = 120;
/// Characters of a ULID.
const ULID_LENGTH: usize = 26;
/// What errors of reading say before they repeat what they have read.
const REPEATED: [&str; 2] = [" string \"", "unknown variant `"];

/// The dead letter of an event, if it needs one: it cannot be read, or not all its lines are stored.
pub(crate) fn letter(held: &Held, lines: &Lines, split: &Split<'_>) -> Option<DeadLetter> {
    let mut reasons: Vec<&str> = Vec::new();
    let mut status = None;
    let mut refused = Vec::new();
    for index in held.lines.clone() {
        let Some(reason) = split.why(index) else {
            continue;
        };
        refused.push(index);
        status.get_or_insert(reason.status);
        if !reasons.contains(&reason.words.as_str()) {
            reasons.push(&reason.words);
        }
    }
    let given_up =
        refused.iter().filter(|index| matches!(split.fate(**index), Fate::GivenUp(_))).count();
    let mut why = match &held.unreadable {
        Some(why) => why.clone(),
        None if refused.is_empty() => return None,
        None => reasons.join("; "),
    };
    why.truncate(why.floor_char_boundary(MAX_REASON_BYTES));
    // Writing to a String cannot fail.
    if given_up > 0 {
        let _written =
            write!(why, " ({given_up} of the lines only shared their requests with refused ones)");
    }
    let kept = texts(&refused, lines, held.payload.len());
    if kept.len() < refused.len() {
        let _written = write!(why, " ({} more lines)", refused.len() - kept.len());
    }
    let subject = held.subject.as_topic().to_owned();
    let mut letter = DeadLetter::new(event_id(held), subject, &held.payload, why);
    letter.lines = kept;
    letter.http_status = status;
    Some(letter)
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

/// The event's id; one made from its bytes when it has none.
///
/// Whoever publishes what is no event of ours may number it 1, 2, 3 again and again: then only an id
/// that looks like ours counts, so that no letter takes the place of another.
fn event_id(held: &Held) -> String {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    let counts = |id: &str| match held.unreadable {
        None => (1..=MAX_ID_BYTES).contains(&id.len()),
        Some(_) => id.len() == ULID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    };
    match serde_json::from_slice::<Identified>(&held.payload) {
        Ok(Identified { id }) if counts(&id) => id,
        _ => {
            let mut id = String::with_capacity(2 * DIGEST_BYTES);
            // A letter keeps an event without the blanks around it, and so it comes back.
            for byte in Sha256::digest(held.payload.trim_ascii()).iter().take(DIGEST_BYTES) {
                let _written = write!(id, "{byte:02x}");
            }
            id
        }
    }
}

/// A reason without the data that is repeated in it: lines, values of tags, texts of an event.
pub(crate) fn for_log(reason: &str) -> String {
    let mut reason = reason.to_owned();
    if let Some(at) = reason.find(UNREADABLE) {
        reason.truncate(at + UNREADABLE.len());
        reason.push_str(" a line");
    }
    for value in [" value=", " - oldest point"].into_iter().chain(REPEATED) {
        let kept = reason.find(value).unwrap_or(reason.len());
        reason.truncate(kept);
    }
    let first_line = reason.lines().next().unwrap_or_default();
    first_line.get(..first_line.floor_char_boundary(MAX_LOGGED)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::broker::DeliveryTag;
    use shared::subject::Subject;

    use super::*;

    #[test]
    fn log_lines_hold_no_data() {
        assert_eq!(
            for_log("partial write: unable to parse 'm,user=jane x' dropped=0"),
            "partial write: unable to parse a line"
        );
        assert_eq!(
            for_log("max-values-per-tag limit exceeded (1/1): tag=\"t\" value=\"jane\" dropped=1"),
            "max-values-per-tag limit exceeded (1/1): tag=\"t\""
        );
        assert_eq!(
            for_log(
                "partial write: dropped 1 points outside retention policy - oldest point m,u=jane"
            ),
            "partial write: dropped 1 points outside retention policy"
        );
        assert_eq!(for_log(&"ä".repeat(300)).len(), 200);
    }

    #[test]
    fn log_lines_hold_nothing_of_an_event() {
        assert_eq!(
            for_log(
                "the data cannot be read: invalid type: string \"jane\", expected u64 at line 1"
            ),
            "the data cannot be read: invalid type:"
        );
    }

    #[test]
    fn ids_come_from_the_event_or_its_bytes() {
        let id = |payload: &'static [u8], unreadable: Option<&str>| {
            event_id(&Held {
                tag: DeliveryTag(1),
                subject: Subject::from_neutral("p/v1/health/a".to_owned()),
                payload: Bytes::from_static(payload),
                lines: 0..0,
                unreadable: unreadable.map(str::to_owned),
            })
        };
        assert_eq!(id(br#"{"id":"01JD","type":"x"}"#, None), "01JD");
        assert_eq!(id(br#"{"id":""}"#, None).len(), 16);
        let made = id(b"\xff", Some("no JSON"));
        assert_eq!((made.len(), made.clone()), (16, id(b"\xff", Some("no JSON"))));
        // Somebody's counter: two of them are two letters, and one that comes back is the same.
        let one = id(br#"{"id":"1","a":1}"#, Some("no event"));
        assert_ne!(one, id(br#"{"id":"1","a":2}"#, Some("no event")));
        assert_eq!(one, id(b" {\"id\":\"1\",\"a\":1}\n", Some("no event")));
        let newer = br#"{"id":"01JDAXQ5Y6V1V4M3Q2W1E0R9T8","type":"qliksense.health.v2"}"#;
        assert_eq!(id(newer, Some("unknown type")), "01JDAXQ5Y6V1V4M3Q2W1E0R9T8");
    }
}
