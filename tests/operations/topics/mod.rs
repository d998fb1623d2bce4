//! What subscribers that want no events are told: state topics over each broker, and the topics of
//! the predecessor, compared with what the site served.

mod brokers;
pub(crate) mod ear;
mod embedded;
mod home_assistant;
mod predecessor;

use std::time::Duration;

use integration_tests::influxd::Influxd;
use serde_json::Value;
use simulator::{ButlerSosOptions, Endpoint, HealthFacts, Site, SiteConfig};

const INTERVAL: Duration = Duration::from_millis(500);

async fn site() -> Site {
    Site::start(SiteConfig { servers: 2, ..SiteConfig::for_test().unwrap() }).await.unwrap()
}

/// A Butler SOS file of the site with further sections.
fn file(site: &Site, influxd: &Influxd, more: String) -> String {
    site.butler_sos_config(&ButlerSosOptions {
        influxdb_port: influxd.port(),
        polling_interval: INTERVAL,
        session_interval: INTERVAL,
        more,
        ..ButlerSosOptions::default()
    })
}

/// What a server served with this count of calls.
fn served(site: &Site, server: usize, calls: i64) -> Option<HealthFacts> {
    let entries = site.ledger().entries();
    let of_server =
        entries.iter().filter(|entry| entry.server == server && entry.endpoint == Endpoint::Engine);
    let mut health = of_server.filter_map(|entry| entry.facts.health());
    health.find(|facts| facts.calls == calls).cloned()
}

/// Whether a state topic says what its server served, by its count of calls.
fn is_as_served(site: &Site, server: usize, said: &Value) {
    let facts = served(site, server, said["calls"].as_i64().unwrap()).unwrap();
    let number = |key: &str| said[key].as_f64().unwrap();
    let count = |key: &str| said[key].as_i64().unwrap();
    assert_eq!(said["version"], facts.version);
    assert_eq!(said["saturated"], facts.saturated);
    assert_eq!(said["server"], site.servers()[server].name());
    assert_eq!(said["tag_site_part"], site.servers()[server].tag());
    let started = shared::timestamp::Timestamp::parse(said["started"].as_str().unwrap()).unwrap();
    assert_eq!(started.nanos() / 1_000_000_000, facts.started_unix);
    let close = |key: &str, wanted: f64| {
        assert!((number(key) - wanted).abs() < 1e-6, "{key}: {said} {wanted}");
    };
    close("cpu_percent", facts.cpu_total as f64);
    close("memory_committed_mib", facts.committed);
    close("memory_allocated_mib", facts.allocated);
    close("memory_free_mib", facts.free);
    close("memory_physical_mib", facts.total_physical);
    close("interval_s", INTERVAL.as_secs_f64());
    for (key, wanted) in [
        ("engine_sessions_active", facts.session_active),
        ("engine_sessions", facts.session_total),
        ("engine_users_active", facts.users_active),
        ("engine_users", facts.users_total),
        ("selections", facts.selections),
        ("cache_hits", facts.cache_hits),
        ("cache_lookups", facts.cache_lookups),
        ("apps_active", i64::try_from(facts.active_docs).unwrap()),
        ("apps_loaded", i64::try_from(facts.loaded_docs).unwrap()),
        ("apps_in_memory", i64::try_from(facts.in_memory_docs).unwrap()),
    ] {
        assert_eq!(count(key), wanted, "{key}: {said}");
    }
}
