//! InfluxDB 2.x and 3.x at the end of the path, played by strict stand-ins: what the site served is
//! there, once, with its time.

#![expect(clippy::panic, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use integration_tests::programs::FootmanRun;
use integration_tests::strict_influxdb::line_protocol::Value;
use integration_tests::strict_influxdb::table::Table;
use integration_tests::strict_influxdb::{Serves, Strict, Version2, Version3};
use simulator::{ButlerSosOptions, Endpoint, Site};

use crate::site::{self, DATABASE, HealthId};

const ORG: &str = "footman";
const TOKEN: &str = "token";
const INTERVAL: Duration = Duration::from_secs(1);
const ROUNDS: u64 = 3;
/// An event's time is when the request left, the ledger's when the answer was made.
const REQUEST_BEFORE_ANSWER: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_in_influxdb_2() {
    let server = Strict::start(Version2::new(ORG, TOKEN)).await;
    let site = served_and_stored(&server, 2).await;
    server.with(|server| {
        assert_eq!(server.buckets[DATABASE].retention, Some(Duration::from_hours(240)));
        compare(&site, &server.store(DATABASE).table);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_in_influxdb_3() {
    let server = Strict::start(Version3::new(TOKEN)).await;
    let site = served_and_stored(&server, 3).await;
    server.with(|server| {
        assert_eq!(server.databases[DATABASE].retention.as_deref(), Some("10d"));
        compare(&site, &server.store(DATABASE).table);
    });
}

/// Runs `footman run` until everything was served a few times, and ends it.
async fn served_and_stored<V: Serves>(server: &Strict<V>, version: u8) -> Site {
    let site = site::start(2).await;
    let mut footman = FootmanRun::prepare(|sections| {
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_version: version,
            influxdb_port: server.port(),
            database: DATABASE.to_owned(),
            organisation: ORG.to_owned(),
            token: TOKEN.to_owned(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more: sections,
            ..ButlerSosOptions::default()
        })
    });
    footman.start().await;
    for server in 0..2 {
        site.ledger().wait_for_count(server, Endpoint::Engine, ROUNDS).await;
        site.ledger().wait_for_count(server, Endpoint::Proxy, 2 * ROUNDS).await;
    }
    site.ledger().wait_for_count(0, Endpoint::Repository, ROUNDS).await;
    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());
    let printed = footman.printed();
    assert!(printed.contains("Everything that was polled is stored"), "{printed}");
    site
}

fn compare(site: &Site, table: &Table) {
    let (served, mut stored) = (site::served_health(site), stored_health(table));
    assert_eq!(served.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    for (id, answered) in served {
        let times = stored.remove(&id).unwrap();
        assert_eq!(times.len(), 1, "{id:?}");
        let before = answered - times[0];
        assert!(Duration::from_nanos(before.try_into().unwrap()) < REQUEST_BEFORE_ANSWER, "{id:?}");
    }
    let served: BTreeSet<String> = site
        .ledger()
        .entries()
        .iter()
        .filter_map(|entry| entry.facts.sessions())
        .flatten()
        .map(|session| session.session_id.to_string())
        .collect();
    let stored: BTreeSet<String> = table
        .points("user_session_details")
        .map(|(_, fields)| text(&fields["session_id"]).to_owned())
        .collect();
    assert_eq!(served, stored);
    let answers: u64 =
        (0..site.servers().len()).map(|server| site.ledger().count(server, Endpoint::Proxy)).sum();
    assert_eq!(table.points("user_session_summary").count() as u64, answers);
    assert_eq!(table.points("footman_poll").count() as u64, site.ledger().recorded());
    assert!(table.points("footman_poll").all(|(_, fields)| fields["ok"] == Value::Boolean(true)));
    assert!(table.points("app_names").count() > 0);
    for tag in ["server_name", "server_description", "site_part"] {
        let all = table.points("user_session_summary").all(|(is, _)| is.tags.contains_key(tag));
        assert!(all, "session points carry the server's tags in every version: {tag}");
    }
}

/// Every health answer, with its times: more than one would be a double.
fn stored_health(table: &Table) -> BTreeMap<HealthId, Vec<i64>> {
    let mut stored: BTreeMap<HealthId, Vec<i64>> = BTreeMap::new();
    for (identity, fields) in table.points("apps") {
        let calls = match fields["calls"] {
            Value::Integer(calls) => calls,
            Value::Unsigned(calls) => calls.try_into().unwrap(),
            ref other => panic!("{other:?}"),
        };
        let id = (identity.tags["server_name"].clone(), calls);
        stored.entry(id).or_default().push(identity.timestamp);
    }
    stored
}

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}
