//! What engines and proxies said last, and what the configuration says of their servers.

use std::sync::Arc;
use std::time::Duration;

use shared::event::{EngineHealth, Health};
use shared::timestamp::Timestamp;

use super::family::{Family, Kind, Labels, Unit, label};
use super::labels::of_server;
use crate::latest::{EndpointState, LastAnswer, Said, ServerState, SessionTotals};

/// Bytes of what Qlik calls a megabyte.
const BYTES_OF_MEGABYTE: f64 = 1_048_576.0;
const PERCENT: f64 = 100.0;

/// A value of an engine.
struct Measure {
    name: &'static str,
    unit: Unit,
    kind: Kind,
    help: &'static str,
    /// None where the engine did not say it.
    value: fn(&EngineHealth) -> Option<f64>,
}

const fn gauge(
    name: &'static str,
    unit: Unit,
    help: &'static str,
    value: fn(&EngineHealth) -> Option<f64>,
) -> Measure {
    Measure { name, unit, kind: Kind::Gauge, help, value }
}

const fn counter(
    name: &'static str,
    unit: Unit,
    help: &'static str,
    value: fn(&EngineHealth) -> Option<f64>,
) -> Measure {
    Measure { name, unit, kind: Kind::Counter, help, value }
}

// Sessions, users and apps that are active are some of all, and apps that are open some of those in
// memory. They are metrics of their own, since a sum over a label would count them twice.
const MEASURES: [Measure; 21] = [
    gauge(
        "engine_started_timestamp",
        Unit::Seconds,
        "When the engine started, in seconds since 1970",
        |health| health.started_at().map(seconds_since_1970),
    ),
    gauge(
        "engine_saturated",
        Unit::None,
        "1 while the engine says that its resource use is high, otherwise 0",
        |health| health.saturated.map(|saturated| f64::from(u8::from(saturated))),
    ),
    gauge(
        "engine_cpu",
        Unit::Ratio,
        "Share of the processors that the engine uses, the mean of 30 seconds",
        |health| health.cpu.total.map(|percent| percent / PERCENT),
    ),
    gauge("engine_memory_committed", Unit::Bytes, "Memory committed by the engine", |health| {
        bytes(health.mem.committed)
    }),
    gauge(
        "engine_memory_allocated",
        Unit::Bytes,
        "Memory committed and reserved by the engine",
        |health| bytes(health.mem.allocated),
    ),
    gauge(
        "engine_memory_free",
        Unit::Bytes,
        "Free memory of the engine's machine, physical or virtual, whichever is less",
        |health| bytes(health.mem.free),
    ),
    gauge(
        "engine_memory_physical",
        Unit::Bytes,
        "Physical memory of the engine's machine, where the engine tells it",
        |health| bytes(health.mem.total_physical),
    ),
    gauge("engine_sessions", Unit::None, "Engine sessions", |health| count(health.session.total)),
    gauge("engine_sessions_active", Unit::None, "Engine sessions with an action now", |health| {
        count(health.session.active)
    }),
    gauge("engine_users", Unit::None, "Users with engine sessions", |health| {
        count(health.users.total)
    }),
    gauge("engine_users_active", Unit::None, "Users with an action in the engine now", |health| {
        count(health.users.active)
    }),
    gauge("engine_apps_active", Unit::None, "Apps with an action of a user now", |health| {
        length(&health.apps.active_docs)
    }),
    gauge(
        "engine_apps_loaded",
        Unit::None,
        "Apps that are open in a session, once for each time that the engine lists them",
        |health| length(&health.apps.loaded_docs),
    ),
    gauge("engine_apps_in_memory", Unit::None, "Apps in memory, open or not", |health| {
        length(&health.apps.in_memory_docs)
    }),
    counter("engine_calls", Unit::None, "Requests to the engine since it started", |health| {
        count(health.apps.calls)
    }),
    counter(
        "engine_selections",
        Unit::None,
        "Selections in the engine since it started",
        |health| count(health.apps.selections),
    ),
    counter(
        "engine_cache_lookups",
        Unit::None,
        "Lookups in the result cache since the engine started",
        |health| count(health.cache.lookups),
    ),
    counter(
        "engine_cache_hits",
        Unit::None,
        "Lookups that found a result since the engine started",
        |health| count(health.cache.hits),
    ),
    counter(
        "engine_cache_added_results",
        Unit::None,
        "Results added to the cache since the engine started",
        |health| count(health.cache.added),
    ),
    counter(
        "engine_cache_replaced_results",
        Unit::None,
        "Results replaced in the cache since the engine started",
        |health| count(health.cache.replaced),
    ),
    counter(
        "engine_cache_added",
        Unit::Bytes,
        "Bytes added to the cache since the engine started",
        |health| count(health.cache.bytes_added),
    ),
];

