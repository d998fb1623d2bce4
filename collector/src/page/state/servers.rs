//! From what a server said last to its row.

use shared::event::{EngineHealth, Source};
use shared::timestamp::Timestamp;

use super::{Level, ProxyRow, ServerRow, State, Trouble};
use crate::latest::{EndpointState, LastAnswer, Said, ServerState};
use crate::page::history::History;

/// Characters of a message: what explains a failure is at its beginning.
const MESSAGE_CHARACTERS: usize = 300;

/// With what rows are made.
#[derive(Clone, Copy, Debug)]
pub(in crate::page) struct Showing<'a> {
    pub(in crate::page) now: Timestamp,
    pub(in crate::page) history: &'a History,
    pub(in crate::page) users: bool,
}

/// The row of a server.
pub(in crate::page) fn server(said: &ServerState, showing: Showing<'_>) -> ServerRow {
    let health = said.health.as_ref().and_then(health_of).unwrap_or_default();
    let failing: Vec<Trouble> =
        said.health.iter().chain(&said.sessions).filter_map(endpoint_trouble).collect();
    let state = state(said);
    // A server without an engine has its sessions polled alone.
    let polled = said.health.as_ref().or_else(|| said.sessions.first());
    let apps = said.health.as_ref().and_then(fresh).map(|_answer| &health.apps);
    ServerRow {
        id: said.token.clone(),
        name: said.server.name.clone(),
        description: said.server.description.clone(),
        host: said.server.host.clone(),
        tags: said.server.tags.clone(),
        state,
        level: level(state, &failing),
        words: words(state, &failing),
        last_poll: polled.and_then(|one| one.last.as_ref()).map(|last| last.time),
        last_poll_ms: polled
            .and_then(|one| one.last.as_ref())
            .map(|last| milliseconds(last.duration)),
        interval_s: polled.map(|one| one.interval.as_secs_f64()),
        cpu_percent: health.cpu.total,
        memory_committed_mib: health.mem.committed,
        memory_allocated_mib: health.mem.allocated,
        memory_free_mib: health.mem.free,
        memory_physical_mib: health.mem.total_physical,
        engine_sessions: health.session.total,
        engine_sessions_active: health.session.active,
        engine_users: health.users.total,
        engine_users_active: health.users.active,
        apps_active: apps.map(|apps| apps.active_docs.len()),
        apps_loaded: apps.map(|apps| apps.loaded_docs.len()),
        apps_in_memory: apps.map(|apps| apps.in_memory_docs.len()),
        cache_hit_percent: hit_percent(&health),
        proxies: said.sessions.iter().map(|proxy| proxy_row(proxy, showing.users)).collect(),
        cpu_history: showing.history.of(&said.token, showing.now),
        version: health.version,
        started: health.started,
        failing,
    }
}

/// What fails at an endpoint, if it does.
pub(in crate::page) fn endpoint_trouble(endpoint: &EndpointState) -> Option<Trouble> {
    let failing = endpoint.failing.as_ref()?;
    Some(Trouble {
        source: endpoint.source.name(),
        virtual_proxy: endpoint.virtual_proxy.clone(),
        since: failing.since,
        category: failing.category.name().to_owned(),
        message: failing.message.chars().take(MESSAGE_CHARACTERS).collect(),
        ticks: failing.ticks,
    })
}

fn fresh(endpoint: &EndpointState) -> Option<&LastAnswer> {
    endpoint.answer.as_ref().filter(|answer| answer.is_fresh())
}

fn health_of(endpoint: &EndpointState) -> Option<EngineHealth> {
    match &fresh(endpoint)?.said {
        Said::Health(health) => Some(health.health.clone()),
        Said::Sessions(_) => None,
    }
}

fn proxy_row(endpoint: &EndpointState, with_users: bool) -> ProxyRow {
    let totals = fresh(endpoint).and_then(|answer| match &answer.said {
        Said::Sessions(totals) => Some(totals),
        Said::Health(_) => None,
    });
    ProxyRow {
        virtual_proxy: endpoint.virtual_proxy.clone().unwrap_or_default(),
        sessions: totals.map(|totals| totals.session_count),
        users: totals.map(|totals| totals.user_count),
        user_names: totals.filter(|_| with_users).map(|totals| totals.users.clone()),
    }
}

fn state(said: &ServerState) -> State {
    let Some(engine) = &said.health else { return state_of_proxies(&said.sessions) };
    if engine.failing.is_some() {
        return State::Failing;
    }
    match engine.answer.as_ref().map(|answer| &answer.said) {
        None => State::Unknown,
        Some(Said::Health(health)) if health.health.saturated == Some(true) => State::Saturated,
        Some(_) => State::Ok,
    }
}

fn state_of_proxies(proxies: &[EndpointState]) -> State {
    if proxies.iter().any(|proxy| proxy.failing.is_some()) {
        State::Failing
    } else if proxies.iter().any(|proxy| proxy.answer.is_some()) {
        State::Ok
    } else {
        State::Unknown
    }
}

fn level(state: State, failing: &[Trouble]) -> Level {
    match state {
        State::Failing => Level::Bad,
        State::Saturated => Level::Warn,
        State::Ok | State::Unknown if !failing.is_empty() => Level::Warn,
        State::Unknown => Level::Idle,
        State::Ok => Level::Good,
    }
}

fn words(state: State, failing: &[Trouble]) -> String {
    let word = match state {
        State::Ok => "ok",
        State::Saturated => "saturated",
        State::Failing => "failing",
        State::Unknown => "not polled yet",
    };
    let sessions = failing.iter().any(|trouble| trouble.source == Source::Sessions.name());
    if sessions && state != State::Failing {
        format!("{word}, sessions fail")
    } else {
        word.to_owned()
    }
}

fn hit_percent(health: &EngineHealth) -> Option<f64> {
    let (hits, lookups) = (health.cache.hits?, health.cache.lookups?);
    (lookups > 0).then(|| (1_000.0 * hits as f64 / lookups as f64).round() / 10.0)
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
