//! What a program depends on, and whether each of it is there.
//!
//! `/readyz` answers from here, and `/metrics` shows the same as numbers; a dependency that never
//! reported counts as missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
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

/// What every program serves alike, so that one rule watches all of them. The names of dependencies
/// are fixed words of the program, a handful.
impl Collector for Readiness {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let report = self.report();
        let ready = encoder.encode_descriptor(
            "footman_ready",
            "1 when every dependency of the program is there, otherwise 0, as /readyz says",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(i64::from(report.ready)).encode(ready)?;
        if report.dependencies.is_empty() {
            return Ok(());
        }
        let mut dependencies = encoder.encode_descriptor(
            "footman_dependency_up",
            "1 when a dependency of the program is there, otherwise 0; /readyz says why",
            None,
            MetricType::Gauge,
        )?;
        for (name, dependency) in &report.dependencies {
            let labels = [("dependency", name.as_str())];
            let up = ConstGauge::new(i64::from(dependency.up));
            up.encode(dependencies.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn prometheus_sees_what_is_missing_and_not_why() {
        let readiness = Readiness::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(readiness.clone()));
        let series = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            let series = text.lines().filter(|line| !line.starts_with('#'));
            series.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(series(), ["footman_ready 1"]);
        readiness.dependency("outbox").up();
        let broker = readiness.dependency("broker");
        broker.down("connection refused");
        let up =
            |name: &str, up: u8| format!("footman_dependency_up{{dependency=\"{name}\"}} {up}");
        assert_eq!(series(), ["footman_ready 0", &up("broker", 0), &up("outbox", 1)]);
        broker.up();
        assert_eq!(series(), ["footman_ready 1", &up("broker", 1), &up("outbox", 1)]);
    }

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
