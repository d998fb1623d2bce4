//! What keeps batches from being settled: told to readiness at once and to the log in measure.
//!
//! Several batches may be held at once, and some go through while others do not; a dependency is
//! up when none is held.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::readiness::Dependency;
use tokio::time::Instant;

use crate::destination::{Trouble, TroubleKind};

/// The batches that wait for one dependency.
#[derive(Debug)]
pub(crate) struct Holds {
    dependency: Dependency,
    /// How log lines call it.
    name: String,
    summary: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<u64, Trouble>,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    last_line: Instant,
    kind: std::mem::Discriminant<TroubleKind>,
    /// Failures since the last log line.
    failures: u64,
}

impl Holds {
    /// No holds; the dependency is as it was.
    pub(crate) fn new(dependency: Dependency, name: String, summary: Duration) -> Self {
        Self { dependency, name, summary, state: Mutex::default() }
    }

    /// Takes note that `batch` is held.
    pub(crate) fn failed(&self, batch: u64, trouble: Trouble) {
        let now = Instant::now();
        let mut state = self.lock();
        self.dependency.down(&*trouble.why);
        let kind = std::mem::discriminant(&trouble.kind);
        if let Some(outage) = &mut state.outage {
            outage.failures += 1;
            if outage.kind != kind || now >= outage.last_line + self.summary {
                tracing::warn!(
                    failures = outage.failures,
                    since_s = outage.since.elapsed().as_secs(),
                    "{} still takes no points: {}; everything is kept and tried again",
                    self.name,
                    trouble.why,
                );
                outage.kind = kind;
                outage.last_line = now;
                outage.failures = 0;
            }
        } else {
            tracing::warn!(
                "{} takes no points: {}; everything is kept and tried again",
                self.name,
                trouble.why,
            );
            state.outage = Some(Outage { since: now, last_line: now, kind, failures: 0 });
        }
        state.held.insert(batch, trouble);
    }

    /// Takes note that `batch` is not held, or not any more.
    pub(crate) fn passed(&self, batch: u64) {
        let mut state = self.lock();
        state.held.remove(&batch);
        if let Some(trouble) = state.held.values().next() {
            self.dependency.down(&*trouble.why);
            return;
        }
        self.dependency.up();
        if let Some(outage) = state.outage.take() {
            tracing::info!(
                after_s = outage.since.elapsed().as_secs(),
                "{} takes points again",
                self.name,
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::readiness::Readiness;

    use super::*;

    #[test]
    fn up_when_no_batch_is_held() {
        let readiness = Readiness::default();
        let dependency = readiness.dependency("influxdb");
        let holds = Holds::new(dependency, "InfluxDB".to_owned(), Duration::from_mins(1));
        let why = || readiness.report().dependencies["influxdb"].why.clone();
        assert!(!readiness.report().ready);
        holds.passed(1);
        assert!(readiness.report().ready);
        holds.failed(2, Trouble::misconfigured("who are you"));
        holds.failed(3, Trouble::unavailable("connection refused"));
        assert_eq!(why().as_deref(), Some("connection refused"));
        holds.passed(3);
        assert_eq!(why().as_deref(), Some("who are you"));
        holds.passed(1);
        assert!(!readiness.report().ready);
        holds.passed(2);
        assert!(readiness.report().ready);
    }
}
