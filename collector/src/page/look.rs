//! What the page looks at: the site, this program, and the programs that are heard.

use std::collections::BTreeSet;
use std::sync::Arc;

use shared::heartbeat::{Heard, Vital};
use shared::readiness::Readiness;
use shared::timestamp::Timestamp;

use super::history::History;
use super::state::{
    self, DependencyRow, Own, PageState, ProgramName, RepositoryRow, Showing, endpoint_trouble,
};
use crate::latest::{EndpointState, Latest, Said};
use crate::metrics::Metrics;

/// What the page looks at.
pub(super) struct Site {
    pub(super) latest: Arc<Latest>,
    pub(super) heard: Arc<Heard>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Readiness,
    /// This program's own counters.
    pub(super) vital: Arc<dyn Vital>,
    pub(super) program: ProgramName,
    pub(super) show_users: bool,
    pub(super) history: History,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("program", &self.program).finish_non_exhaustive()
    }
}

impl Site {
    /// Keeps the load of now for the sparklines.
    pub(super) fn remember(&self) {
        let servers = self.latest.servers();
        for server in &servers {
            let answer = server.health.as_ref().and_then(|health| health.answer.as_ref());
            if let Some(answer) = answer.filter(|answer| answer.is_fresh())
                && let Said::Health(health) = &answer.said
                && let Some(percent) = health.health.cpu.total
            {
                self.history.note(&server.token, answer.time, percent);
            }
        }
        let polled: BTreeSet<&str> = servers.iter().map(|server| server.token.as_str()).collect();
        self.history.keep(&polled);
    }

    /// The site and its pipeline now.
    pub(super) fn look(&self) -> PageState {
        let now = Timestamp::now();
        let showing = Showing { now, history: &self.history, users: self.show_users };
        let said = self.latest.servers();
        let mut servers: Vec<_> = said.iter().map(|one| state::server(one, showing)).collect();
        // Stable: among equals the site's order stays.
        servers.sort_by_key(|server| std::cmp::Reverse(server.level));
        let heard = self.heard.programs();
        let ready = self.readiness.report();
        let own = Own {
            process: &self.program.process,
            instance: &self.program.instance,
            counters: self.vital.counters(),
            polls: self.metrics.ticks_ended(),
            failed_polls: self.metrics.ticks_failed(),
            unrecorded_polls: self.metrics.ticks_unrecorded(),
        };
        let pipeline = state::pipeline(&own, &ready, &heard);
        let programs = state::programs(&heard);
        let repository = self.latest.repository().as_ref().map(repository);
        let dependencies: Vec<_> = ready
            .dependencies
            .into_iter()
            .map(|(name, report)| DependencyRow { name, up: report.up, why: report.why })
            .collect();
        let summary =
            state::summary(&servers, repository.as_ref(), &dependencies, &programs, &pipeline);
        PageState {
            time: now,
            program: self.program.clone(),
            summary,
            servers,
            repository,
            pipeline,
            ready: ready.ready,
            dependencies,
            programs,
        }
    }
}

fn repository(said: &EndpointState) -> RepositoryRow {
    let last = said.last.as_ref();
    RepositoryRow {
        host: said.server.host.clone(),
        last_poll: last.map(|last| last.time),
        last_poll_ms: last.map(|last| u64::try_from(last.duration.as_millis()).unwrap_or(u64::MAX)),
        failing: endpoint_trouble(said),
    }
}
