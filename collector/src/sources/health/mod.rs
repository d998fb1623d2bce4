//! The engine's health check: its answer, and the event made from it.
//!
//! Only an answer without a single known member is no health; everything else costs the member
//! that is wrong. Fields disagree on sound engines too (175 sessions of 0 users), so nothing is
//! checked across them.

use shared::event::{
    App, AppLists, CacheCounters, Cpu, EngineApps, EngineHealth, Memory, SessionCounts, UserCounts,
};

use super::body::{self, Unusable};
use super::lenient::{Members, Rejected};
use crate::app_store::KnownNames;

/// The engine's usual port.
const PORT: &str = "4747";
/// More memory than any machine has, in MB: an exabyte.
const ABSURD_MEMORY: f64 = 1_048_576.0 * 1_048_576.0;
/// More load than any machine shows, in percent: 1,000 processors at 100 each.
const ABSURD_LOAD: f64 = 100_000.0;
/// Members of which a health answer has some.
const MEMBERS: [&str; 9] =
    ["version", "started", "mem", "cpu", "session", "apps", "users", "cache", "saturated"];

/// Reads an answer.
pub(crate) fn decode(body: &[u8]) -> Result<(EngineHealth, Rejected), Unusable> {
    let text = body::text(body);
    let raw = body::json(&text, PORT)?;
    let health = Members::parse(raw)
        .filter(|members| members.has_any(&MEMBERS))
        .ok_or_else(|| Unusable::unexpected("the answer is JSON, but no engine health"))?;
    let mut rejected = Rejected::default();
    let count = &mut rejected;
    let health = EngineHealth {
        version: health.text("version", count),
        started: health.text("started", count),
        mem: memory(&health.object("mem", count), count),
        cpu: Cpu { total: health.object("cpu", count).number("total", ABSURD_LOAD, count) },
        session: session(&health.object("session", count), count),
        apps: apps(&health.object("apps", count), count),
        users: users(&health.object("users", count), count),
        cache: cache(&health.object("cache", count), count),
        saturated: health.optional_flag("saturated", count),
    };
    Ok((health, rejected))
}

fn memory(mem: &Members<'_>, count: &mut Rejected) -> Memory {
    Memory {
        // Qlik's own documentation of release 3.1 misspells it.
        committed: mem.number(mem.either("committed", "comitted"), ABSURD_MEMORY, count),
        allocated: mem.number("allocated", ABSURD_MEMORY, count),
        free: mem.number("free", ABSURD_MEMORY, count),
        total_physical: mem.optional_number("totalPhysical", ABSURD_MEMORY, count),
    }
}

fn session(session: &Members<'_>, count: &mut Rejected) -> SessionCounts {
    SessionCounts {
        active: session.counter("active", count),
        total: session.counter("total", count),
    }
}

fn users(users: &Members<'_>, count: &mut Rejected) -> UserCounts {
    UserCounts { active: users.counter("active", count), total: users.counter("total", count) }
}

fn apps(apps: &Members<'_>, count: &mut Rejected) -> EngineApps {
    EngineApps {
        active_docs: apps.texts("active_docs", count),
        loaded_docs: apps.texts("loaded_docs", count),
        in_memory_docs: apps.texts("in_memory_docs", count),
        calls: apps.counter("calls", count),
        selections: apps.counter("selections", count),
    }
}

fn cache(cache: &Members<'_>, count: &mut Rejected) -> CacheCounters {
    CacheCounters {
        hits: cache.counter("hits", count),
        lookups: cache.counter("lookups", count),
        added: cache.counter("added", count),
        replaced: cache.counter("replaced", count),
        bytes_added: cache.counter("bytes_added", count),
    }
}

/// The engine's documents with the names that are known, one to one with the engine's lists.
pub(crate) fn named_apps(apps: &EngineApps, names: &KnownNames) -> AppLists {
    let list = |ids: &[String]| {
        ids.iter()
            .map(|id| App { id: id.clone(), name: names.name_of(id).map(str::to_owned) })
            .collect()
    };
    AppLists {
        active: list(&apps.active_docs),
        loaded: list(&apps.loaded_docs),
        in_memory: list(&apps.in_memory_docs),
    }
}

#[cfg(test)]
mod tests;
