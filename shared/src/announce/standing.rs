//! Whether the broker is there, and what became of the messages: for the log, the readiness page
//! and the metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::book::{MAX_KEPT, NotTaken};

/// What is wrong with a connection that has not been tried.
const NOT_YET: &str = "not connected yet";

/// Whether the broker is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Connected,
    /// It is not, and why: for people, without secrets.
    Away {
        /// What is in the way, and what to do.
        why: String,
    },
}

impl Standing {
    /// Whether it is.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected)
    }
}

/// Messages since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Confirmed by the broker, or sent with QoS 0.
    pub published: u64,
    /// Dropped: too many waited, or they were too large.
    pub dropped: u64,
}

/// Tells of both; one line in the log for each change.
#[derive(Debug)]
pub(super) struct Teller {
    name: &'static str,
    standing: watch::Sender<Standing>,
    /// What the log said last while something is wrong, and the failures since.
    said: Mutex<Option<(String, u64)>>,
    published: AtomicU64,
    dropped: AtomicU64,
    has_told_of_refusal: AtomicBool,
}

impl Teller {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            standing: watch::Sender::new(Standing::Away { why: NOT_YET.to_owned() }),
            said: Mutex::new(None),
            published: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            has_told_of_refusal: AtomicBool::new(false),
        }
    }

    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            published: self.published.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    pub(super) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    /// So many messages were dropped.
    pub(super) fn dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn connected(&self) {
        self.standing.send_replace(Standing::Connected);
        if let Some((_, failures)) = self.said.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            tracing::info!(failures, "The broker of the {} is there again.", self.name);
        }
    }

    pub(super) fn away(&self, why: &str) {
        self.standing.send_replace(Standing::Away { why: why.to_owned() });
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = said.as_ref().map_or(0, |(_, failures)| *failures).saturating_add(1);
        if said.as_ref().is_none_or(|(before, _)| before != why) {
            tracing::warn!(failures, "The broker of the {} is missing: {why}.", self.name);
        }
        *said = Some((why.to_owned(), failures));
    }

    /// A subscription was refused: nothing of it will be heard.
    pub(super) fn not_heard(&self, section: &str) {
        tracing::warn!(
            "The broker of the {} refuses a subscription: may the user of {section}.username \
             subscribe to it? What others say there is not heard.",
            self.name
        );
    }

    /// Something was not taken; said once, counted always.
    pub(super) fn not_taken(&self, not_taken: NotTaken) {
        self.dropped(1);
        if self.has_told_of_refusal.swap(true, Ordering::Relaxed) {
            return;
        }
        let why = match not_taken {
            NotTaken::TooLarge => "one is too large".to_owned(),
            NotTaken::TooMany => format!("there are more than {MAX_KEPT} topics"),
            NotTaken::NoTopic => "one has a topic that cannot be published to".to_owned(),
        };
        tracing::warn!("Some messages of the {} are not published: {why}.", self.name);
    }
}
