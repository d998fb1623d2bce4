//! An engine at a moment: its load, its memory, the apps in it and the counters since its start.

use std::{sync::Arc, time::Duration};

use super::{
    Moment, World,
    chance::{IN_MEMORY, LOADED, SESSION_APP, WOBBLE},
};

/// How long a wobble of the values lasts, in days: five minutes.
const WOBBLE_DAYS: f64 = 5.0 / 1_440.0;

/// How many apps a busy node has in memory, after the thresholds of the predecessor's dashboard (50 amber, 70 red).
const BUSY_APPS: f64 = 60.0;
const IDLE_APPS: f64 = 3.0;

/// The shortest stay of an app in memory and how much longer others stay, in days.
const SHORTEST_STAY: f64 = 1.0 / 24.0;
const STAY_RANGE: f64 = 8.0 / 24.0;

/// One of so many places in memory holds a session app.
const PER_SESSION_APP: usize = 12;

/// At most so many elements are listed as loaded, one per engine session.
const MAX_LOADED: i64 = 120;

/// What a node has in MB, as multiples of 1/256 like those of a real engine.
const PHYSICAL: f64 = 131_071.488_281_25;

/// Counters of a day of full load.
const CALLS_PER_DAY: f64 = 2_400_000.0;
const SELECTIONS_PER_DAY: f64 = 31_000.0;
const LOOKUPS_PER_DAY: f64 = 410_000.0;
const BYTES_PER_ADDED: i64 = 12_658;

/// What an engine would say at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineState {
    /// The engine's start, as time since 1970.
    pub started: Duration,
    /// MB committed by the engine.
    pub committed: f64,
    /// MB committed and reserved.
    pub allocated: f64,
    /// MB free on the machine.
    pub free: f64,
    /// MB of the machine.
    pub total_physical: f64,
    /// Percent, the mean of 30 seconds.
    pub cpu_total: i64,
    /// Sessions with an action.
    pub session_active: i64,
    /// All engine sessions.
    pub session_total: i64,
    /// Users with an action.
    pub users_active: i64,
    /// All users.
    pub users_total: i64,
    /// Apps with an action, without repetitions.
    pub active_docs: Vec<Arc<str>>,
    /// Apps with sessions, one element per session.
    pub loaded_docs: Vec<Arc<str>>,
    /// Apps in memory.
    pub in_memory_docs: Vec<Arc<str>>,
    /// Requests since the start.
    pub calls: i64,
    /// Selections since the start.
    pub selections: i64,
    /// Cache hits since the start.
    pub cache_hits: i64,
    /// Cache lookups since the start.
    pub cache_lookups: i64,
    /// Cache entries added since the start.
    pub cache_added: i64,
    /// Cache entries replaced since the start.
    pub cache_replaced: i64,
    /// Bytes added to the cache since the start.
    pub cache_bytes_added: i64,
    /// Above 90 % of CPU or memory.
    pub saturated: bool,
}

impl EngineState {
    /// The same engine right after its start, but for its calls.
    #[must_use]
    pub fn without_activity(self) -> Self {
        Self {
            free: self.free,
            total_physical: self.total_physical,
            calls: self.calls,
            ..Self::just_started(self.started)
        }
    }

    fn just_started(started: Duration) -> Self {
        Self {
            started,
            committed: 0.0,
            allocated: 0.0,
            free: 0.0,
            total_physical: 0.0,
            cpu_total: 0,
            session_active: 0,
            session_total: 0,
            users_active: 0,
            users_total: 0,
            active_docs: Vec::new(),
            loaded_docs: Vec::new(),
            in_memory_docs: Vec::new(),
            calls: 0,
            selections: 0,
            cache_hits: 0,
            cache_lookups: 0,
            cache_added: 0,
            cache_replaced: 0,
            cache_bytes_added: 0,
            saturated: false,
        }
    }
}

