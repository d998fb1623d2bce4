//! What is known of each dead letter without having it.

use std::collections::HashMap;

use serde::Deserialize;

use crate::broker::DeadLetter;
use crate::timestamp::Timestamp;

/// What a letter's next version is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) first_time: Timestamp,
    pub(super) count: u64,
    bytes: u64,
}

/// The part of a letter that is read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    first_time: Timestamp,
    count: u64,
}

/// All letters of a group, by the token of their event's id.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    letters: HashMap<String, Known>,
    bytes: u64,
}

impl Mirror {
    pub(super) fn get(&self, token: &str) -> Option<Known> {
        self.letters.get(token).copied()
    }

    /// What all the others take.
    pub(super) fn bytes_without(&self, token: &str) -> u64 {
        self.bytes.saturating_sub(self.get(token).map_or(0, |known| known.bytes))
    }

    pub(super) fn insert(&mut self, token: &str, letter: &DeadLetter, bytes: u64) {
        let DeadLetter { first_time, count, .. } = *letter;
        self.set(token, Known { first_time, count, bytes });
    }

    pub(super) fn remove(&mut self, token: &str) {
        if let Some(known) = self.letters.remove(token) {
            self.bytes = self.bytes.saturating_sub(known.bytes);
        }
    }

    /// Takes note of what is retained under a token; what is no letter takes room all the same.
    pub(super) fn note(&mut self, token: &str, payload: &[u8]) {
        if payload.is_empty() {
            self.remove(token);
            return;
        }
        let bytes = payload.len() as u64;
        let (first_time, count) = match serde_json::from_slice::<Header>(payload) {
            Ok(header) => (header.first_time, header.count),
            Err(_) => (Timestamp::now(), 0),
        };
        self.set(token, Known { first_time, count, bytes });
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn set(&mut self, token: &str, known: Known) {
        self.remove(token);
        self.bytes = self.bytes.saturating_add(known.bytes);
        self.letters.insert(token.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bytes_and_reads_headers() {
        let letter = DeadLetter::new("1".to_owned(), "t".to_owned(), b"{}", "why".to_owned());
        let text = serde_json::to_vec(&letter).unwrap();
        let mut mirror = Mirror::default();
        mirror.note("1", &text);
        mirror.note("2", b"somebody else's");
        let known = mirror.get("1").unwrap();
        assert_eq!((known.first_time, known.count), (letter.first_time, 1));
        assert_eq!(mirror.bytes_without("1"), 15);
        mirror.insert("1", &DeadLetter { count: 2, ..letter }, 100);
        assert_eq!(mirror.get("1").unwrap().count, 2);
        assert_eq!(mirror.bytes_without("2"), 100);
        mirror.note("2", b"");
        mirror.remove("1");
        assert_eq!(mirror.bytes_without("3"), 0);
    }
}
