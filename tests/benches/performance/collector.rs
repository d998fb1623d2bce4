//! What polling costs and how punctual it is, for sites of different sizes.
//!
//! The collector has one core, the simulated site, nats-server and this program have the others.
//! How late a poll is says each event itself: its time is when the request was sent, `scheduled` is
//! its tick.

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt as _;
use integration_tests::nats::NatsServer;
use integration_tests::process::{Process, Resident, free_port};
use integration_tests::programs::program;
use serde_json::Value;
use shared::timestamp::Timestamp;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::programs;
use crate::site_process::{Seen, SiteProcess, Size, on_cores};
use integration_tests::measure::cpu::cpu_seconds;
use integration_tests::measure::samples::Figure;
use integration_tests::measure::table::Table;
use integration_tests::measure::target::{Target, Wanted};

/// The start of the largest site may take so long: every connection is made once.
const START: Duration = Duration::from_secs(35);
/// And that of a small one: the first round takes five seconds.
const SMALL_START: Duration = Duration::from_secs(12);
/// Core of the collector, and those of the others.
const ITS_CORE: &str = "0";

/// A collector that polls a site.
struct Polling {
    collector: Process,
    _directory: TempDir,
}

/// What was seen in the time of measuring.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) size: Size,
    pub(crate) seconds: f64,
    pub(crate) polls: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) cpu_seconds: f64,
    /// Of all polls, sorted, in milliseconds.
    pub(crate) lateness_ms: Vec<f64>,
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    pub(crate) handshakes: u64,
    pub(crate) requests: u64,
    /// Skipped since the start of the process.
    pub(crate) skipped_ever: u64,
    /// Polls of the repository.
    app_polls: u64,
    /// Sessions in all answers of proxies.
    sessions: u64,
}

impl Measured {
    pub(crate) fn cpu_per_poll_us(&self) -> f64 {
        self.cpu_seconds / self.polls.max(1) as f64 * 1e6
    }

    /// Apps, or sessions, in all answers.
    pub(crate) fn items(&self, of_apps: bool) -> u64 {
        if of_apps { self.app_polls * self.size.apps as u64 } else { self.sessions }
    }

    pub(crate) fn lateness(&self, of_thousand: usize) -> f64 {
        percentile(&self.lateness_ms, of_thousand)
    }
}

