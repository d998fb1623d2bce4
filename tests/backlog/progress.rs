//! How a backlog drains is told in the log and at `/readyz`.

use std::time::Duration;

use integration_tests::backlog;
use integration_tests::fault_proxy::{Direction, FaultProxy, Flow};
use integration_tests::influxdb_sink::{InfluxDbSink, Manner};
use integration_tests::made_up::Mix;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::programs::Running;

use crate::house::{self, ROOM, house, is_full, queue};

/// At the pace of [`SLOW`] they take ten seconds or more.
const EVENTS: u64 = 10_000;
/// A slow InfluxDB: at most four requests, of some 500 events each, in this time.
const SLOW: Manner = Manner::Takes(Duration::from_secs(2));
/// The same for what goes to a broker: a piece of the network in this time.
const LATE: Flow = Flow::Delay(Duration::from_millis(100));
const OUTGOING_EVENTS: u64 = 4_000;

async fn is_told(program: &Running, at: &str, wanted: &[&str]) {
    let shown = eventually("an estimate at /readyz", || async {
        let shown = queue(program, at).await?;
        let told = wanted.iter().all(|member| shown[member].as_f64().is_some_and(|n| n > 0.0));
        told.then_some(shown)
    })
    .await;
    println!("{shown}");
    program.ready().await;
}

async fn says(program: &Running, words: &str) -> String {
    eventually(&format!("a line with {words:?}"), || async {
        let printed = program.printed();
        printed.lines().find(|line| line.contains(words)).map(str::to_owned)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_nats() {
    let (server, mut sink) = (NatsServer::start().await, InfluxDbSink::default());
    let (house, _site) = house(&sink, &house::nats(server.port())).await;
    let mut writer = house.writer("w");
    writer.start().await;
    backlog::publish_to_nats(&server, ROOM, Mix::Site, EVENTS).await;
    is_full(&writer).await;
    sink.open(SLOW).await;
    is_told(&writer, "backlog", &["waiting", "perSecond", "secondsLeft", "ageSeconds"]).await;
    let line = says(&writer, "Draining a backlog: ").await;
    assert!(line.contains(" events wait, ") && line.contains(" leave each second, "), "{line}");
    sink.open(Manner::Takes(Duration::ZERO)).await;
    says(&writer, "The backlog is drained: ").await;
}

/// MQTT cannot tell how many wait, so the age of the events stands for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_mqtt() {
    let (server, mut sink) = (Mosquitto::start().await, InfluxDbSink::default());
    let (house, _site) = house(&sink, &house::mqtt(server.port())).await;
    let mut writer = house.writer("w");
    writer.start().await;
    backlog::publish_to_mqtt(&server, Mix::Site, EVENTS).await;
    is_full(&writer).await;
    sink.open(SLOW).await;
    is_told(&writer, "backlog", &["perSecond", "secondsLeft", "ageSeconds"]).await;
    assert_eq!(queue(&writer, "backlog").await.unwrap().get("waiting"), None);
    let line = says(&writer, "Draining a backlog: ").await;
    assert!(line.contains("events from ") && line.contains(" ago are stored, "), "{line}");
    sink.open(Manner::Takes(Duration::ZERO)).await;
    says(&writer, "The backlog is drained: ").await;
    assert!(writer.metric("writer_event_age_seconds").await.unwrap() < 60.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_footman_over_its_queue() {
    let mut sink = InfluxDbSink::default();
    let (house, site) = house(&sink, &house::embedded()).await;
    backlog::append(&house.directory().join("queue"), ROOM, Mix::Site, EVENTS).await;
    let mut footman = house.footman();
    footman.start().await;
    is_full(&footman).await;
    sink.open(SLOW).await;
    is_told(&footman, "backlog", &["waiting", "perSecond", "secondsLeft", "ageSeconds"]).await;
    says(&footman, "Draining a backlog: ").await;
    // Polls go on, and what they bring is stored too.
    let served = site.ledger().recorded();
    site.ledger().wait_for(served + 5).await;
    sink.open(Manner::Takes(Duration::ZERO)).await;
    says(&footman, "The backlog is drained: ").await;
    eventually("an empty queue", || async {
        footman.metric("collector_outbox_events").await.filter(|waiting| *waiting < 20.0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_collector_whose_broker_was_away() {
    let (mut server, sink) = (NatsServer::prepare(""), InfluxDbSink::default());
    let proxy = FaultProxy::before(server.port()).await;
    let (house, _site) = house(&sink, &house::nats(proxy.port())).await;
    backlog::append(&house.directory().join("outbox"), ROOM, Mix::Site, OUTGOING_EVENTS).await;
    let mut collector = house.collector("c");
    collector.start().await;
    proxy.set(Direction::ToServer, LATE);
    server.restart().await;
    is_told(&collector, "outbox", &["waiting", "perSecond", "secondsLeft"]).await;
    says(&collector, "Draining the outbox: ").await;
    proxy.set(Direction::ToServer, Flow::Pass);
    says(&collector, "The outbox is drained: ").await;
}
