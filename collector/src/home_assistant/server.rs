//! A Qlik server as a device: the values of its state topic.

use std::time::Duration;

use shared::subject::Token;

use super::device::{Availability, Device};
use super::entity::{Available, Entity};
use super::names::level;
use super::site::Place;
use crate::latest::{EndpointState, Said, ServerState};
use crate::state_topics::suffixes;

/// Intervals without a word after which a value is nobody's any more.
const EXPIRY_INTERVALS: u32 = 3;
/// The least of that: a site that is polled each second may be late once.
const LEAST_EXPIRY: Duration = Duration::from_secs(30);
/// What the state topic says of a server whose engine answers.
const AVAILABLE_STATES: [&str; 2] = ["ok", "saturated"];

const PROBLEM: &str = "problem";

/// A server, and whether it was polled already: before, its engine's version is not known.
pub(super) fn device(server: &ServerState, place: &Place<'_>) -> Device {
    let identity = place.topics.server(&server.token);
    let expiry = server.health.as_ref().map(expiry);
    let mut entities = Vec::new();
    if server.health.is_some() {
        entities.extend(engine());
    }
    entities.extend(proxies(server));
    for entity in &mut entities {
        // Without an engine the topic may rightly say the same for long.
        entity.expire_after = expiry;
    }
    entities.extend(polls(&identity, server.health.is_some()));
    Device {
        place: [level(place.prefix), level(&server.token)],
        name: server.server.name.clone(),
        manufacturer: "Qlik",
        model: if server.health.is_some() { "Qlik Sense engine" } else { "Qlik Sense proxy" }
            .to_owned(),
        version: version(server),
        tellers: vec![place.teller()],
        available: Some(Availability::in_states(identity.clone(), &AVAILABLE_STATES)),
        identity,
        entities,
    }
}

/// Whether a poll of the server has ended, well or not.
pub(super) fn was_polled(server: &ServerState) -> bool {
    let endpoints = server.health.iter().chain(&server.sessions);
    server.health.as_ref().map_or_else(
        || endpoints.clone().any(|endpoint| endpoint.last.is_some()),
        |engine| engine.last.is_some(),
    )
}

fn engine() -> Vec<Entity> {
    vec![
        Entity::number("cpu", "CPU", "cpu_percent", "%").decimals(0).icon("mdi:cpu-64-bit"),
        Entity::memory("memory_free", "Memory free", "memory_free_mib"),
        Entity::memory("memory_committed", "Memory committed", "memory_committed_mib"),
        Entity::memory("memory_physical", "Memory physical", "memory_physical_mib"),
        Entity::flag("saturated", "Saturated", "saturated", PROBLEM),
        sessions("engine_sessions_active", "Engine sessions active"),
        sessions("engine_sessions", "Engine sessions"),
        users("engine_users_active", "Engine users active"),
        users("engine_users", "Engine users"),
        apps("apps_active", "Apps active"),
        apps("apps_loaded", "Apps loaded"),
        apps("apps_in_memory", "Apps in memory"),
        Entity::number("cache_hit_ratio", "Cache hit ratio", "cache_hit_percent", "%")
            .decimals(1)
            .icon("mdi:bullseye-arrow"),
        Entity::text("version", "Version", "version").icon("mdi:tag-outline"),
        Entity::time("started", "Started", "started"),
    ]
}

fn sessions(member: &str, name: &str) -> Entity {
    Entity::number(member, name, member, "sessions").decimals(0).icon("mdi:account-multiple")
}

fn users(member: &str, name: &str) -> Entity {
    Entity::number(member, name, member, "users").decimals(0).icon("mdi:account")
}

fn apps(member: &str, name: &str) -> Entity {
    Entity::number(member, name, member, "apps").decimals(0).icon("mdi:chart-box-outline")
}

/// Sessions and users of each virtual proxy, and of all together where there are several.
fn proxies(server: &ServerState) -> Vec<Entity> {
    let mut entities = Vec::new();
    if server.sessions.len() > 1 {
        entities.push(sessions("proxy_sessions", "Proxy sessions"));
        entities.push(users("proxy_users", "Proxy users"));
    }
    for (proxy, member) in server.sessions.iter().zip(suffixes(&server.sessions)) {
        let prefix = proxy.virtual_proxy.as_deref().unwrap_or("/");
        let (key, name) = (level(Token::virtual_proxy(prefix).as_str()), shown(prefix));
        for (kind, entity) in [("Sessions", sessions as fn(&str, &str) -> Entity), ("Users", users)]
        {
            let lower = kind.to_lowercase();
            let mut entity = entity(&format!("proxy_{lower}_{member}"), &format!("{kind} {name}"));
            entity.key = format!("{lower}_{key}");
            entities.push(entity);
        }
    }
    entities
}

/// What people call a virtual proxy.
fn shown(prefix: &str) -> &str {
    match prefix.strip_prefix('/').unwrap_or(prefix) {
        "" => "default",
        // One that is really called so.
        "default" => "/default",
        name => name,
    }
}

/// How the polls themselves fare: there also while the server is not.
fn polls(topic: &str, has_engine: bool) -> Vec<Entity> {
    let mut entities = vec![
        Entity::flag("poll_failing", "Poll failing", "failing", PROBLEM)
            .attributes(
                topic,
                &[
                    ("cause", "failing_cause"),
                    ("message", "failing_message"),
                    ("since", "failing_since"),
                ],
            )
            .diagnostic(),
        Entity::text_or("poll_failing_cause", "Poll failing cause", "failing_cause", "none")
            .icon("mdi:alert-circle-outline"),
    ];
    for entity in &mut entities {
        entity.available = Available::WithItsTeller;
    }
    if has_engine {
        let last_poll = Entity::time("last_poll", "Last poll", "last_poll");
        entities.push(last_poll.available(Available::OnceAsked));
    }
    entities
}

fn expiry(engine: &EndpointState) -> u64 {
    engine.interval.saturating_mul(EXPIRY_INTERVALS).max(LEAST_EXPIRY).as_secs()
}

/// The engine's version, also while it does not answer.
fn version(server: &ServerState) -> Option<String> {
    match &server.health.as_ref()?.answer.as_ref()?.said {
        Said::Health(health) => health.health.version.clone(),
        Said::Sessions(_) => None,
    }
}
