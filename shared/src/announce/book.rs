//! What the broker is to say, and what of it has yet to be published. Pure: no connection here.
//!
//! A retained message is *due* from the moment that it changes until a connection takes it, and
//! again when the connection ends. A later value of a topic takes the place of one that waits.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Retained messages at most: a hundred servers of a hundred entities each, in the form that has a
/// message for every entity.
pub(super) const MAX_KEPT: usize = 10_000;
/// The largest payload that is kept: that of an event, which every broker of ours takes.
pub(super) const MAX_KEPT_BYTES: usize = 900 << 10;
/// The largest payload that is told: the sessions of a large virtual proxy, as the predecessor
/// publishes them.
pub(super) const MAX_TOLD_PAYLOAD: usize = 9 << 20;
/// Messages that wait to be told at most, one a topic: what a site of some dozen servers tells with
/// a round of polls.
pub(super) const MAX_TOLD: usize = 2_000;
/// Their payloads together at most.
pub(super) const MAX_TOLD_BYTES: usize = 32 << 20;

/// Every message that is kept or waits.
#[derive(Debug, Default)]
pub(super) struct Book {
    kept: BTreeMap<String, Kept>,
    /// The topics of `kept` that have to be published, in the order in which they changed.
    due: VecDeque<String>,
    told: VecDeque<Told>,
    told_bytes: usize,
    /// Counts the changes, so that a confirmation says which value it is of.
    changes: u64,
}

#[derive(Debug)]
struct Kept {
    /// Empty when the broker is to forget the topic.
    payload: Bytes,
    change: u64,
    /// The place among those that are kept, given with the first value.
    place: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Due,
    OnItsWay,
    Confirmed,
}

#[derive(Debug)]
struct Told {
    topic: String,
    payload: Bytes,
    retain: bool,
}

/// What is handed to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) retain: bool,
    /// Which value of a kept topic it is; none when it was only told.
    pub(super) change: Option<u64>,
}

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It is larger than [`MAX_KEPT_BYTES`], or [`MAX_TOLD_PAYLOAD`].
    TooLarge,
    /// There are [`MAX_KEPT`] topics already.
    TooMany,
    /// It is no topic that can be published to.
    NoTopic,
}

impl Book {
    /// The broker is to retain this; nothing happens when it does already.
    pub(super) fn keep(&mut self, topic: String, payload: Bytes) -> Result<(), NotTaken> {
        check(&topic, &payload, MAX_KEPT_BYTES)?;
        match self.kept.get(&topic) {
            Some(kept) if kept.payload == payload => return Ok(()),
            None if self.kept.len() >= MAX_KEPT => return Err(NotTaken::TooMany),
            _ => {}
        }
        self.change(topic, payload);
        Ok(())
    }

    /// The broker is to forget the topic.
    pub(super) fn clear(&mut self, topic: &str) -> Result<(), NotTaken> {
        self.keep(topic.to_owned(), Bytes::new())
    }

    fn change(&mut self, topic: String, payload: Bytes) {
        self.changes += 1;
        let change = self.changes;
        let kept = self.kept.entry(topic.clone()).or_insert(Kept {
            payload: Bytes::new(),
            change,
            place: change,
            stage: Stage::Confirmed,
        });
        kept.payload = payload;
        kept.change = change;
        if kept.stage != Stage::Due {
            kept.stage = Stage::Due;
            self.due.push_back(topic);
        }
    }

