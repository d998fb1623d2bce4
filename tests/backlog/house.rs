//! The programs over a broker, with an InfluxDB that is away until it is opened.

use std::cell::Cell;
use std::time::{Duration, Instant};

use integration_tests::backlog::Room;
use integration_tests::influxdb_sink::InfluxDbSink;
use integration_tests::patience::eventually;
use integration_tests::programs::{House, Running};
use serde_json::Value;
use simulator::{ButlerSosOptions, Site, SiteConfig};

/// For the largest backlog of these tests twice.
pub(crate) const ROOM: Room = Room(1024);
const INTERVAL: Duration = Duration::from_secs(1);
/// What is given nothing for so long is given nothing more.
const STILL: Duration = Duration::from_secs(3);

/// A house whose section `broker` is this; with more text in it.
pub(crate) async fn house(sink: &InfluxDbSink, broker: &str) -> (House, Site) {
    let site = Site::start(SiteConfig { servers: 1, ..SiteConfig::for_test().unwrap() });
    let site = site.await.unwrap();
    let house = House::new(|directory| {
        let directory = directory.display();
        let broker = broker.replace("DIRECTORY", &directory.to_string());
        let more = format!(
            "  broker:\n    {broker}\n  \
             collector:\n    outbox: {{directory: \"{directory}/outbox\", maxBytes: {ROOM}}}\n"
        );
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: sink.port(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    });
    (house, site)
}

pub(crate) fn nats(port: u16) -> String {
    format!("type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{port}\"], maxBytes: {ROOM}}}")
}

pub(crate) fn mqtt(port: u16) -> String {
    format!("type: mqtt\n    mqtt: {{url: \"mqtt://127.0.0.1:{port}\"}}")
}

pub(crate) fn embedded() -> String {
    format!("embedded: {{directory: \"DIRECTORY/queue\", maxBytes: {ROOM}}}")
}

/// Waits until a program is given nothing more: it holds all that it may.
pub(crate) async fn is_full(program: &Running) {
    let last = Cell::new((0.0, Instant::now()));
    eventually("a program that takes no more", || async {
        let delivered = program.metric("writer_deliveries_total").await?;
        let (before, since) = last.get();
        if delivered > before {
            last.set((delivered, Instant::now()));
        }
        (delivered > 0.0 && since.elapsed() >= STILL).then_some(())
    })
    .await;
}

/// What `/readyz` says of a queue.
pub(crate) async fn queue(program: &Running, queue: &str) -> Option<Value> {
    let (_, text) = program.page("/readyz").await?;
    let report: Value = serde_json::from_str(&text).ok()?;
    report.get(queue).cloned()
}
