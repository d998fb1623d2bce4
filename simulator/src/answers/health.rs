//! The engine's health check.
//!
//! `apps.calls` grows with each answer of a server until its engine restarts: server and calls name an answer.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, tz};
use serde::{Serialize, Serializer};

use super::{
    Answer, Asked, errors,
    number::{Form, Number},
};
use crate::{
    Oddities, Oddity,
    ledger::{Facts, HealthFacts},
    site::ServerState,
    world::EngineState,
};

/// The version that every engine of the site says.
const VERSION: &str = "12.2054.4";

/// Each of the four forms is valid, says the manual.
const PATHS: [&str; 4] =
    ["/engine/healthcheck", "/engine/healthcheck/", "/healthcheck", "/healthcheck/"];

/// The offset of the servers' local time, in seconds, and odder ones.
const LOCAL_OFFSET: i32 = 3_600;
const WESTERN_OFFSET: i32 = -12_600;

/// How many lists of apps become under the oddities of long lists.
const MANY_DOCS: u64 = 400;
const MANY_SESSION_APPS: u64 = 40;
const MANY_UNKNOWN_APPS: u64 = 10;

/// Beyond 2^53, what no float holds.
const BEYOND_FLOATS: i64 = 9_007_199_254_740_993;

#[derive(Serialize)]
struct Body<'a> {
    version: &'a str,
    started: &'a str,
    mem: Memory,
    cpu: Cpu,
    session: Pair,
    apps: Apps<'a>,
    users: Pair,
    cache: Cache,
    #[serde(skip_serializing_if = "Option::is_none")]
    saturated: Option<bool>,
    #[serde(rename = "totalStaticByteSize", skip_serializing_if = "Option::is_none")]
    total_static_byte_size: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    future: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comitted: Option<Number>,
    allocated: Number,
    free: Number,
    #[serde(rename = "totalPhysical", skip_serializing_if = "Option::is_none")]
    total_physical: Option<Number>,
}

#[derive(Serialize)]
struct Cpu {
    total: Number,
}

#[derive(Serialize)]
struct Pair {
    active: Number,
    total: Number,
}

#[derive(Serialize)]
struct Apps<'a> {
    active_docs: Docs<'a>,
    loaded_docs: Docs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_memory_docs: Option<Docs<'a>>,
    calls: Number,
    selections: Number,
}

struct Docs<'a>(&'a [Arc<str>]);

impl Serialize for Docs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|doc| &**doc))
    }
}

#[derive(Serialize)]
struct Cache {
    hits: Number,
    lookups: Number,
    added: Number,
    replaced: Number,
    bytes_added: Number,
}

pub(super) fn answer(server: &ServerState, asked: &Asked<'_>, now: Duration) -> Answer {
    if !PATHS.contains(&asked.path) {
        return errors::status(404);
    }
    let oddities = server.oddities();
    let engine = with_oddities(server, server.engine(now), oddities);
    let facts = facts(&engine, oddities);
    Answer::json(&body(&engine, &facts, oddities), Facts::Health(Box::new(facts.clone())))
}

fn facts(engine: &EngineState, oddities: Oddities) -> HealthFacts {
    HealthFacts {
        version: VERSION.to_owned(),
        started: started(engine.started, oddities),
        started_unix: i64::try_from(engine.started.as_secs()).unwrap_or_default(),
        cpu_total: engine.cpu_total,
        committed: engine.committed,
        allocated: engine.allocated,
        free: engine.free,
        total_physical: engine.total_physical,
        session_active: engine.session_active,
        session_total: engine.session_total,
        users_active: engine.users_active,
        users_total: engine.users_total,
        active_docs: engine.active_docs.len(),
        loaded_docs: engine.loaded_docs.len(),
        in_memory_docs: engine.in_memory_docs.len(),
        calls: engine.calls,
        selections: engine.selections,
        cache_hits: engine.cache_hits,
        cache_lookups: engine.cache_lookups,
        cache_added: engine.cache_added,
        cache_replaced: engine.cache_replaced,
        cache_bytes_added: engine.cache_bytes_added,
        saturated: engine.saturated,
    }
}

fn body<'a>(engine: &'a EngineState, facts: &'a HealthFacts, oddities: Oddities) -> Body<'a> {
    let form = Form(oddities);
    let has = |oddity| oddities.has(oddity);
    let committed = || form.fraction("mem.committed", engine.committed);
    let misspelt = has(Oddity::MisspeltCommitted);
    let total_physical = form.fraction("mem.totalPhysical", engine.total_physical);
    let unknown = has(Oddity::UnknownMembers);
    Body {
        version: &facts.version,
        started: &facts.started,
        mem: Memory {
            committed: (!misspelt).then(committed),
            comitted: misspelt.then(committed),
            allocated: form.fraction("mem.allocated", engine.allocated),
            free: form.fraction("mem.free", engine.free),
            total_physical: (!has(Oddity::MissingTotalPhysical)).then_some(total_physical),
        },
        cpu: Cpu { total: form.whole("cpu.total", engine.cpu_total) },
        session: Pair {
            active: form.whole("session.active", engine.session_active),
            total: form.whole("session.total", engine.session_total),
        },
        apps: Apps {
            active_docs: Docs(&engine.active_docs),
            loaded_docs: Docs(&engine.loaded_docs),
            in_memory_docs: (!has(Oddity::MissingInMemoryDocs))
                .then_some(Docs(&engine.in_memory_docs)),
            calls: form.whole("apps.calls", engine.calls),
            selections: form.whole("apps.selections", engine.selections),
        },
        users: Pair {
            active: form.whole("users.active", engine.users_active),
            total: form.whole("users.total", engine.users_total),
        },
        cache: Cache {
            hits: form.whole("cache.hits", engine.cache_hits),
            lookups: form.whole("cache.lookups", engine.cache_lookups),
            added: form.whole("cache.added", engine.cache_added),
            replaced: form.whole("cache.replaced", engine.cache_replaced),
            bytes_added: form.whole("cache.bytes_added", engine.cache_bytes_added),
        },
        saturated: (!has(Oddity::MissingSaturated)).then_some(engine.saturated),
        total_static_byte_size: unknown.then(|| form.whole("totalStaticByteSize", 41_234_567_890)),
        future: unknown.then(|| serde_json::json!({"nested": [1, null, {"deep": "yes"}]})),
    }
}

