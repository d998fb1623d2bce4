//! What the connections of a client add up to: one dependency, and one line in the log for each
//! change.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::readiness::Dependency;

/// What is wrong with a connection that has not been tried.
const NOT_YET: &str = "not connected yet";

/// Gathers the state of a client's connections.
#[derive(Debug)]
pub(super) struct Report {
    dependency: Dependency,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What is wrong with each connection that there should be; none when it is up.
    wrong: BTreeMap<usize, Option<String>>,
    /// What the log said last, while something is wrong.
    said: Option<String>,
    /// Failures since then.
    failures: u64,
}

impl Report {
    /// Over a number of connections, none of which is there yet.
    pub(super) fn new(dependency: Dependency, connections: usize) -> Self {
        let wrong =
            (0..connections).map(|connection| (connection, Some(NOT_YET.to_owned()))).collect();
        Self { dependency, state: Mutex::new(State { wrong, said: None, failures: 0 }) }
    }

    /// There should be a further connection from now on.
    pub(super) fn expect(&self, connection: usize) {
        self.change(|state| state.wrong.insert(connection, Some(NOT_YET.to_owned())).flatten());
    }

    /// There should be such a connection no more.
    pub(super) fn gone(&self, connection: usize) {
        self.change(|state| state.wrong.remove(&connection).flatten());
    }

    /// A connection is as it should be.
    pub(super) fn up(&self, connection: usize) {
        self.change(|state| {
            let wrong = state.wrong.get_mut(&connection)?;
            wrong.take()
        });
    }

    /// A connection is not as it should be.
    pub(super) fn down(&self, connection: usize, why: &str) {
        self.change(|state| {
            state.failures = state.failures.saturating_add(1);
            if state.said.as_deref() != Some(why) {
                tracing::warn!(failures = state.failures, "The MQTT broker is missing: {why}.");
                state.said = Some(why.to_owned());
            }
            state.wrong.get_mut(&connection)?.replace(why.to_owned())
        });
    }

    /// What is wrong, if something is.
    pub(super) fn why(&self) -> Option<String> {
        self.lock().wrong.values().flatten().next().cloned()
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Option<String>) {
        let mut state = self.lock();
        let _before = change(&mut state);
        if let Some(why) = state.wrong.values().flatten().next() {
            self.dependency.down(why);
            return;
        }
        self.dependency.up();
        if state.said.take().is_some() {
            tracing::info!(failures = state.failures, "The MQTT broker is there again.");
            state.failures = 0;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::Readiness;

    #[test]
    fn up_when_every_connection_is_up() {
        let readiness = Readiness::default();
        let report = Report::new(readiness.dependency("broker"), 2);
        report.up(0);
        assert!(!readiness.report().ready);
        report.down(1, "gone");
        assert_eq!(report.why().as_deref(), Some("gone"));
        report.up(1);
        assert!(readiness.report().ready);
        report.down(0, "gone again");
        let why = readiness.report().dependencies["broker"].why.clone();
        assert_eq!(why.as_deref(), Some("gone again"));
        report.up(0);
        report.expect(7);
        assert!(!readiness.report().ready);
        report.gone(7);
        report.down(7, "a late word");
        assert!(readiness.report().ready);
    }
}
