//! A site, its configuration, and the comparison of what it served with what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually_equal;
use integration_tests::programs::House;
use simulator::{ButlerSosOptions, Endpoint, Site, SiteConfig};

const DATABASE: &str = "senseops";
const INTERVAL: Duration = Duration::from_millis(500);

/// A health answer: the server's address, which no two sites share, and the engine's count of calls.
pub(crate) type HealthId = (String, i64);

pub(crate) async fn start() -> Site {
    start_like(1).await
}

/// A site of which nothing but the names is like that of another seed.
pub(crate) async fn start_like(seed: u64) -> Site {
    let config = SiteConfig { servers: 2, seed, ..SiteConfig::for_test().unwrap() };
    Site::start(config).await.unwrap()
}

/// A directory with a Butler SOS file of the site and the section `broker`.
pub(crate) fn house(site: &Site, influxd: &Influxd, broker: &str) -> House {
    House::new(|directory| {
        let outbox = directory.join("outbox");
        let more =
            format!("{broker}  collector:\n    outbox: {{directory: \"{}\"}}\n", outbox.display());
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: DATABASE.to_owned(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    })
}

/// Waits until the site has served `more` further health answers of each server.
pub(crate) async fn serves(site: &Site, more: u64) {
    for server in 0..site.servers().len() {
        let served = site.ledger().count(server, Endpoint::Engine);
        site.ledger().wait_for_count(server, Endpoint::Engine, served + more).await;
    }
}

/// Waits until every health answer served so far is stored, and shows that none is doubled.
pub(crate) async fn everything_is_stored(site: &Site, influxd: &Influxd) {
    let served = served_health(site);
    eventually_equal("every answer in InfluxDB", BTreeSet::new(), || async {
        let stored = stored_health(influxd).await;
        let missing = served.iter().filter(|id| !stored.contains_key(*id));
        missing.cloned().collect::<BTreeSet<_>>()
    })
    .await;
    let stored = stored_health(influxd).await;
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| times.len() > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

/// The health answers that the site has served.
pub(crate) fn served_health(site: &Site) -> BTreeSet<HealthId> {
    let host = |server: usize| site.servers()[server].address().to_string();
    let entries = site.ledger().entries();
    let health =
        entries.iter().filter_map(|entry| Some((host(entry.server), entry.facts.health()?.calls)));
    health.collect()
}

async fn stored_health(influxd: &Influxd) -> BTreeMap<HealthId, BTreeSet<i64>> {
    let mut stored: BTreeMap<HealthId, BTreeSet<i64>> = BTreeMap::new();
    for row in influxd.rows(DATABASE, "SELECT calls, host FROM apps").await {
        let id = (row["host"].as_str().unwrap().to_owned(), row["calls"].as_i64().unwrap());
        stored.entry(id).or_default().insert(row["time"].as_i64().unwrap());
    }
    stored
}

/// The programs that said in InfluxDB that they do their work.
pub(crate) async fn honest_programs(influxd: &Influxd) -> BTreeSet<String> {
    let beats = "SELECT process, uptime_s FROM footman_heartbeat WHERE honest = true";
    let beats = influxd.rows(DATABASE, beats).await;
    beats.iter().map(|beat| beat["process"].as_str().unwrap().to_owned()).collect()
}
