//! What a program depends on, and whether each of it is there.
//!
//! `/readyz` answers from here; a dependency that never reported counts as missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// The dependencies of a program; clones are handles to the same list.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    dependencies: Arc<Mutex<BTreeMap<String, State>>>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadinessReport {
    /// Whether every dependency is up.
    pub ready: bool,
    /// The dependencies by name.
    pub dependencies: BTreeMap<String, DependencyReport>,
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
        ReadinessReport { ready, dependencies }
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
}
