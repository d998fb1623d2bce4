//! Asking again and again: the roster hears of every change, and the last good answer is kept.
//!
//! An answer that is none, or that names no node, changes nothing: what was known is polled on. It
//! is told once with its cause, and counted.

use std::sync::Arc;
use std::time::Duration;

use shared::backoff::Backoff;
use shared::readiness::Dependency;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::answers::{Node, Reading};
use super::ask::{Asker, NotFound};
use super::kept::Kept;
use super::metrics::DiscoveryMetrics;
use crate::poll::Site;

/// Time between two questions while the repository does not answer, unless the interval is shorter.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_mins(1) };

/// Follows the repository.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) asker: Asker,
    pub(crate) kept: Kept,
    pub(crate) interval: Duration,
    pub(crate) dependency: Dependency,
    pub(crate) metrics: DiscoveryMetrics,
    pub(crate) site: Arc<Site>,
    /// Takes the nodes of the first good answer, and of every one that differs from the one before.
    pub(crate) found: mpsc::Sender<Vec<Node>>,
}

/// What the follower remembers.
#[derive(Debug)]
struct Memory {
    /// The nodes that are polled; none before the first answer.
    nodes: Option<Vec<Node>>,
    /// Whether this process had an answer.
    answered: bool,
    notes: Vec<String>,
    trouble: Option<Trouble>,
}

/// Questions without an answer.
#[derive(Debug)]
struct Trouble {
    cause: NotFound,
    since: Instant,
    failures: u32,
}

impl Follower {
    /// Asks until `stop`; `known` is what was kept of before.
    pub(crate) async fn run(self, known: Option<Vec<Node>>, stop: CancellationToken) {
        let mut memory = Memory { nodes: known, answered: false, notes: vec![], trouble: None };
        if memory.nodes.is_some() {
            // What was known is polled, so that nothing is missing.
            self.dependency.up();
        }
        loop {
            let asked = tokio::select! {
                asked = self.asker.ask(&self.site.clients) => asked,
                () = stop.cancelled() => return,
            };
            let wait = match asked {
                Ok(reading) => {
                    self.succeeded(&mut memory, reading).await;
                    self.interval
                }
                Err(cause) => {
                    let failures = self.failed(&mut memory, cause);
                    BACKOFF.wait(failures).min(self.interval)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn succeeded(&self, memory: &mut Memory, reading: Reading) {
        self.metrics.succeeded();
        if let Some(trouble) = memory.trouble.take() {
            info!(
                "The repository tells of the site's nodes again, after {} questions in {} s.",
                trouble.failures,
                trouble.since.elapsed().as_secs()
            );
        }
        if reading.notes != memory.notes {
            for note in &reading.notes {
                warn!("Discovery: {note}.");
            }
            memory.notes = reading.notes;
        }
        let is_new = memory.nodes.as_ref() != Some(&reading.nodes);
        if is_new {
            self.keep(reading.nodes.clone()).await;
        }
        if is_new || !memory.answered {
            // The roster ends before this only with the collector.
            let _ending = self.found.send(reading.nodes.clone()).await;
        }
        memory.nodes = Some(reading.nodes);
        memory.answered = true;
        self.dependency.up();
    }

    async fn keep(&self, nodes: Vec<Node>) {
        let kept = self.kept.clone();
        // Writing waits for the disk, which a runtime thread should not.
        let written = tokio::task::spawn_blocking(move || kept.write(&nodes)).await;
        if let Ok(Err(error)) = written {
            warn!(
                %error,
                "The servers that were found cannot be kept: a start without the repository would \
                 not know of them."
            );
        }
    }

    /// Tells of a question without an answer, and gives how many there were in a row.
    fn failed(&self, memory: &mut Memory, cause: NotFound) -> u32 {
        self.metrics.failed();
        let known = memory.nodes.as_ref().map_or(0, Vec::len);
        if known == 0 {
            self.dependency.down(format!("the servers of the site are not known: {cause}"));
        }
        let is_told = memory.trouble.as_ref().is_some_and(|trouble| trouble.cause == cause);
        if !is_told {
            warn!(
                known,
                "The repository does not tell of the site's nodes: {cause}. It is asked again; \
                 what was known is polled on."
            );
        }
        let (since, failures) = memory
            .trouble
            .as_ref()
            .map_or_else(|| (Instant::now(), 0), |trouble| (trouble.since, trouble.failures));
        let failures = failures.saturating_add(1);
        memory.trouble = Some(Trouble { cause, since, failures });
        failures
    }
}
