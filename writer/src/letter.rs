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
    let mut letter = DeadLetter::new(event_id(&held.payload), subject, &held.payload, why);
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
fn event_id(payload: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    match serde_json::from_slice::<Identified>(payload) {
        Ok(Identified { id }) if !id.is_empty() => id,
        _ => {
            let mut id = String::with_capacity(2 * DIGEST_BYTES);
            for byte in Sha256::digest(payload).iter().take(DIGEST_BYTES) {
                let _written = write!(id, "{byte:02x}");
            }
            id
        }
    }
}

/// A reason without the data that InfluxDB repeats in it: lines, and values of tags.
pub(crate) fn for_log(reason: &str) -> String {
    let mut reason = reason.to_owned();
    if let Some(at) = reason.find(UNREADABLE) {
        reason.truncate(at + UNREADABLE.len());
        reason.push_str(" a line");
    }
    for value in [" value=", " - oldest point"] {
        let kept = reason.find(value).unwrap_or(reason.len());
        reason.truncate(kept);
    }
    let first_line = reason.lines().next().unwrap_or_default();
    first_line.get(..first_line.floor_char_boundary(MAX_LOGGED)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
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
    fn ids_come_from_the_event_or_its_bytes() {
        assert_eq!(event_id(br#"{"id":"01JD","type":"x"}"#), "01JD");
        let made = event_id(b"\xff");
        assert_eq!((made.len(), made.clone()), (16, event_id(b"\xff")));
        assert_eq!(event_id(br#"{"id":""}"#).len(), 16);
    }
}
