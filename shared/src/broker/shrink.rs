//! Dead letters that are larger than the broker takes, made smaller: a letter that can never be
//! kept would hold the writer up for good.
//!
//! The refused lines go first, since they can be made again from the event. Only what no program of
//! Footman publishes can still be too large then, and of that the beginning is kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::DeadLetter;

/// No letter is larger, whatever the broker takes: an event of ours, its refused lines and a reason
/// fit twice over, and what others publish does not use up the space of all letters.
const MAX_LETTER_BYTES: usize = 2 << 20;
/// What a reason, or a subject, may take of a letter that has to be made smaller.
const LONGEST_TEXT: usize = 4_096;
/// Room for the note about what is left out.
const ROOM_FOR_THE_NOTE: usize = 128;

impl DeadLetter {
    /// The letter in JSON, in no more than `limit` bytes, as long as that is enough for a reason
    /// and a subject.
    ///
    /// # Errors
    /// None that is known: a letter is always JSON.
    pub fn to_json_within(&self, limit: usize) -> Result<String, serde_json::Error> {
        let limit = limit.min(MAX_LETTER_BYTES);
        let whole = serde_json::to_string(self)?;
        if whole.len() <= limit {
            return Ok(whole);
        }
        let mut smaller = self.clone();
        truncate(&mut smaller.reason);
        truncate(&mut smaller.subject);
        let lines = std::mem::take(&mut smaller.lines).len();
        if lines > 0 {
            smaller
                .reason
                .push_str(&format_args!(" [{lines} lines left out: too large]").to_string());
        }
        let without_lines = serde_json::to_string(&smaller)?;
        if without_lines.len() <= limit {
            return Ok(without_lines);
        }
        smaller.event = None;
        let payload = self.payload().unwrap_or_default();
        smaller.event_base64 = Some(String::new());
        let without_payload = serde_json::to_string(&smaller)?.len() + ROOM_FOR_THE_NOTE;
        let kept = payload.len().min(limit.saturating_sub(without_payload) / 4 * 3);
        let note =
            format!(" [only the first {kept} of {} bytes are kept: too large]", payload.len());
        smaller.event_base64 = payload.get(..kept).map(|bytes| BASE64.encode(bytes));
        smaller.reason.push_str(&note);
        serde_json::to_string(&smaller)
    }
}

fn truncate(text: &mut String) {
    text.truncate(text.floor_char_boundary(LONGEST_TEXT));
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100_000;

    fn fitted(payload: &[u8], lines: Vec<String>) -> DeadLetter {
        let (id, subject) = ("1".to_owned(), "qliksense/v1/health/a".to_owned());
        let letter =
            DeadLetter { lines, ..DeadLetter::new(id, subject, payload, "refused".into()) };
        let fitted = letter.to_json_within(LIMIT).unwrap();
        assert!(fitted.len() <= LIMIT, "{}", fitted.len());
        serde_json::from_str(&fitted).unwrap()
    }

    #[test]
    fn what_fits_is_unchanged() {
        let letter = fitted(b"{\"a\":  1}", vec!["line".to_owned()]);
        assert_eq!(letter.payload().unwrap(), b"{\"a\":  1}");
        assert_eq!((letter.lines.len(), letter.reason.as_str()), (1, "refused"));
    }

    #[test]
    fn no_letter_takes_the_space_of_all() {
        let (id, subject) = ("1".to_owned(), "qliksense/v1/health/a".to_owned());
        let letter = DeadLetter::new(id, subject, &vec![b'x'; 20 << 20], "no event".into());
        assert!(letter.to_json_within(usize::MAX).unwrap().len() <= MAX_LETTER_BYTES);
    }

    #[test]
    fn lines_go_first() {
        let letter = fitted(b"{}", vec!["x".repeat(LIMIT), "y".to_owned()]);
        assert_eq!(letter.payload().unwrap(), b"{}");
        assert_eq!(letter.reason, "refused [2 lines left out: too large]");
    }

    #[test]
    fn texts_that_grow_as_json_leave_room() {
        let evil = "\u{1}".repeat(LIMIT);
        let letter = DeadLetter::new("1".to_owned(), evil.clone(), &vec![1; LIMIT], evil);
        for limit in [60_000, LIMIT, 300_000] {
            let fitted = letter.to_json_within(limit).unwrap();
            assert!(fitted.len() <= limit, "{} of {limit}", fitted.len());
            let fitted: DeadLetter = serde_json::from_str(&fitted).unwrap();
            assert!(letter.payload().unwrap().starts_with(&fitted.payload().unwrap()));
        }
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
