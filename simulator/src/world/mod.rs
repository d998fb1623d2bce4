//! The site's life as a pure function of its seed and the time: no clock, no state, no I/O.
//!
//! Two worlds of the same [`WorldConfig`] say the same at the same moment, whatever was asked before.
//! What depends on the answers already given (that `calls` grows with each of them) is added outside, where it is served.

mod apps;
mod chance;
mod day;
mod engine;
mod names;
mod sessions;

use std::time::Duration;

pub use apps::App;
pub use day::Moment;
pub use engine::EngineState;
pub use names::{HURTING_NAMES, hurting_name};

pub(crate) use chance::draw;

use chance::Chance;
use day::Calendar;
use sessions::User;

use crate::ledger::Session;

/// How long before the site's start an engine started that does not restart by itself.
const AGE_OF_STEADY_ENGINES: Duration = Duration::from_millis(3 * 86_400_000 + 15_127_250);

/// What a world is made from.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// What everything that looks like chance is drawn from.
    pub seed: u64,
    /// When the site started, as time since 1970.
    pub born: Duration,
    /// How long a day lasts.
    pub day: Duration,
    /// How many apps the repository knows.
    pub apps: usize,
    /// How many sessions a virtual proxy of a node has at the busiest time, about.
    pub sessions: usize,
    /// How many virtual proxies each node has.
    pub virtual_proxies: usize,
    /// Whether engines restart in some of the nights.
    pub nightly_restarts: bool,
}

/// The life of a site.
#[derive(Debug)]
pub struct World {
    chance: Chance,
    calendar: Calendar,
    born: Duration,
    nightly_restarts: bool,
    sessions: usize,
    virtual_proxies: usize,
    apps: Vec<apps::AppSeed>,
    users: Vec<User>,
}

impl World {
    /// Makes the people and the apps of the site.
    pub fn new(config: &WorldConfig) -> Self {
        let chance = Chance::new(config.seed);
        Self {
            chance,
            calendar: Calendar::new(config.born, config.day),
            born: config.born,
            nightly_restarts: config.nightly_restarts,
            sessions: config.sessions,
            virtual_proxies: config.virtual_proxies,
            apps: apps::make(chance, config.apps),
            users: sessions::people(chance),
        }
    }

    /// The site's moment at a time since 1970.
    pub fn moment(&self, unix: Duration) -> Moment {
        self.calendar.moment(unix)
    }

    /// How busy a server is, 0 to 1.
    pub fn load(&self, server: usize, moment: Moment) -> f64 {
        self.calendar.load(moment) * self.weight(server)
    }

    /// When the engine of a server started last by itself, as time since 1970 in whole milliseconds.
    pub fn engine_start(&self, server: usize, moment: Moment) -> Duration {
        if !self.nightly_restarts {
            return self.born.saturating_sub(AGE_OF_STEADY_ENGINES);
        }
        self.calendar.last_restart(self.chance, server, moment)
    }

    /// What the engine of a server is like at a moment, having started at `started`.
    pub fn engine(&self, server: usize, moment: Moment, started: Duration) -> EngineState {
        engine::state(self, server, moment, started)
    }

    /// Who has a session at a virtual proxy of a server.
    pub fn sessions(&self, server: usize, virtual_proxy: usize, moment: Moment) -> Vec<Session> {
        sessions::at(self, server, virtual_proxy, moment)
    }

    /// A session of each user whose name hurts.
    pub fn hurting_sessions(&self, server: usize, virtual_proxy: usize) -> Vec<Session> {
        sessions::hurting(self.chance, server, virtual_proxy)
    }

    /// The apps that the repository lists at a moment.
    pub fn apps(&self, moment: Moment) -> Vec<App> {
        apps::at(self, moment)
    }

    /// An id that no app of the repository has.
    pub fn unknown_app_id(&self, number: u64) -> String {
        self.chance.guid(&[chance::UNKNOWN_APP, number])
    }

    /// How much of the site's load a server takes, 0.6 to 1.
    fn weight(&self, server: usize) -> f64 {
        0.6 + 0.4 * self.chance.unit(&[chance::WEIGHT, server as u64])
    }
}

#[cfg(test)]
mod tests;
