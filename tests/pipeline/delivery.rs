//! What the site served is in InfluxDB, with its time.

use std::collections::BTreeSet;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::{eventually, eventually_equal};
use simulator::Endpoint;

use crate::site::{self, DATABASE};

const INTERVAL: Duration = Duration::from_secs(1);
const ROUNDS: u64 = 4;
/// An event's time is when the request left, the ledger's when the answer was made.
const REQUEST_BEFORE_ANSWER: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_stored_with_its_time() {
    let (site, influxd) = (site::start(3).await, Influxd::start().await);
    let mut footman = site::footman(&site, &influxd, INTERVAL, |_| {});
    footman.start().await;
    for server in 0..3 {
        site.ledger().wait_for_count(server, Endpoint::Engine, ROUNDS).await;
        site.ledger().wait_for_count(server, Endpoint::Proxy, 2 * ROUNDS).await;
    }
    site.ledger().wait_for_count(0, Endpoint::Repository, ROUNDS).await;
    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());
    assert!(footman.printed().contains("Everything that was polled is stored"));

    let (served, stored) = (site::served_health(&site), site::stored_health(&influxd).await);
    assert_eq!(served.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    for (id, answered) in &served {
        let times: Vec<i64> = stored[id].iter().copied().collect();
        let [time] = times[..] else { panic!("{id:?} is stored {} times", times.len()) };
        let before = Duration::from_nanos(u64::try_from(answered - time).unwrap());
        assert!(before < REQUEST_BEFORE_ANSWER, "{id:?}: {before:?}");
    }

    assert_sessions(&site, &influxd).await;
    let polls = influxd.rows(DATABASE, "SELECT ok FROM footman_poll").await;
    assert!(polls.iter().all(|poll| poll["ok"] == true), "{polls:?}");
    assert_eq!(u64::try_from(polls.len()).unwrap(), site.ledger().recorded());
    let apps =
        influxd.value(DATABASE, "SELECT count(distinct(\"name\")) FROM app_names", "count").await;
    assert!(apps.unwrap().as_u64().unwrap() > 0);
}

/// Every session id that was served is stored, and no other.
async fn assert_sessions(site: &simulator::Site, influxd: &Influxd) {
    let served: BTreeSet<String> = site
        .ledger()
        .entries()
        .iter()
        .filter_map(|entry| entry.facts.sessions())
        .flatten()
        .map(|session| session.session_id.to_string())
        .collect();
    let rows = influxd.rows(DATABASE, "SELECT session_id FROM user_session_details").await;
    let stored: BTreeSet<String> =
        rows.iter().map(|row| row["session_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(served, stored);
    let served: u64 =
        (0..site.servers().len()).map(|server| site.ledger().count(server, Endpoint::Proxy)).sum();
    let summaries = "SELECT count(session_count) FROM user_session_summary";
    let stored = influxd.value(DATABASE, summaries, "count").await.unwrap();
    assert_eq!(stored.as_u64(), Some(served));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn influxdb_may_come_late_and_go_away() {
    let (site, mut influxd) = (site::start(1).await, Influxd::start().await);
    influxd.stop();
    let mut footman = site::footman(&site, &influxd, INTERVAL, |_| {});
    footman.start().await;
    eventually("the program to miss InfluxDB", || footman.missing("influxdb")).await;
    site.ledger().wait_for_count(0, Endpoint::Engine, 2).await;

    influxd.restart().await;
    footman.ready().await;
    influxd.stop();
    let served = site.ledger().count(0, Endpoint::Engine);
    site.ledger().wait_for_count(0, Endpoint::Engine, served + 3).await;

    influxd.restart().await;
    let served: BTreeSet<_> = site::served_health(&site).into_keys().collect();
    eventually_equal("every answer in InfluxDB", served.len(), || async {
        let stored = site::stored_health(&influxd).await;
        served.iter().filter(|id| stored.get(*id).is_some_and(|times| times.len() == 1)).count()
    })
    .await;
}
