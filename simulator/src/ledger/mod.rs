//! The ledger: every answer that was handed over whole, in the order of its leaving.
//!
//! A test compares it with what arrived at the far end of whatever it tests.
//! The one invariant: an answer is recorded when its last byte was flushed into the connection, never earlier; one that
//! a client did not wait for is counted as unfinished instead.

mod facts;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;

use crate::{Endpoint, Fault};

pub use facts::{Facts, HealthFacts, Session};

/// How many entries the ledger holds unless configured otherwise.
pub const DEFAULT_LEDGER_ENTRIES: usize = 200_000;

/// How many bytes of bodies the ledger holds; beyond, the oldest entries leave, as with too many entries.
pub const MAX_LEDGER_BODY_BYTES: usize = 512 * 1024 * 1024;

/// One answer.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerEntry {
    /// Counts the entries from 1 without gaps.
    pub number: u64,
    /// When the answer was made, in nanoseconds since 1970.
    pub time_ns: u64,
    /// The server's index, from 0.
    pub server: usize,
    /// The server's address and port, as the client used it.
    #[serde(serialize_with = "facts::as_text")]
    pub host: Arc<str>,
    /// Which service answered.
    pub endpoint: Endpoint,
    /// The virtual proxy as configured, `/` or `/hdr`, for session lists.
    #[serde(serialize_with = "facts::as_optional_text")]
    pub virtual_proxy: Option<Arc<str>>,
    /// The path and query of the request.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// The fault that shaped the answer, if any.
    pub fault: Option<Fault>,
    /// The body, or what is left of it; the white space after a huge answer is not recorded.
    pub body: RecordedBody,
    /// What the answer said, where it was the right one.
    pub facts: Facts,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedBody {
    /// All of it.
    Whole(Bytes),
    /// Its length and FNV-1a checksum.
    Digest {
        /// In bytes.
        length: usize,
        /// 64 bit FNV-1a of the bytes.
        checksum: u64,
    },
}

impl RecordedBody {
    /// The length in bytes.
    pub fn length(&self) -> usize {
        match self {
            RecordedBody::Whole(bytes) => bytes.len(),
            RecordedBody::Digest { length, .. } => *length,
        }
    }

    pub(crate) fn digest(bytes: &[u8]) -> Self {
        let checksum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |checksum, byte| {
            (checksum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        RecordedBody::Digest { length: bytes.len(), checksum }
    }

    fn held_bytes(&self) -> usize {
        match self {
            RecordedBody::Whole(bytes) => bytes.len(),
            RecordedBody::Digest { .. } => 0,
        }
    }
}

impl Serialize for RecordedBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "lowercase")]
        enum Shape<'a> {
            Whole(std::borrow::Cow<'a, str>),
            Digest { length: usize, checksum: u64 },
        }
        match self {
            RecordedBody::Whole(bytes) => Shape::Whole(String::from_utf8_lossy(bytes)),
            RecordedBody::Digest { length, checksum } => {
                Shape::Digest { length: *length, checksum: *checksum }
            }
        }
        .serialize(serializer)
    }
}

/// The record of a site's answers; clones share it.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    book: Mutex<Book>,
    /// How many entries were ever recorded; what waits wakes on it.
    recorded: watch::Sender<u64>,
    unfinished: AtomicU64,
}

#[derive(Debug, Default)]
struct Book {
    entries: VecDeque<Arc<LedgerEntry>>,
    body_bytes: usize,
    recorded: u64,
    dropped: u64,
    /// Per server and endpoint, in the order of [`Endpoint::ALL`].
    counts: Vec<[u64; Endpoint::ALL.len()]>,
}

