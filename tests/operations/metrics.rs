//! The documents explain every metric that a program serves, and no other; promtool has nothing to
//! say against any of them.

use std::collections::BTreeSet;
use std::path::Path;

use integration_tests::influxd::Influxd;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::programs::House;
use integration_tests::prometheus::promtool;
use simulator::{ButlerSosOptions, Site, SiteConfig};

/// Where metrics are explained.
const DOCUMENTS: [&str; 2] =
    [include_str!("../../docs/operations.md"), include_str!("../../docs/prometheus.md")];
/// What their names begin with.
const PREFIXES: [&str; 4] = ["collector_", "footman_", "qliksense_", "writer_"];
/// These exist with what they count or tell, or where discovery or TLS is on.
const RARE: [&str; 7] = [
    "collector_rejected_fields_total",
    "collector_discovered_servers",
    "collector_discovery_last_success_timestamp_seconds",
    "collector_discovery_failures_total",
    "writer_certificate_expiry_timestamp_seconds",
    "qliksense_poll_failing",
    "qliksense_poll_failing_since_timestamp_seconds",
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
    let pages = [
        eventually("the site's sessions", || async {
            let page = collector.page("/metrics").await?.1;
            page.contains("qliksense_proxy_users").then_some(page)
        })
        .await,
        writer.page("/metrics").await.unwrap().1,
    ];
    for page in &pages {
        promtool(Path::new("."), &["check", "metrics"], page);
    }
    let served: BTreeSet<String> = pages.iter().flat_map(|page| names(page)).collect();

    let rows = DOCUMENTS.iter().flat_map(|document| document.lines());
    let rows = rows.filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<String> = rows
        .filter_map(|row| row.split('`').next())
        .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .map(str::to_owned)
        .collect();
    let unexplained: Vec<_> = served.difference(&explained).collect();
    assert!(unexplained.is_empty(), "in no document: {unexplained:?}");
    let unknown: Vec<_> =
        explained.difference(&served).filter(|name| !RARE.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "no program serves {unknown:?}");
}

/// The names on a page, those of a histogram in one.
fn names(page: &str) -> impl Iterator<Item = String> {
    let series = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let names = series.filter_map(|line| line.split(['{', ' ']).next());
    names.map(|name| {
        let parts = ["_bucket", "_sum", "_count"];
        parts.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    })
}
