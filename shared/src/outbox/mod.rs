//! The queue on disk between a poll and the broker; with the embedded broker it is the queue.
//!
//! What was appended survives a kill at any moment. Sequences are given here, at the commit, so
//! that they have no gaps. A full outbox drops nothing it holds: it takes nothing more.

use std::path::PathBuf;

use thiserror::Error;

use crate::envelope::Unnumbered;
use crate::subject::Subject;
use crate::timestamp::Timestamp;

/// Where the outbox lies and how large it may become.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// Its directory; made when missing, used by one process at a time.
    pub directory: PathBuf,
    /// Bytes of its pages on disk beyond which nothing more is taken.
    pub max_bytes: u64,
}

/// An event to append.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it will be published.
    pub subject: Subject,
    /// The encoded event.
    pub event: Unnumbered,
}

/// A tick that had no outcome when the process before this one ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTick {
    /// The endpoint, as given to [`Outbox::tick_started`].
    pub endpoint: String,
    /// When its last request was sent.
    pub sent: Timestamp,
    /// Ticks without an outcome.
    pub ticks: u64,
}

/// Why events were not taken. Nothing of them was written.
#[derive(Debug, Error)]
pub enum AppendError {
    /// There is no room, in the outbox or on the disk.
    #[error("the outbox is full: {why}")]
    Full {
        /// Which limit was met.
        why: String,
    },
    /// The outbox cannot be written for another reason.
    #[error("the outbox cannot be written: {why}")]
    Unusable {
        /// What is wrong.
        why: String,
    },
}