impl Ledger {
    pub(crate) fn new(capacity: usize) -> Self {
        let shared = Shared {
            capacity,
            book: Mutex::default(),
            recorded: watch::Sender::new(0),
            unfinished: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many answers were ever recorded, drained and dropped ones included.
    pub fn recorded(&self) -> u64 {
        self.book().recorded
    }

    /// How many entries left unread because the ledger was full.
    pub fn dropped(&self) -> u64 {
        self.book().dropped
    }

    /// How many answers were begun and not finished, because the client left or the fault wanted it so.
    pub fn unfinished(&self) -> u64 {
        self.shared.unfinished.load(Ordering::SeqCst)
    }

    /// How many answers an endpoint of a server ever gave, drained and dropped ones included.
    pub fn count(&self, server: usize, endpoint: Endpoint) -> u64 {
        let book = self.book();
        book.counts
            .get(server)
            .and_then(|counts| counts.get(endpoint.index()))
            .copied()
            .unwrap_or_default()
    }

    /// The entries in hand, oldest first.
    pub fn entries(&self) -> Vec<Arc<LedgerEntry>> {
        self.book().entries.iter().cloned().collect()
    }

    /// Takes the entries in hand, oldest first.
    pub fn drain(&self) -> Vec<Arc<LedgerEntry>> {
        let mut book = self.book();
        book.body_bytes = 0;
        book.entries.drain(..).collect()
    }

    /// Waits until at least `recorded` answers were ever recorded.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for(&self, recorded: u64) {
        let mut receiver = self.shared.recorded.subscribe();
        // The sender lives as long as `self`.
        let _ = receiver.wait_for(|now| *now >= recorded).await;
    }

    /// Waits until an endpoint of a server has ever given at least `answers` answers.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for_count(&self, server: usize, endpoint: Endpoint, answers: u64) {
        let mut receiver = self.shared.recorded.subscribe();
        let _ = receiver.wait_for(|_| self.count(server, endpoint) >= answers).await;
    }

    /// Records `entries` in their order and numbers them.
    pub(crate) fn record(&self, entries: impl IntoIterator<Item = LedgerEntry>) {
        let recorded = {
            let mut book = self.book();
            for entry in entries {
                book.push(entry, self.shared.capacity);
            }
            book.recorded
        };
        self.shared.recorded.send_replace(recorded);
    }

    pub(crate) fn note_unfinished(&self, answers: u64) {
        self.shared.unfinished.fetch_add(answers, Ordering::SeqCst);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn push(&mut self, mut entry: LedgerEntry, capacity: usize) {
        self.recorded += 1;
        entry.number = self.recorded;
        if self.counts.len() <= entry.server {
            self.counts.resize(entry.server + 1, [0; Endpoint::ALL.len()]);
        }
        if let Some(count) = self
            .counts
            .get_mut(entry.server)
            .and_then(|counts| counts.get_mut(entry.endpoint.index()))
        {
            *count += 1;
        }
        self.body_bytes += entry.body.held_bytes();
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > capacity || self.body_bytes > MAX_LEDGER_BODY_BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.body_bytes -= oldest.body.held_bytes();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(server: usize) -> LedgerEntry {
        LedgerEntry {
            number: 0,
            time_ns: 0,
            server,
            host: "127.0.0.1:4747".into(),
            endpoint: Endpoint::Engine,
            virtual_proxy: None,
            path: "/healthcheck".into(),
            status: 200,
            fault: None,
            body: RecordedBody::digest(b"abc"),
            facts: Facts::None,
        }
    }

    #[test]
    fn a_full_ledger_drops_the_oldest_and_counts_it() {
        let ledger = Ledger::new(2);
        ledger.record([entry(0), entry(1), entry(1)]);
        let numbers: Vec<u64> = ledger.entries().iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [2, 3]);
        assert_eq!((ledger.recorded(), ledger.dropped()), (3, 1));
        assert_eq!(ledger.count(0, Endpoint::Engine), 1);
        assert_eq!(ledger.count(1, Endpoint::Engine), 2);
        assert_eq!(ledger.count(7, Endpoint::Engine), 0);
        assert_eq!(ledger.drain().len(), 2);
        assert_eq!((ledger.entries().len(), ledger.recorded()), (0, 3));
    }

    #[tokio::test]
    async fn waiting_ends_when_enough_is_recorded() {
        let ledger = Ledger::new(10);
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.wait_for(2).await }
        });
        ledger.record([entry(0)]);
        ledger.record([entry(0)]);
        waiting.await.unwrap();
        ledger.wait_for_count(0, Endpoint::Engine, 2).await;
    }

    #[test]
    fn the_checksum_is_fnv_1a() {
        let expected = RecordedBody::Digest { length: 1, checksum: 0xaf63_dc4c_8601_ec8c };
        assert_eq!(RecordedBody::digest(b"a"), expected);
    }
}
