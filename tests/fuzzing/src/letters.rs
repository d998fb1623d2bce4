//! Dead letters and the records of slots: anybody may retain anything where they lie.

use shared::broker::DeadLetter;
use shared::broker::mqtt::SlotRecord;

use crate::draw::Draw;

/// The least room in which a letter must fit: its texts, escaped, and a beginning of its event.
const LEAST_ROOM: usize = 64 * 1024;

/// Reads the bytes as a letter and as a record; makes a letter of them and makes that fit.
pub fn letters(bytes: &[u8]) {
    if let Ok(letter) = serde_json::from_slice::<DeadLetter>(bytes) {
        let _bytes_or_none = letter.payload();
        check_text(&letter);
    }
    if let Ok(record) = serde_json::from_slice::<SlotRecord>(bytes) {
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<SlotRecord>(&text).unwrap(), record);
    }
    check_made(bytes);
}

fn check_text(letter: &DeadLetter) {
    let text = serde_json::to_string(letter).unwrap();
    let again: DeadLetter = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(again.payload(), letter.payload());
}

/// A letter holds its event, and its beginning when there is no room for all of it.
fn check_made(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let (subject, reason) = (draw.text(), draw.text());
    let lines: Vec<String> = (0..draw.below(4)).map(|_| draw.text()).collect();
    // Long enough to be in the way, now and then.
    let payload = draw.rest().repeat(1 + draw.below(40) * 50);
    let id = "01JDAXQ5Y6V1V4M3Q2W1E0R9T8".to_owned();
    let letter = DeadLetter { lines, ..DeadLetter::new(id, subject, &payload, reason) };
    let kept = letter.payload().unwrap();
    assert!(kept == payload || kept == payload.trim_ascii(), "another event");
    check_text(&letter);
    for limit in [LEAST_ROOM, 1 << 20] {
        let fitted = letter.to_json_within(limit).unwrap();
        assert!(fitted.len() <= limit, "{} of {limit}", fitted.len());
        let fitted: DeadLetter = serde_json::from_str(&fitted).unwrap();
        assert!(kept.starts_with(&fitted.payload().unwrap()), "another beginning");
        assert_eq!((&fitted.event_id, fitted.count), (&letter.event_id, letter.count));
    }
}
