//! What a program depends on, and whether each of it is there.
//!
//! `/readyz` answers from here; a dependency that never reported counts as missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::backlog::{Backlog, Queue};

/// The dependencies of a program; clones are handles to the same list.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    dependencies: Arc<Mutex<BTreeMap<String, State>>>,
    queues: Arc<Mutex<Queues>>,
}

/// What waits where.
#[derive(Clone, Copy, Debug, Default)]
struct Queues {
    backlog: Option<Backlog>,
    outbox: Option<Backlog>,
}

#[derive(Clone, Debug)]
enum State {
    Up,
    Down(String),
}

/// One dependency, reported by the part of the program that uses it.
#[derive(Clone, Debug)]
pub struct Dependency {
    name: String,
    readiness: Readiness,
}

/// All dependencies at one moment, as `/readyz` writes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadinessReport {
    /// Whether every dependency is up.
    pub ready: bool,
    /// The dependencies by name.
    pub dependencies: BTreeMap<String, DependencyReport>,
    /// What waits to be stored, where this program stores; it makes nobody unready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    /// What waits to be published, where this program publishes to a broker; nor does this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<Backlog>,
}

/// One dependency at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependencyReport {
    /// Whether it is there.
    pub up: bool,
    /// Why it is not, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Readiness {
    /// Adds a dependency, which is down until it reports.
    pub fn dependency(&self, name: &str) -> Dependency {
        let dependency = Dependency { name: name.to_owned(), readiness: self.clone() };
        dependency.set(State::Down("not reached yet".to_owned()));
        dependency
    }

    /// All dependencies now.
    pub fn report(&self) -> ReadinessReport {
        let dependencies = self.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        let dependencies: BTreeMap<_, _> = dependencies
            .iter()
            .map(|(name, state)| {
                let report = match state {
                    State::Up => DependencyReport { up: true, why: None },
                    State::Down(why) => DependencyReport { up: false, why: Some(why.clone()) },
                };
                (name.clone(), report)
            })
            .collect();
        let ready = dependencies.values().all(|dependency| dependency.up);
        let Queues { backlog, outbox } = *self.queues();
        ReadinessReport { ready, dependencies, backlog, outbox }
    }

    /// Shows what waits.
    pub fn show(&self, queue: Queue, backlog: Backlog) {
        let mut queues = self.queues();
        match queue {
            Queue::Broker => queues.backlog = Some(backlog),
            Queue::Outbox => queues.outbox = Some(backlog),
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dependency {
    /// Reports that the dependency is there.
    pub fn up(&self) {
        self.set(State::Up);
    }

    /// Reports that it is not. `why` is read by people: no secrets.
    pub fn down(&self, why: impl Into<String>) {
        self.set(State::Down(why.into()));
    }

    fn set(&self, state: State) {
        let mut dependencies =
            self.readiness.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        dependencies.insert(self.name.clone(), state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_dependency_is_up() {
        let readiness = Readiness::default();
        assert!(readiness.report().ready);
        let influxdb = readiness.dependency("influxdb");
        let broker = readiness.dependency("broker");
        broker.up();
        assert!(!readiness.report().ready);
        influxdb.up();
        assert!(readiness.report().ready);
        influxdb.down("connection refused");
        let report = readiness.report();
        assert!(!report.ready);
        assert_eq!(report.dependencies["influxdb"].why.as_deref(), Some("connection refused"));
    }

    #[test]
    fn a_backlog_is_shown_and_makes_nobody_unready() {
        let readiness = Readiness::default();
        assert_eq!(readiness.report().backlog, None);
        let backlog = Backlog { waiting: Some(412_000), ..Backlog::default() };
        readiness.show(Queue::Broker, backlog);
        let report = readiness.report();
        assert!(report.ready);
        assert_eq!((report.backlog, report.outbox), (Some(backlog), None));
    }
}
