//! Log lines about servers that fail: the first failure, a counted summary each minute, and the
//! recovery.
//!
//! The number of lines is bounded, whatever fails: when a certificate cannot be read every
//! endpoint fails at once. No line holds a query, a header or a part of a body.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::event::Category;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::endpoint::Endpoint;
use crate::http::Failure;

/// Time between two summaries.
const SUMMARY_EVERY: Duration = Duration::from_mins(1);
/// Lines about single endpoints between two summaries, and in one: what a person can read.
const LINES: usize = 20;

/// The endpoints that fail now.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    troubles: BTreeMap<String, Trouble>,
    /// Lines since the last summary.
    lines: usize,
    /// Endpoints that began to fail, and that recovered, without a line of their own.
    unsaid: Unsaid,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Unsaid {
    failing: usize,
    recovered: usize,
}

#[derive(Debug)]
struct Trouble {
    server: String,
    url: String,
    cause: String,
    since: Instant,
    /// Failed ticks since the first one.
    total: u64,
    /// Failed ticks since the last summary.
    recent: u64,
}

impl Failing {
    /// Tells that ticks of an endpoint failed.
    pub(crate) fn failed(&self, endpoint: &Endpoint, failure: &Failure, ticks: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = state.troubles.get_mut(&endpoint.key) {
            trouble.total += ticks;
            trouble.recent += ticks;
            // That ticks are skipped behind a hanging poll is no cause of its own.
            if failure.category != Category::SKIPPED {
                trouble.cause = failure.message.to_string();
            }
            return;
        }
        let trouble = Trouble {
            server: endpoint.server.name.clone(),
            url: endpoint.shown_url(),
            cause: failure.message.to_string(),
            since: Instant::now(),
            total: ticks,
            recent: 0,
        };
        if state.may_say() {
            warn!(
                server = trouble.server,
                source = endpoint.source.name(),
                category = failure.category.name(),
                "Poll of {} failed: {}.",
                trouble.url,
                trouble.cause
            );
        } else {
            state.unsaid.failing += 1;
        }
        state.troubles.insert(endpoint.key.clone(), trouble);
    }

    /// Tells that a poll of an endpoint succeeded.
    pub(crate) fn succeeded(&self, endpoint: &Endpoint) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(trouble) = state.troubles.remove(&endpoint.key) else { return };
        if state.may_say() {
            info!(
                server = trouble.server,
                source = endpoint.source.name(),
                "{} answers again after {} failed polls in {} s.",
                trouble.url,
                trouble.total,
                trouble.since.elapsed().as_secs()
            );
        } else {
            state.unsaid.recovered += 1;
        }
    }

    /// Forgets the failures of an endpoint that is polled no longer.
    pub(crate) fn forget(&self, endpoint: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).troubles.remove(endpoint);
    }

    /// Writes a summary each minute until `stop`.
    pub(crate) async fn summarize(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SUMMARY_EVERY) => {}
            }
            for line in self.summary() {
                warn!("{line}");
            }
        }
    }

    fn summary(&self) -> Vec<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines = 0;
        let unsaid = std::mem::take(&mut state.unsaid);
        let mut lines = Vec::new();
        let mut more = (0_u64, 0_u64);
        for trouble in state.troubles.values_mut().filter(|trouble| trouble.recent > 0) {
            let recent = std::mem::take(&mut trouble.recent);
            if lines.len() < LINES {
                lines.push(format!(
                    "Server {}: {recent} more polls of {} failed, {} in {} s: {}.",
                    trouble.server,
                    trouble.url,
                    trouble.total,
                    trouble.since.elapsed().as_secs(),
                    trouble.cause
                ));
            } else {
                more = (more.0 + 1, more.1 + recent);
            }
        }
        if more.0 > 0 {
            lines.push(format!("{} more polls of {} more endpoints failed.", more.1, more.0));
        }
        if unsaid != Unsaid::default() {
            lines.push(format!(
                "{} more endpoints began to fail, and {} recovered.",
                unsaid.failing, unsaid.recovered
            ));
        }
        lines
    }
}

impl State {
    fn may_say(&mut self) -> bool {
        self.lines += 1;
        self.lines <= LINES
    }
}

#[cfg(test)]
mod tests;