    /// Takes a message that is published once, or not at all; says how many it had to drop.
    pub(super) fn tell(
        &mut self,
        topic: String,
        payload: Bytes,
        retain: bool,
    ) -> Result<u64, NotTaken> {
        check(&topic, &payload, MAX_TOLD_PAYLOAD)?;
        self.told_bytes += payload.len();
        if let Some(waiting) = self.told.iter_mut().find(|waiting| waiting.topic == topic) {
            self.told_bytes = self.told_bytes.saturating_sub(waiting.payload.len());
            (waiting.payload, waiting.retain) = (payload, retain);
        } else {
            self.told.push_back(Told { topic, payload, retain });
        }
        let mut dropped = 0;
        while self.told.len() > MAX_TOLD || self.told_bytes > MAX_TOLD_BYTES {
            if self.next_told().is_none() {
                break;
            }
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Everything that is kept is due, in the order of its first values.
    pub(super) fn again(&mut self) {
        for kept in self.kept.values_mut() {
            kept.stage = Stage::Due;
        }
        let mut topics: Vec<_> =
            self.kept.iter().map(|(topic, kept)| (kept.place, topic)).collect();
        topics.sort_unstable();
        self.due = topics.into_iter().map(|(_, topic)| topic.clone()).collect();
    }

    /// The next message for a connection: what is kept goes first.
    pub(super) fn next(&mut self) -> Option<Message> {
        while let Some(topic) = self.due.pop_front() {
            if let Some(kept) = self.kept.get_mut(&topic).filter(|kept| kept.stage == Stage::Due) {
                kept.stage = Stage::OnItsWay;
                let (payload, change) = (kept.payload.clone(), Some(kept.change));
                return Some(Message { topic, payload, retain: true, change });
            }
        }
        let Told { topic, payload, retain } = self.next_told()?;
        Some(Message { topic, payload, retain, change: None })
    }

    fn next_told(&mut self) -> Option<Told> {
        let told = self.told.pop_front()?;
        self.told_bytes = self.told_bytes.saturating_sub(told.payload.len());
        Some(told)
    }

    /// The broker has this value of a kept topic.
    pub(super) fn confirmed(&mut self, topic: &str, change: u64) {
        let Some(kept) = self.kept.get_mut(topic) else { return };
        if kept.change != change || kept.stage != Stage::OnItsWay {
            return;
        }
        kept.stage = Stage::Confirmed;
        if kept.payload.is_empty() {
            self.kept.remove(topic);
        }
    }

    /// Whether the broker has all that it is to retain.
    pub(super) fn is_true(&self) -> bool {
        self.kept.values().all(|kept| kept.stage == Stage::Confirmed)
    }

    /// Whether the topic has a value.
    pub(super) fn keeps(&self, topic: &str) -> bool {
        self.kept.get(topic).is_some_and(|kept| !kept.payload.is_empty())
    }
}

/// Refuses what would end a connection, and each one after it.
fn check(topic: &str, payload: &Bytes, max_bytes: usize) -> Result<(), NotTaken> {
    const LONGEST_TOPIC: usize = 65_535;
    if topic.is_empty() || topic.len() > LONGEST_TOPIC || topic.contains(['+', '#', '\0']) {
        return Err(NotTaken::NoTopic);
    }
    if payload.len() > max_bytes {
        return Err(NotTaken::TooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(book: &mut Book, topic: &str, payload: &str) {
        book.keep(topic.to_owned(), Bytes::copy_from_slice(payload.as_bytes())).unwrap();
    }

    fn tell(book: &mut Book, topic: &str, bytes: usize) -> u64 {
        book.tell(topic.to_owned(), vec![b'x'; bytes].into(), false).unwrap()
    }

    /// All that is due, as `topic=payload`.
    fn drain(book: &mut Book) -> Vec<String> {
        std::iter::from_fn(|| book.next())
            .map(|next| format!("{}={}", next.topic, String::from_utf8_lossy(&next.payload)))
            .collect()
    }

    #[test]
    fn only_changes_are_due_and_all_of_it_on_demand() {
        let mut book = Book::default();
        keep(&mut book, "b", "1");
        keep(&mut book, "a", "1");
        assert_eq!(drain(&mut book), ["b=1", "a=1"]);
        keep(&mut book, "a", "1");
        assert_eq!(drain(&mut book), [""; 0]);
        keep(&mut book, "a", "2");
        keep(&mut book, "a", "3");
        assert_eq!(drain(&mut book), ["a=3"]);
        book.again();
        assert_eq!(drain(&mut book), ["b=1", "a=3"]);
    }

    #[test]
    fn true_when_each_last_value_is_confirmed() {
        let mut book = Book::default();
        keep(&mut book, "a", "1");
        let first = book.next().unwrap();
        keep(&mut book, "a", "2");
        book.confirmed("a", first.change.unwrap());
        assert!(!book.is_true());
        let second = book.next().unwrap();
        assert_eq!(&second.payload[..], b"2");
        book.confirmed("a", second.change.unwrap());
        assert!(book.is_true());
    }

    #[test]
    fn a_cleared_topic_is_forgotten_once_that_is_confirmed() {
        let mut book = Book::default();
        keep(&mut book, "a", "1");
        assert!(book.keeps("a"));
        book.clear("a").unwrap();
        assert!(!book.keeps("a"));
        let cleared = book.next().unwrap();
        assert!(cleared.retain && cleared.payload.is_empty());
        // The connection breaks, and the next one says it again.
        book.again();
        let cleared = book.next().unwrap();
        book.confirmed("a", cleared.change.unwrap());
        book.again();
        assert_eq!(book.next(), None);
        // What was kept by nobody here is cleared all the same.
        book.clear("elsewhere").unwrap();
        assert_eq!(drain(&mut book), ["elsewhere="]);
    }

    #[test]
    fn what_is_told_is_newest_and_bounded() {
        let mut book = Book::default();
        assert_eq!(tell(&mut book, "a", 1), 0);
        assert_eq!(tell(&mut book, "a", 2), 0);
        assert_eq!(drain(&mut book), ["a=xx"]);
        let dropped: u64 = (0..MAX_TOLD + 3).map(|n| tell(&mut book, &format!("{n}"), 1)).sum();
        assert_eq!(dropped, 3);
        assert_eq!(book.next().unwrap().topic, "3");
        drain(&mut book);
        let part = MAX_TOLD_BYTES / 4;
        let dropped: u64 = (0..5).map(|n| tell(&mut book, &format!("{n}"), part)).sum();
        assert_eq!(dropped, 1);
        drain(&mut book);
        assert_eq!(book.told_bytes, 0);
    }

    #[test]
    fn what_would_end_a_connection_is_not_taken() {
        let mut book = Book::default();
        let large = |bytes: usize| Bytes::from(vec![0; bytes + 1]);
        let kept = book.keep("a".to_owned(), large(MAX_KEPT_BYTES));
        let told = book.tell("a".to_owned(), large(MAX_TOLD_PAYLOAD), false);
        assert_eq!((kept, told), (Err(NotTaken::TooLarge), Err(NotTaken::TooLarge)));
        for topic in ["", "a/#", "+/a", "a\0"] {
            assert_eq!(book.clear(topic), Err(NotTaken::NoTopic), "{topic}");
        }
        for topic in 0..MAX_KEPT {
            keep(&mut book, &topic.to_string(), "x");
        }
        assert_eq!(book.keep("one more".to_owned(), Bytes::new()), Err(NotTaken::TooMany));
        keep(&mut book, "7", "y");
    }
}
