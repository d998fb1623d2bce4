//! What the site said last: the newest answer of each endpoint, and every outcome as it comes.
//!
//! Between the recorder and all who show the site: `/metrics`, the live page, state topics. It is
//! bounded by the number of endpoints. An answer stays until the next one, however old it gets, so
//! whoever shows it asks whether it is fresh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::event::{Health, Server};
use shared::timestamp::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::outcome::Outcome;

/// Intervals without an answer after which the last one tells nothing about the site any more.
const FRESH_INTERVALS: u32 = 3;
/// Outcomes that a view may lag behind before it misses some.
const OUTCOMES: usize = 1_024;

/// The last answers of all endpoints.
#[derive(Debug)]
pub struct Latest {
    answers: Mutex<BTreeMap<String, LastAnswer>>,
    outcomes: broadcast::Sender<Outcome>,
}

impl Default for Latest {
    fn default() -> Self {
        Self { answers: Mutex::default(), outcomes: broadcast::Sender::new(OUTCOMES) }
    }
}

/// The last answer of one endpoint.
#[derive(Clone, Debug)]
pub struct LastAnswer {
    /// What it said.
    pub said: Said,
    /// When the request was sent, as its event says.
    pub time: Timestamp,
    /// Time between two polls of the endpoint.
    pub interval: Duration,
    /// When the answer was read, on the clock that never jumps.
    answered: Instant,
}

/// What an answer said; app names are in the health events.
#[derive(Clone, Debug)]
pub enum Said {
    /// An engine's health, as it was published.
    Health(Arc<Health>),
    /// How many sessions a virtual proxy has.
    Sessions(Arc<SessionTotals>),
}

/// How many sessions a virtual proxy has, over all parts of a poll.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionTotals {
    /// The server polled.
    pub server: Arc<Server>,
    /// The virtual proxy's prefix with a leading slash, `/` for the default one.
    pub virtual_proxy: String,
    /// The proxy service's `host:port`, as configured.
    pub host: String,
    /// Sessions of everybody, excluded users among them.
    pub session_count: u64,
    /// Sessions of excluded users.
    pub excluded_session_count: u64,
    /// Distinct users who are not excluded.
    pub user_count: u64,
}

impl LastAnswer {
    /// An answer that was read just now.
    pub(crate) fn now(said: Said, time: Timestamp, interval: Duration) -> Self {
        Self { said, time, interval, answered: Instant::now() }
    }

    /// Time since the answer was read.
    pub fn age(&self) -> Duration {
        self.answered.elapsed()
    }

    /// Whether it still tells something about the site.
    pub fn is_fresh(&self) -> bool {
        self.age() <= self.interval.saturating_mul(FRESH_INTERVALS)
    }
}

impl Latest {
    /// The last answers of all endpoints that ever answered and are still polled, always in the
    /// same order.
    pub fn answers(&self) -> Vec<LastAnswer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.values().cloned().collect()
    }

    /// Those of them that are fresh.
    pub fn fresh(&self) -> Vec<LastAnswer> {
        let mut answers = self.answers();
        answers.retain(LastAnswer::is_fresh);
        answers
    }

    /// Every outcome from now on. The answers are those of an outcome when it arrives.
    pub fn subscribe(&self) -> broadcast::Receiver<Outcome> {
        self.outcomes.subscribe()
    }

    /// Takes an answer in the place of the endpoint's one before.
    pub(crate) fn answered(&self, endpoint: &str, answer: LastAnswer) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get_mut(endpoint) {
            Some(last) => *last = answer,
            None => drop(answers.insert(endpoint.to_owned(), answer)),
        }
    }

    /// Forgets the answer of an endpoint that is polled no longer.
    pub(crate) fn forget(&self, endpoint: &str) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(endpoint);
    }

    /// Shows an outcome to those who watch.
    pub(crate) fn show(&self, outcome: Outcome) {
        // Nobody may be watching.
        let _watched = self.outcomes.send(outcome);
    }
}

#[cfg(test)]
pub(crate) mod tests;