pub(super) fn state(
    world: &World,
    server: usize,
    moment: Moment,
    started: Duration,
) -> EngineState {
    let load = world.load(server, moment);
    let busy = (load * (0.85 + 0.3 * wobble(world, server, 0, moment))).max(0.0);
    let people = load * world.sessions as f64 * world.virtual_proxies as f64;
    let session_total = whole(people * (1.1 + 0.2 * wobble(world, server, 1, moment)));
    let session_active = whole(session_total as f64 * 0.08 * busy).min(session_total);
    let users_total = whole(session_total as f64 * 0.7).min(session_total);

    let in_memory_docs = in_memory(world, server, load, moment);
    let loaded_docs = loaded(world, server, &in_memory_docs, session_total, moment);
    let mut active_docs: Vec<Arc<str>> = Vec::new();
    let most_active = usize::try_from(session_active).unwrap_or_default();
    for id in &loaded_docs {
        if active_docs.len() < most_active && !active_docs.contains(id) {
            active_docs.push(id.clone());
        }
    }

    let committed = binary_fraction(900.0 + 1_410.0 * in_memory_docs.len() as f64 * (0.4 + busy));
    let committed = committed.min(PHYSICAL - 2_048.0);
    let cpu_total = whole(98.0 * busy).min(100);
    let counted = counters(world, server, moment, started);
    EngineState {
        started,
        committed,
        allocated: binary_fraction(committed * 1.35),
        free: binary_fraction(PHYSICAL - committed - 1_500.0).max(64.25),
        total_physical: PHYSICAL,
        cpu_total,
        session_active,
        session_total,
        users_active: session_active.min(users_total),
        users_total,
        active_docs,
        loaded_docs,
        in_memory_docs,
        saturated: cpu_total > 90 || committed > PHYSICAL * 0.9,
        ..counted
    }
}

/// The counters alone; all else is empty.
fn counters(world: &World, server: usize, moment: Moment, started: Duration) -> EngineState {
    let from = world.calendar.load_so_far(world.moment(started));
    let so_far = (world.calendar.load_so_far(moment) - from).max(0.0) * world.weight(server);
    let cache_lookups = whole(so_far * LOOKUPS_PER_DAY);
    let cache_hits = whole(cache_lookups as f64 * 0.73).min(cache_lookups);
    let cache_added = cache_lookups - cache_hits;
    EngineState {
        calls: whole(so_far * CALLS_PER_DAY),
        selections: whole(so_far * SELECTIONS_PER_DAY),
        cache_hits,
        cache_lookups,
        cache_added,
        cache_replaced: cache_added / 580,
        cache_bytes_added: cache_added.saturating_mul(BYTES_PER_ADDED),
        ..EngineState::just_started(started)
    }
}

/// The apps in memory: each place of the memory keeps its app for a stay of its own.
fn in_memory(world: &World, server: usize, load: f64, moment: Moment) -> Vec<Arc<str>> {
    let most = BUSY_APPS.min(world.apps.len() as f64);
    let places = whole(IDLE_APPS.min(most) + load * (most - IDLE_APPS).max(0.0));
    let mut ids: Vec<Arc<str>> = Vec::new();
    for place in 0..u64::try_from(places).unwrap_or_default() {
        let question = [IN_MEMORY, server as u64, place];
        let stay = SHORTEST_STAY + STAY_RANGE * world.chance.unit(&question);
        let span = moment.span(stay, world.chance.unit(&[IN_MEMORY, server as u64, place, 1]));
        let question = [IN_MEMORY, server as u64, place, 2, span];
        if world.chance.below(PER_SESSION_APP, &[SESSION_APP, server as u64, place]) == 0 {
            ids.push(format!("SessionApp_{}", world.chance.guid(&question)).into());
            continue;
        }
        let index = world.chance.below(world.apps.len(), &question);
        if let Some(app) = world.apps.get(index)
            && !ids.contains(&app.id)
        {
            ids.push(app.id.clone());
        }
    }
    ids
}

/// The apps with sessions: the first part of those in memory, once per session.
fn loaded(
    world: &World,
    server: usize,
    in_memory: &[Arc<str>],
    session_total: i64,
    moment: Moment,
) -> Vec<Arc<str>> {
    let with_sessions = in_memory.len() * 2 / 3;
    let span = moment.span(WOBBLE_DAYS, 0.0);
    let elements = u64::try_from(session_total.min(MAX_LOADED)).unwrap_or_default();
    (0..elements)
        .filter_map(|session| {
            let question = [LOADED, server as u64, session, span];
            in_memory.get(world.chance.below(with_sessions, &question)).cloned()
        })
        .collect()
}

/// A number from 0 to 1 that glides from one wobble to the next.
fn wobble(world: &World, server: usize, what: u64, moment: Moment) -> f64 {
    let span = moment.span(WOBBLE_DAYS, 0.0);
    let part = (moment.days() / WOBBLE_DAYS).rem_euclid(1.0);
    let at = |span: u64| world.chance.unit(&[WOBBLE, server as u64, what, span]);
    let from = at(span);
    from + (at(span + 1) - from) * part
}

/// Cuts to multiples of 1/256, as a count of memory pages gives.
fn binary_fraction(megabytes: f64) -> f64 {
    (megabytes * 256.0).floor() / 256.0
}

#[expect(clippy::cast_possible_truncation, reason = "counters of a site stay far below 2^63")]
fn whole(value: f64) -> i64 {
    value as i64
}
