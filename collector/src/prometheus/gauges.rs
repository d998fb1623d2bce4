//! The predecessor's gauges of the polled data: names, labels and units as its dashboards want.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::event::{EngineHealth, Health};

use super::labels::Labels;
use super::text::Family;
use crate::latest::{LastAnswer, Said};

/// Bytes of what Qlik calls a megabyte.
const BYTES_OF_MEGABYTE: f64 = 1_048_576.0;

/// A gauge of the engine's health.
struct Gauge {
    name: &'static str,
    help: &'static str,
    value: fn(&EngineHealth) -> Option<f64>,
}

const ENGINE_METADATA: &str = "butlersos_engine_metadata";
const USER_SESSIONS: &str = "butlersos_user_session_total";

const ENGINE: [Gauge; 19] = [
    Gauge {
        name: "butlersos_apps_calls",
        help: "Requests to the engine since it started.",
        value: |health| count(health.apps.calls),
    },
    Gauge {
        name: "butlersos_apps_selections",
        help: "Selections in the engine since it started.",
        value: |health| count(health.apps.selections),
    },
    Gauge {
        name: "butlersos_apps_activedocs_total",
        help: "Apps with an action of a user now.",
        value: |health| Some(length(&health.apps.active_docs)),
    },
    Gauge {
        name: "butlersos_apps_inmemorydocs_total",
        help: "Apps in memory, open or not.",
        value: |health| Some(length(&health.apps.in_memory_docs)),
    },
    Gauge {
        name: "butlersos_apps_loadeddocs_total",
        help: "Apps that are open in a session.",
        value: |health| Some(length(&health.apps.loaded_docs)),
    },
    Gauge {
        name: "butlersos_cache_added",
        help: "Results added to the cache since the engine started.",
        value: |health| count(health.cache.added),
    },
    Gauge {
        name: "butlersos_cache_bytes_added",
        help: "Bytes added to the cache since the engine started.",
        value: |health| count(health.cache.bytes_added),
    },
    Gauge {
        name: "butlersos_cache_hits",
        help: "Hits of the cache since the engine started.",
        value: |health| count(health.cache.hits),
    },
    Gauge {
        name: "butlersos_cache_lookups",
        help: "Lookups in the cache since the engine started.",
        value: |health| count(health.cache.lookups),
    },
    Gauge {
        name: "butlersos_cache_replaced",
        help: "Results replaced in the cache since the engine started.",
        value: |health| count(health.cache.replaced),
    },
    Gauge {
        name: "butlersos_cache_saturated",
        help: "1 while the engine says that its resource use is high, otherwise 0.",
        value: |health| health.saturated.map(|saturated| f64::from(u8::from(saturated))),
    },
    Gauge {
        name: "butlersos_cpu_total",
        help: "Processor load of the engine in percent, the mean of 30 seconds.",
        value: |health| health.cpu.total,
    },
    Gauge {
        name: "butlersos_mem_committed",
        help: "Memory committed by the engine, in bytes.",
        value: |health| bytes(health.mem.committed),
    },
    Gauge {
        name: "butlersos_mem_allocated",
        help: "Memory committed and reserved by the engine, in bytes.",
        value: |health| bytes(health.mem.allocated),
    },
    Gauge {
        name: "butlersos_mem_free",
        help: "Free memory of the machine, in bytes.",
        value: |health| bytes(health.mem.free),
    },
    Gauge {
        name: "butlersos_session_active",
        help: "Engine sessions with an action now.",
        value: |health| count(health.session.active),
    },
    Gauge {
        name: "butlersos_session_total",
        help: "Engine sessions.",
        value: |health| count(health.session.total),
    },
    Gauge {
        name: "butlersos_users_active",
        help: "Users with an action in the engine now.",
        value: |health| count(health.users.active),
    },
    Gauge {
        name: "butlersos_users_total",
        help: "Users with engine sessions.",
        value: |health| count(health.users.total),
    },
];

fn count(number: Option<i64>) -> Option<f64> {
    number.map(|number| number as f64)
}

fn length(list: &[String]) -> f64 {
    list.len() as f64
}

fn bytes(megabytes: Option<f64>) -> Option<f64> {
    megabytes.map(|megabytes| megabytes * BYTES_OF_MEGABYTE)
}

/// All gauges, in an order that never changes.
///
/// Where two servers have the same labels, the predecessor shows the one that answered last; here
/// it is always the same one of the two.
pub(super) fn families(answers: &[LastAnswer]) -> Vec<Family> {
    let mut engines: BTreeMap<Labels, &Arc<Health>> = BTreeMap::new();
    let mut sessions = BTreeMap::new();
    for answer in answers {
        match &answer.said {
            Said::Health(health) => {
                engines.insert(Labels::of(&health.server), health);
            }
            Said::Sessions(totals) => {
                let labels = Labels::of(&totals.server)
                    .with("user_session_virtual_proxy", &totals.virtual_proxy)
                    .with("user_session_host", &totals.host);
                sessions.insert(labels, totals.session_count as f64);
            }
        }
    }
    let value_of = |gauge: &Gauge| {
        let value = |(labels, health): (&Labels, &&Arc<Health>)| {
            Some((labels.clone(), (gauge.value)(&health.health)?))
        };
        engines.iter().filter_map(value).collect()
    };
    let mut families: Vec<Family> = ENGINE
        .iter()
        .map(|gauge| Family { name: gauge.name, help: gauge.help, series: value_of(gauge) })
        .collect();
    families.push(Family {
        name: ENGINE_METADATA,
        help: "1 for each engine, with its version and the time of its start.",
        series: engines.iter().filter_map(|(labels, health)| metadata(labels, health)).collect(),
    });
    families.push(Family {
        name: USER_SESSIONS,
        help: "Sessions of a virtual proxy, those of excluded users among them.",
        series: sessions,
    });
    families
}

fn metadata(labels: &Labels, health: &Health) -> Option<(Labels, f64)> {
    let EngineHealth { version, started, .. } = &health.health;
    let mut labelled = labels.clone();
    for (name, value) in [("engine_version", version), ("engine_started", started)] {
        if let Some(value) = value {
            labelled = labelled.with(name, value);
        }
    }
    (version.is_some() || started.is_some()).then_some((labelled, 1.0))
}
