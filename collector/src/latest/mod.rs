//! What the site said last: the newest answer of each endpoint, how each fares, and every outcome as
//! it comes.
//!
//! Between the recorder and all who show the site: `/metrics`, the live page, state topics. It is
//! bounded by the number of endpoints. An answer stays until the next one, however old it gets, so
//! whoever shows it asks whether it is fresh.

mod site;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::event::{Health, Server, Source};
use shared::timestamp::Timestamp;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::endpoint::Endpoint;
use crate::outcome::Outcome;
use crate::sources::SessionList;
pub use site::{EndpointState, FailingSince, LastPoll, ServerState};

/// Intervals without an answer after which the last one tells nothing about the site any more.
const FRESH_INTERVALS: u32 = 3;
/// Outcomes that a view may lag behind before it misses some.
const OUTCOMES: usize = 1_024;

/// The last answers of all endpoints.
#[derive(Debug)]
pub struct Latest {
    answers: Mutex<BTreeMap<String, LastAnswer>>,
    roll: Mutex<site::Roll>,
    outcomes: broadcast::Sender<Outcome>,
    changes: watch::Sender<u64>,
}

impl Default for Latest {
    fn default() -> Self {
        Self {
            answers: Mutex::default(),
            roll: Mutex::default(),
            outcomes: broadcast::Sender::new(OUTCOMES),
            changes: watch::Sender::new(0),
        }
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
    /// The sessions as the predecessor's topics tell them; none where these are not published.
    pub session_list: Option<SessionList>,
    /// When the answer was read, on the clock that never jumps.
    answered: Instant,
}

/// What an answer said.
#[derive(Clone, Debug)]
pub enum Said {
    /// An engine's health, as it was published, without the list of named apps.
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
    /// The first of them as `directory\\id`, or what is published in the place of the id; none unless
    /// `collector.http.showUsers` allows it.
    pub users: Vec<String>,
}

impl LastAnswer {
    /// An answer that was read just now.
    pub(crate) fn now(said: Said, time: Timestamp, interval: Duration) -> Self {
        Self { said, time, interval, session_list: None, answered: Instant::now() }
    }

    /// The same with the sessions as text.
    pub(crate) fn with_list(self, session_list: Option<SessionList>) -> Self {
        Self { session_list, ..self }
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

    /// The servers that are polled now, in the site's order, also those that never answered.
    pub fn servers(&self) -> Vec<ServerState> {
        site::servers(self.states())
    }

    /// The repository whose app names are extracted, where they are.
    pub fn repository(&self) -> Option<EndpointState> {
        let states = self.states().into_iter().map(|(_token, state)| state);
        states.into_iter().find(|state| state.source == Source::AppNames)
    }

    /// Changes with every outcome, and when endpoints come or go.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn states(&self) -> Vec<(String, EndpointState)> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        self.roll.lock().unwrap_or_else(PoisonError::into_inner).states(&answers)
    }

    /// Every outcome from now on. The answers are those of an outcome when it arrives.
    pub fn subscribe(&self) -> broadcast::Receiver<Outcome> {
        self.outcomes.subscribe()
    }

    /// These endpoints are polled from now on, and no others.
    pub(crate) fn polls(&self, endpoints: &[Endpoint]) {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner).call(endpoints);
        self.changed();
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

    /// Shows an outcome of an endpoint to those who watch.
    pub(crate) fn show(&self, endpoint: &str, outcome: Outcome) {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner).note(endpoint, &outcome);
        // Nobody may be watching.
        let _watched = self.outcomes.send(outcome);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

#[cfg(test)]
pub(crate) mod tests;
