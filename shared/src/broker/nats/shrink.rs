//! Dead letters that are larger than the server takes, made smaller: a letter that can never be
//! kept would hold the writer up for good.
//!
//! The refused lines go first, since they can be made again from the event. Only what no program of
//! Footman publishes can still be too large then, and of that the beginning is kept.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::broker::DeadLetter;

/// What a reason may take of a letter that has to be made smaller.
const LONGEST_REASON: usize = 4_096;
/// Room for the letter's other members.
const ROOM_FOR_THE_REST: usize = 16_384;

/// The letter in JSON, in no more than `limit` bytes.
pub(super) fn to_fit(letter: &DeadLetter, limit: usize) -> Result<Vec<u8>, serde_json::Error> {
    let whole = serde_json::to_vec(letter)?;
    if whole.len() <= limit {
        return Ok(whole);
    }
    let mut smaller = letter.clone();
    truncate(&mut smaller.reason, LONGEST_REASON);
    let lines = std::mem::take(&mut smaller.lines).len();
    if lines > 0 {
        smaller.reason.push_str(&format_args!(" [{lines} lines left out: too large]").to_string());
    }
    let without_lines = serde_json::to_vec(&smaller)?;
    if without_lines.len() <= limit {
        return Ok(without_lines);
    }
    let payload = match &smaller.event {
        Some(event) => Cow::Borrowed(event.get().as_bytes()),
        None => Cow::Owned(letter.payload().unwrap_or_default()),
    };
    let kept = payload.len().min(limit.saturating_sub(ROOM_FOR_THE_REST) / 4 * 3);
    let note = format!(" [only the first {kept} of {} bytes are kept: too large]", payload.len());
    let beginning = payload.get(..kept).map(|bytes| BASE64.encode(bytes));
    smaller.event = None;
    smaller.event_base64 = beginning;
    smaller.reason.push_str(&note);
    truncate(&mut smaller.subject, LONGEST_REASON);
    serde_json::to_vec(&smaller)
}

fn truncate(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100_000;

    fn fitted(payload: &[u8], lines: Vec<String>) -> DeadLetter {
        let (id, subject) = ("1".to_owned(), "qliksense/v1/health/a".to_owned());
        let letter =
            DeadLetter { lines, ..DeadLetter::new(id, subject, payload, "refused".into()) };
        let fitted = to_fit(&letter, LIMIT).unwrap();
        assert!(fitted.len() <= LIMIT, "{}", fitted.len());
        serde_json::from_slice(&fitted).unwrap()
    }

    #[test]
    fn what_fits_is_unchanged() {
        let letter = fitted(b"{\"a\":  1}", vec!["line".to_owned()]);
        assert_eq!(letter.payload().unwrap(), b"{\"a\":  1}");
        assert_eq!((letter.lines.len(), letter.reason.as_str()), (1, "refused"));
    }

    #[test]
    fn lines_go_first() {
        let letter = fitted(b"{}", vec!["x".repeat(LIMIT), "y".to_owned()]);
        assert_eq!(letter.payload().unwrap(), b"{}");
        assert_eq!(letter.reason, "refused [2 lines left out: too large]");
    }

    #[test]
    fn of_what_is_still_too_large_the_beginning_is_kept() {
        for payload in [vec![0xFF; 90_000], format!("\"{}\"", "x".repeat(LIMIT)).into_bytes()] {
            let letter = fitted(&payload, Vec::new());
            let kept = letter.payload().unwrap();
            assert!(kept.len() > 50_000 && payload.starts_with(&kept));
            assert!(letter.reason.contains("bytes are kept"), "{}", letter.reason);
        }
    }
}
