//! From the end of a poll to the point that can be read, idle and under load.

use std::collections::BTreeMap;
use std::time::Duration;

use integration_tests::backlog::{self, Room};
use integration_tests::influxd::Influxd;
use integration_tests::made_up::Mix;
use integration_tests::nats::NatsServer;
use integration_tests::programs::House;
use shared::timestamp::Timestamp;
use tokio::time::sleep;

use crate::collector::percentile;
use crate::programs;
use crate::site_process::{SiteProcess, Size};
use integration_tests::measure::samples::{Figure, Samples};
use integration_tests::measure::table::Table;
use integration_tests::measure::target::{Target, Wanted};

/// Between two looks at InfluxDB: the resolution of the figures.
const LOOK: Duration = Duration::from_millis(20);
const DATABASE: &str = "senseops";
/// Every poll is a sample, so polls come faster than a site's.
const INTERVAL: Duration = Duration::from_secs(2);
const SERVERS: usize = 20;

/// How long points took, in seconds, sorted.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    pub(crate) load: &'static str,
    pub(crate) seconds: Vec<f64>,
}

impl Latency {
    pub(crate) fn at(&self, of_thousand: usize) -> f64 {
        percentile(&self.seconds, of_thousand)
    }
}

/// Watches the pipeline over NATS with everything else as it is by default: idle, and while others
/// publish as many events as `load` says each second.
pub(crate) async fn measure(time: Duration, load: u64) -> [Latency; 2] {
    let size = Size { servers: SERVERS, interval: INTERVAL, ..Size::default() };
    let site = SiteProcess::start(size, None).await;
    let (nats, influxd) = (NatsServer::start().await, Influxd::start().await);
    let house = House::new(|directory| {
        let more = format!(
            "  broker:\n    type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{}\"], maxBytes: 2GiB}}\n  \
             collector:\n    outbox: {{directory: \"{}/outbox\"}}\n",
            nats.port(),
            directory.display()
        );
        site.configuration(&more).replace("port: 8086", &format!("port: {}", influxd.port()))
    });
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    writer.start().await;
    collector.start().await;
    writer.ready().await;
    collector.ready().await;
    sleep(INTERVAL * 3).await;
    let idle = watch(&influxd, "idle", time).await;
    let busy = {
        let publishing = async {
            loop {
                let second = tokio::time::Instant::now() + Duration::from_secs(1);
                backlog::publish_to_nats(&nats, Room(2 << 10), Mix::Small, load).await;
                tokio::time::sleep_until(second).await;
            }
        };
        tokio::select! {
            busy = watch(&influxd, "under load", time) => busy,
            () = publishing => unreachable!("it never ends"),
        }
    };
    [idle, busy]
}

/// Notes when each poll of the site is seen first.
async fn watch(influxd: &Influxd, load: &'static str, time: Duration) -> Latency {
    let begin = Timestamp::now();
    let mut seen: BTreeMap<(i64, String, String), f64> = BTreeMap::new();
    let end = tokio::time::Instant::now() + time;
    while tokio::time::Instant::now() < end {
        // The window is long enough for what comes late, and short enough to be read quickly.
        let from = Timestamp::now().minus(Duration::from_secs(20)).nanos().max(begin.nanos());
        let query = format!(
            "SELECT duration_ms, server_name, source, virtual_proxy FROM footman_poll WHERE \
             time >= {from} AND source != 'made-up' AND server_name !~ /^sense-node-/"
        );
        let rows = influxd.rows(DATABASE, &query).await;
        let now = Timestamp::now();
        for row in rows {
            let sent = row["time"].as_i64().unwrap();
            let took = row["duration_ms"].as_i64().unwrap_or_default() * 1_000_000;
            let name = format!("{} {}", row["server_name"], row["virtual_proxy"]);
            let source = row["source"].to_string();
            seen.entry((sent, name, source))
                .or_insert_with(|| (now.nanos() - sent - took) as f64 / 1e9);
        }
        sleep(LOOK).await;
    }
    let mut seconds: Vec<f64> = seen.into_values().collect();
    seconds.sort_by(f64::total_cmp);
    Latency { load, seconds }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long each is watched.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Events of others each second, under load.
    #[arg(long, default_value_t = 2_000)]
    load: u64,
}

const IDLE_P99_S: f64 = 1.5;

pub(crate) fn run(arguments: &Arguments) -> Vec<Target> {
    programs::look(&["collector", "writer", "simulator"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let time = Duration::from_secs(arguments.seconds);
    let found = runtime.block_on(measure(time, arguments.load));
    let mut table = Table::new(&["load", "polls", "p50, s", "p99, s", "max, s"]);
    for one in &found {
        let mut row = vec![one.load.to_owned(), one.seconds.len().to_string()];
        row.extend([500, 990, 1_000].map(|share| Figure(one.at(share)).to_string()));
        table.push(row);
    }
    println!("{table}");
    let idle: Samples = [found[0].at(990)].into_iter().collect();
    vec![Target::new("poll end to readable, p99, idle, s", Wanted::AtMost(IDLE_P99_S), &idle)]
}