/// A number that cannot be less than nothing.
fn count(number: Option<i64>) -> Option<f64> {
    number.filter(|number| *number >= 0).map(|number| number as f64)
}

#[expect(clippy::unnecessary_wraps, reason = "a list is always there, other values are not")]
fn length(list: &[String]) -> Option<f64> {
    Some(list.len() as f64)
}

fn bytes(megabytes: Option<f64>) -> Option<f64> {
    megabytes.map(|megabytes| megabytes * BYTES_OF_MEGABYTE)
}

/// The form of Prometheus' timestamps, to the millisecond, as exact as its own.
pub(super) fn seconds_since_1970(time: Timestamp) -> f64 {
    let since = Duration::from_nanos(u64::try_from(time.nanos()).unwrap_or(0));
    Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).as_secs_f64()
}

/// All metrics of engines, proxies and servers; those without series, too.
pub(super) fn families(servers: &[(&str, &ServerState)]) -> Vec<Family> {
    let configured = |(name, state): &(&str, &ServerState)| (of_server(name, &state.server), 1.0);
    let mut families = vec![Family::gauge(
        "server_info",
        Unit::None,
        "1 for each server that is polled, with what the configuration says of it",
        servers.iter().map(configured).collect(),
    )];
    let engines: Vec<(&str, Arc<Health>)> = servers
        .iter()
        .filter_map(|(name, state)| match fresh(state.health.as_ref()?)?.said {
            Said::Health(health) => Some((*name, health)),
            Said::Sessions(_) => None,
        })
        .collect();
    let version = |(name, health): &(&str, Arc<Health>)| {
        let version = health.health.version.as_deref()?;
        Some((vec![label("server", *name), label("version", version)], 1.0))
    };
    families.push(Family::gauge(
        "engine_info",
        Unit::None,
        "1 for each engine that answers, with its version",
        engines.iter().filter_map(version).collect(),
    ));
    families.extend(MEASURES.iter().map(|measure| {
        let value = |(name, health): &(&str, Arc<Health>)| {
            Some((vec![label("server", *name)], (measure.value)(&health.health)?))
        };
        let Measure { name, unit, kind, help, .. } = *measure;
        Family { name, help, unit, kind, series: engines.iter().filter_map(value).collect() }
    }));
    families.extend(proxies(servers));
    families
}

fn proxies(servers: &[(&str, &ServerState)]) -> [Family; 3] {
    let proxies: Vec<(Labels, Arc<SessionTotals>)> = servers
        .iter()
        .flat_map(|(name, state)| state.sessions.iter().map(|proxy| (*name, proxy)))
        .filter_map(|(name, proxy)| match fresh(proxy)?.said {
            Said::Sessions(totals) => {
                let virtual_proxy = label("virtual_proxy", &*totals.virtual_proxy);
                Some((vec![label("server", name), virtual_proxy], totals))
            }
            Said::Health(_) => None,
        })
        .collect();
    let of = |value: fn(&SessionTotals) -> u64| {
        let series = proxies.iter().map(|(labels, totals)| (labels.clone(), value(totals) as f64));
        series.collect()
    };
    [
        Family::gauge(
            "proxy_sessions",
            Unit::None,
            "Sessions of a virtual proxy, those of excluded users among them",
            of(|totals| totals.session_count),
        ),
        Family::gauge(
            "proxy_sessions_excluded",
            Unit::None,
            "Sessions of a virtual proxy that belong to excluded users",
            of(|totals| totals.excluded_session_count),
        ),
        Family::gauge(
            "proxy_users",
            Unit::None,
            "Users with sessions of a virtual proxy, without those who are excluded",
            of(|totals| totals.user_count),
        ),
    ]
}

fn fresh(endpoint: &EndpointState) -> Option<LastAnswer> {
    endpoint.answer.clone().filter(LastAnswer::is_fresh)
}