/// Changes what the engine says, where an oddity changes more than how a number is written.
fn with_oddities(server: &ServerState, mut engine: EngineState, oddities: Oddities) -> EngineState {
    let has = |oddity| oddities.has(oddity);
    let world = server.world();
    if has(Oddity::HundredsOfDocs) {
        let ids = (0..MANY_DOCS).map(|number| world.unknown_app_id(number + MANY_DOCS).into());
        engine.in_memory_docs.extend(ids);
    }
    if has(Oddity::UnknownApps) {
        let ids: Vec<Arc<str>> =
            (0..MANY_UNKNOWN_APPS).map(|number| world.unknown_app_id(number).into()).collect();
        extend_all(&mut engine, &ids);
    }
    if has(Oddity::SessionApps) || has(Oddity::SessionAppsWithoutUnderscore) {
        let mark = if has(Oddity::SessionApps) { "SessionApp_" } else { "SessionApp" };
        let ids: Vec<Arc<str>> = (0..MANY_SESSION_APPS)
            .map(|number| format!("{mark}{}", world.unknown_app_id(number)).into())
            .collect();
        extend_all(&mut engine, &ids);
    }
    if has(Oddity::RepeatedLoadedDocs) {
        let once = engine.loaded_docs.first().or(engine.in_memory_docs.first()).cloned();
        let again = std::iter::repeat_n(once, 300).flatten();
        engine.loaded_docs.extend(again);
    }
    if has(Oddity::DesktopPaths) {
        for docs in [&mut engine.active_docs, &mut engine.loaded_docs, &mut engine.in_memory_docs] {
            for doc in docs {
                *doc = format!("C:/Users/Some User/Documents/Qlik/Sense/Apps/{doc}.qvf").into();
            }
        }
    }
    if has(Oddity::EmptyLists) {
        engine.active_docs.clear();
        engine.loaded_docs.clear();
        engine.in_memory_docs.clear();
    }
    if has(Oddity::SessionsWithoutUsers) {
        (engine.session_total, engine.session_active) = (175, 0);
        (engine.users_total, engine.users_active) = (0, 0);
    }
    if has(Oddity::FreeAboveTotal) {
        engine.free = engine.total_physical * 2.0 + 0.5;
    }
    if has(Oddity::HugeNumbers) {
        engine.cache_bytes_added = BEYOND_FLOATS;
    }
    if has(Oddity::AllZero) {
        // The calls stay, since they tell the answers apart.
        engine = engine.without_activity();
    }
    engine
}

fn extend_all(engine: &mut EngineState, ids: &[Arc<str>]) {
    for docs in [&mut engine.active_docs, &mut engine.loaded_docs, &mut engine.in_memory_docs] {
        docs.extend_from_slice(ids);
    }
}

/// Compact ISO 8601 in the server's local time: `20240509T174101.000+0200`.
fn started(started: Duration, oddities: Oddities) -> String {
    let millisecond = i64::try_from(started.as_millis()).unwrap_or_default();
    let started = Timestamp::from_millisecond(millisecond).unwrap_or_default();
    let in_zone = |seconds: i32| {
        let offset = tz::Offset::from_seconds(seconds).unwrap_or(tz::Offset::UTC);
        started.to_zoned_datetime(offset.to_time_zone())
    };
    if oddities.has(Oddity::StartedInUtc) {
        return in_zone(0).strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    }
    let west = oddities.has(Oddity::StartedInTheWest);
    let zoned = in_zone(if west { WESTERN_OFFSET } else { LOCAL_OFFSET });
    zoned.strftime("%Y%m%dT%H%M%S%.3f%z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_written_in_every_zone() {
        let at = Duration::from_millis(1_457_948_122_005);
        let written = |oddity: Option<Oddity>| {
            started(at, oddity.map_or(Oddities::default(), |odd| Oddities::default().with(odd)))
        };
        assert_eq!(written(None), "20160314T103522.005+0100");
        assert_eq!(written(Some(Oddity::StartedInUtc)), "20160314T093522.005Z");
        assert_eq!(written(Some(Oddity::StartedInTheWest)), "20160314T060522.005-0330");
    }
}
