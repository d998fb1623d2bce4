//! What a program holds has a bound, whatever waits.

use std::time::Duration;

use integration_tests::backlog;
use integration_tests::influxdb_sink::{InfluxDbSink, Manner};
use integration_tests::made_up::Mix;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::programs::Running;

use crate::house::{self, ROOM, house, is_full};

/// What a program may have beside its files, in bytes. It takes a third of it to two thirds; each
/// backlog here is more than twice that, as payloads and lines.
const MOST: u64 = 100 * 1000 * 1000;
/// 90 MB of payloads.
const EVENTS: u64 = 20_000;
/// 125 MB of payloads.
const LARGE_EVENTS: u64 = 150;
/// 250 MB of payloads, all of which could be on their way to a broker.
const OUTGOING_EVENTS: u64 = 300;

fn holds_little(program: &Running, when: &str) {
    let resident = program.resident();
    let own_peak = resident.own_peak();
    println!("{} {when}: {:.1} MB", program.name(), own_peak as f64 / 1e6);
    assert!(resident.now > 0, "it has ended: {}", program.printed());
    assert!(own_peak < MOST, "{} {when}: {resident:?}", program.name());
}

/// First as much as it may while InfluxDB is away, which then comes back.
async fn holds_little_until_all_is_stored(writer: &Running, sink: &mut InfluxDbSink) {
    is_full(writer).await;
    holds_little(writer, "while InfluxDB is away");
    sink.open(Manner::Takes(Duration::ZERO)).await;
    eventually("the backlog in InfluxDB", || async {
        let stored = writer.metric("writer_events_stored_total").await?;
        (stored >= EVENTS as f64).then_some(())
    })
    .await;
    holds_little(writer, "when all is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_writer_over_nats() {
    let (server, mut sink) = (NatsServer::start().await, InfluxDbSink::default());
    let (house, _site) = house(&sink, &house::nats(server.port())).await;
    let mut writer = house.writer("w");
    writer.start().await;
    backlog::publish_to_nats(&server, ROOM, Mix::Site, EVENTS).await;
    holds_little_until_all_is_stored(&writer, &mut sink).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_writer_over_mqtt() {
    let (server, mut sink) = (Mosquitto::start().await, InfluxDbSink::default());
    let (house, _site) = house(&sink, &house::mqtt(server.port())).await;
    let mut writer = house.writer("w");
    writer.start().await;
    backlog::publish_to_mqtt(&server, Mix::Site, EVENTS).await;
    holds_little_until_all_is_stored(&writer, &mut sink).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_footman_over_its_queue() {
    let mut sink = InfluxDbSink::default();
    let (house, _site) = house(&sink, &house::embedded()).await;
    backlog::append(&house.directory().join("queue"), ROOM, Mix::Site, EVENTS).await;
    let mut footman = house.footman();
    footman.start().await;
    holds_little_until_all_is_stored(&footman, &mut sink).await;
}

/// Requests that hang keep their bodies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_writer_with_the_largest_events_whose_requests_hang() {
    let (server, mut sink) = (NatsServer::start().await, InfluxDbSink::default());
    sink.open(Manner::Hangs).await;
    let (house, _site) = house(&sink, &house::nats(server.port())).await;
    let mut writer = house.writer("w");
    writer.start().await;
    backlog::publish_to_nats(&server, ROOM, Mix::Large, LARGE_EVENTS).await;
    is_full(&writer).await;
    holds_little(&writer, "while requests hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_collector_whose_broker_is_away() {
    let (mut server, sink) = (NatsServer::prepare(""), InfluxDbSink::default());
    let (house, _site) = house(&sink, &house::nats(server.port())).await;
    backlog::append(&house.directory().join("outbox"), ROOM, Mix::Large, OUTGOING_EVENTS).await;
    let mut collector = house.collector("c");
    collector.start().await;
    eventually("events that wait for the broker", || async {
        let published = collector.metric("collector_published_events_total").await?;
        (published > 0.0).then_some(())
    })
    .await;
    eventually("polls meanwhile", || async {
        let appended = collector.metric("collector_outbox_appended_events_total").await?;
        (appended >= 10.0).then_some(())
    })
    .await;
    holds_little(&collector, "while the broker is away");
    server.restart().await;
    eventually("the outbox at the broker", || async {
        let confirmed = collector.metric("collector_confirmed_events_total").await?;
        (confirmed >= OUTGOING_EVENTS as f64).then_some(())
    })
    .await;
    holds_little(&collector, "when all is published");
}
