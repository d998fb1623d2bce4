//! A site under test, what it served, and what InfluxDB has of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::programs::FootmanRun;
use simulator::{ButlerSosOptions, Endpoint, Site, SiteConfig};

pub(crate) const DATABASE: &str = "senseops";

/// A health answer: the server's name and the engine's count of calls.
pub(crate) type HealthId = (String, i64);

/// Starts a site of `servers` servers.
pub(crate) async fn start(servers: usize) -> Site {
    Site::start(SiteConfig { servers, ..SiteConfig::for_test().unwrap() }).await.unwrap()
}

/// `footman run` on a Butler SOS file of the site, changed by `change`.
pub(crate) fn footman(
    site: &Site,
    influxd: &Influxd,
    interval: Duration,
    change: impl FnOnce(&mut ButlerSosOptions),
) -> FootmanRun {
    FootmanRun::prepare(|sections| {
        let mut options = ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: DATABASE.to_owned(),
            polling_interval: interval,
            session_interval: interval,
            app_names_interval: interval,
            more: sections,
            ..ButlerSosOptions::default()
        };
        change(&mut options);
        site.butler_sos_config(&options)
    })
}

/// Every good health answer served so far.
pub(crate) fn served_health(site: &Site) -> BTreeMap<HealthId, i64> {
    let names: Vec<&str> = site.servers().iter().map(simulator::Server::name).collect();
    site.ledger()
        .entries()
        .iter()
        .filter(|entry| entry.endpoint == Endpoint::Engine && entry.fault.is_none())
        .filter_map(|entry| {
            let id = (names[entry.server].to_owned(), entry.facts.health()?.calls);
            Some((id, i64::try_from(entry.time_ns).unwrap()))
        })
        .collect()
}

/// Every health answer in InfluxDB, with its times: more than one would be a double.
pub(crate) async fn stored_health(influxd: &Influxd) -> BTreeMap<HealthId, BTreeSet<i64>> {
    let mut stored: BTreeMap<HealthId, BTreeSet<i64>> = BTreeMap::new();
    for row in influxd.rows(DATABASE, "SELECT calls, server_name FROM apps").await {
        let id = (row["server_name"].as_str().unwrap().to_owned(), row["calls"].as_i64().unwrap());
        stored.entry(id).or_default().insert(row["time"].as_i64().unwrap());
    }
    stored
}