/// The value below which so many of a thousand sorted values lie.
pub(crate) fn percentile(sorted: &[f64], of_thousand: usize) -> f64 {
    let at = (sorted.len() * of_thousand).div_ceil(1_000).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// How long the start of a site may take.
fn starting(size: Size) -> Duration {
    let share = size.servers as f64 / LARGE as f64;
    SMALL_START + START.saturating_sub(SMALL_START).mul_f64(share.min(1.0))
}

/// Polls a site of that size for so long, after its start.
pub(crate) async fn measure(size: Size, time: Duration) -> Measured {
    let cores = std::thread::available_parallelism().unwrap().get();
    let theirs = (cores > 1).then(|| format!("1-{}", cores - 1));
    let site = SiteProcess::start(size, theirs.as_deref()).await;
    let server = NatsServer::start().await;
    let client = async_nats::connect(format!("127.0.0.1:{}", server.port())).await.unwrap();
    let mut events = client.subscribe("qliksense.v1.>").await.unwrap();
    let polling = start(&site, server.port(), theirs.is_some()).await;
    let begin = Instant::now();
    let mut measured = Measured {
        size,
        seconds: 0.0,
        polls: 0,
        failed: 0,
        skipped: 0,
        cpu_seconds: 0.0,
        lateness_ms: Vec::new(),
        resident: 0,
        peak: 0,
        handshakes: 0,
        requests: 0,
        skipped_ever: 0,
        app_polls: 0,
        sessions: 0,
    };
    let mut before: Option<(f64, Seen, Instant)> = None;
    loop {
        let now = Instant::now();
        match before {
            None if now - begin >= starting(size) => {
                before = Some((cpu_seconds(polling.collector.id()), site.seen().await, now));
            }
            Some((cpu, seen, since)) if now - since >= time => {
                measured.seconds = (now - since).as_secs_f64();
                measured.cpu_seconds = cpu_seconds(polling.collector.id()) - cpu;
                let after = site.seen().await;
                measured.handshakes = after.handshakes - seen.handshakes;
                measured.requests = after.requests - seen.requests;
                break;
            }
            _ => {}
        }
        let wait = tokio::time::timeout(Duration::from_millis(100), events.next());
        if let Ok(Some(message)) = wait.await {
            let event: Value = serde_json::from_slice(&message.payload).unwrap();
            measured.note(&event, before.is_some());
        }
    }
    let Resident { now, peak, .. } = polling.collector.resident();
    (measured.resident, measured.peak) = (now, peak);
    measured.lateness_ms.sort_by(f64::total_cmp);
    measured
}

impl Measured {
    fn note(&mut self, event: &Value, counts: bool) {
        let Some(kind) = event["type"].as_str() else { return };
        let data = &event["data"];
        // Of a poll in parts the first one counts.
        if kind == "qliksense.heartbeats.v1" || data["part"].as_u64().unwrap_or(1) > 1 {
            return;
        }
        let is_failed = kind == "qliksense.failed-polls.v1";
        if is_failed && data["category"] == "skipped" {
            let ticks = data["ticks"].as_u64().unwrap_or(1);
            self.skipped_ever += ticks;
            self.skipped += if counts { ticks } else { 0 };
            return;
        }
        if !counts {
            return;
        }
        self.polls += 1;
        self.failed += u64::from(is_failed);
        self.app_polls += u64::from(kind == "qliksense.app-names.v1");
        self.sessions += data["sessionCount"].as_u64().unwrap_or_default();
        let time = |text: &Value| Timestamp::parse(text.as_str().unwrap()).unwrap().nanos();
        let late = time(&event["time"]) - time(&data["poll"]["scheduled"]);
        self.lateness_ms.push(late as f64 / 1e6);
    }
}

async fn start(site: &SiteProcess, nats: u16, pinned: bool) -> Polling {
    let directory = tempfile::tempdir().unwrap();
    let page = free_port();
    let more = format!(
        "  broker:\n    type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{nats}\"], maxBytes: 1GiB}}\n  \
         collector:\n    outbox: {{directory: \"{}/outbox\"}}\n    http: {{listen: \"127.0.0.1:{page}\"}}\n",
        directory.path().display()
    );
    let config = directory.path().join("footman.yaml");
    std::fs::write(&config, site.configuration(&more)).unwrap();
    let path: PathBuf = program("collector");
    let mut command = on_cores(pinned.then_some(ITS_CORE), path);
    let interval = site.size().interval.as_millis().to_string();
    command
        .current_dir(directory.path())
        .arg("--config")
        .arg(config)
        .env("FOOTMAN__APP_NAMES__EXTRACT_INTERVAL", interval);
    let mut collector = Process::start(&mut command, &directory.path().join("log"));
    collector.listens(page).await;
    Polling { collector, _directory: directory }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Sizes of the site.
    #[arg(long, value_delimiter = ',', default_value = "20,200,2000")]
    servers: Vec<usize>,
    /// How long each is watched, after its start.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Seconds between two polls of an endpoint.
    #[arg(long, default_value_t = 10)]
    interval: u64,
}

/// The size whose punctuality and memory have targets, and those.
const LARGE: usize = 2_000;
const LATENESS_MS: f64 = 100.0;
const RESIDENT_MB: f64 = 250.0;
/// An engine and two virtual proxies.
const ENDPOINTS: usize = 3;
const HANDSHAKES_AN_HOUR: f64 = 1.0;

pub(crate) fn run(arguments: &Arguments) -> Vec<Target> {
    programs::look(&["collector", "simulator"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut table = Table::new(&[
        "servers",
        "polls",
        "failed",
        "polls/s",
        "CPU, µs a poll",
        "polls/s on one core",
        "late p50, ms",
        "p99",
        "max",
        "skipped",
        "resident, MB",
        "peak",
        "handshakes",
        "a poll",
    ]);
    let mut targets = Vec::new();
    for &servers in &arguments.servers {
        let interval = Duration::from_secs(arguments.interval);
        let size = Size { servers, interval, ..Size::default() };
        let measured = runtime.block_on(measure(size, Duration::from_secs(arguments.seconds)));
        let per_poll = measured.cpu_per_poll_us();
        let figures = [
            measured.polls as f64,
            measured.failed as f64,
            measured.polls as f64 / measured.seconds,
            per_poll,
            1e6 / per_poll,
            measured.lateness(500),
            measured.lateness(990),
            measured.lateness(1_000),
            measured.skipped as f64,
            measured.resident as f64 / 1e6,
            measured.peak as f64 / 1e6,
            measured.handshakes as f64,
            measured.handshakes as f64 / measured.requests.max(1) as f64,
        ];
        let mut row = vec![servers.to_string()];
        row.extend(figures.map(|figure| Figure(figure).to_string()));
        table.push(row);
        if servers == LARGE {
            targets.extend(of_large_site(&measured));
        }
        let hours = measured.seconds / 3_600.0;
        targets.push(Target::exact(
            format!("{servers} servers: handshakes of an endpoint in an hour, after the start"),
            Wanted::AtMost(HANDSHAKES_AN_HOUR),
            measured.handshakes as f64 / (servers * ENDPOINTS) as f64 / hours,
        ));
    }
    println!("{table}");
    targets
}

fn of_large_site(measured: &Measured) -> [Target; 3] {
    let one = |value: f64| [value].into_iter().collect();
    let late = one(measured.lateness(990));
    [
        Target::exactly_none(
            "2,000 servers: skipped ticks after the start",
            &one(measured.skipped as f64),
        ),
        Target::new("2,000 servers: p99 lateness, ms", Wanted::AtMost(LATENESS_MS), &late),
        Target::exact(
            "2,000 servers: peak memory, MB",
            Wanted::AtMost(RESIDENT_MB),
            measured.peak as f64 / 1e6,
        ),
    ]
}
