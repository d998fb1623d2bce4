//! `docs/operations.md` explains every metric that a program serves, and no other.

use std::collections::BTreeSet;

use integration_tests::influxd::Influxd;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::programs::{House, Running};
use simulator::{ButlerSosOptions, Site, SiteConfig};

/// These exist with what they count, or where discovery, TLS or MQTT is on.
const RARE: [&str; 8] = [
    "collector_announcer_connected",
    "collector_announcer_published_total",
    "collector_announcer_dropped_total",
    "collector_rejected_fields_total",
    "collector_discovered_servers",
    "collector_discovery_last_success_timestamp_seconds",
    "collector_discovery_failures_total",
    "writer_certificate_expiry_timestamp_seconds",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_explained() {
    let (influxd, nats) = (Influxd::start().await, NatsServer::start().await);
    let site = Site::start(SiteConfig::for_test().unwrap()).await.unwrap();
    let broker = format!(
        "  broker: {{type: nats, nats: {{servers: [\"nats://127.0.0.1:{}\"]}}}}\n",
        nats.port()
    );
    let house = House::new(|directory| {
        let outbox = directory.join("outbox");
        let more =
            format!("{broker}  collector:\n    outbox: {{directory: \"{}\"}}\n", outbox.display());
        let options =
            ButlerSosOptions { influxdb_port: influxd.port(), more, ..Default::default() };
        site.butler_sos_config(&options)
    });
    let (mut collector, mut writer) = (house.collector("a"), house.writer("b"));
    collector.start().await;
    writer.start().await;
    eventually("points", || async {
        writer.metric("writer_points_stored_total").await.filter(|&points| points > 0.0)
    })
    .await;
    let served: BTreeSet<String> =
        served(&collector).await.into_iter().chain(served(&writer).await).collect();

    let document = include_str!("../../docs/operations.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    let explained: BTreeSet<String> = names
        .filter(|name| name.starts_with("collector_") || name.starts_with("writer_"))
        .map(str::to_owned)
        .collect();
    let unexplained: Vec<_> = served.difference(&explained).collect();
    assert!(unexplained.is_empty(), "not in docs/operations.md: {unexplained:?}");
    let unknown: Vec<_> =
        explained.difference(&served).filter(|name| !RARE.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "no program serves {unknown:?}");
}

/// The names of what a program serves, those of a histogram in one.
async fn served(program: &Running) -> BTreeSet<String> {
    let (status, page) = program.page("/metrics").await.unwrap();
    assert_eq!(status, 200);
    page.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(|name| {
            let parts = ["_bucket", "_sum", "_count"];
            parts.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
        })
        .collect()
}
