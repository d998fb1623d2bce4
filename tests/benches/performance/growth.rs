//! What each event costs as a site, its lists or a backlog grow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use integration_tests::backlog::{self, Room};
use integration_tests::influxdb_sink::{InfluxDbSink, Manner};
use integration_tests::made_up::Mix;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::programs::{House, Running};
use tokio::time::{Instant, sleep};

use crate::collector;
use crate::machine::root;
use crate::plot::{Plot, Series};
use crate::site_process::{SiteProcess, Size};
use integration_tests::measure::cpu::cpu_seconds;
use integration_tests::measure::samples::{Figure, Samples};
use integration_tests::measure::table::Table;
use integration_tests::measure::target::{Target, Wanted};

const SERVERS: [usize; 5] = [1, 20, 200, 1_000, 2_000];
const APPS: [usize; 5] = [10, 100, 1_000, 10_000, 50_000];
const SESSIONS: [usize; 5] = [10, 100, 1_000, 5_000, 20_000];
const BACKLOGS: [u64; 5] = [10_000, 100_000, 300_000, 1_000_000, 3_000_000];
/// mosquitto holds its messages in memory.
const MOST_OVER_MQTT: u64 = 1_000_000;
/// How far the cost of an event may rise from its least to its most before it counts as growth:
/// fixed costs are spread over few events at the one end, caches are too small at the other.
const FLAT: f64 = 2.0;
const LOOK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    Servers,
    Apps,
    Sessions,
    Backlog,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What grows; everything when none is named.
    #[arg(value_enum)]
    what: Vec<What>,
    /// Where the plots are written.
    #[arg(long, default_value = "docs/images")]
    plots: PathBuf,
    /// How long each size is watched.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Leave out sizes above this.
    #[arg(long)]
    most: Option<u64>,
}

pub(crate) fn measure(arguments: &Arguments) -> Vec<Target> {
    let all = [What::Servers, What::Apps, What::Sessions, What::Backlog];
    let asked = if arguments.what.is_empty() { &all[..] } else { &arguments.what };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut targets = Vec::new();
    for what in asked {
        let grown = match what {
            What::Servers => runtime.block_on(servers(arguments)),
            What::Apps => runtime.block_on(lists(arguments, &APPS, true)),
            What::Sessions => runtime.block_on(lists(arguments, &SESSIONS, false)),
            What::Backlog => runtime.block_on(backlogs(arguments)),
        };
        grown.write(&arguments.plots);
        targets.extend(grown.targets());
    }
    targets
}

/// What was found, and how it is shown.
struct Grown {
    file: &'static str,
    title: &'static str,
    x: &'static str,
    y: &'static str,
    series: Vec<Series>,
}

impl Grown {
    fn write(&self, plots: &Path) {
        let mut table = Table::new(&[self.x, "of", self.y]);
        for series in &self.series {
            for (x, y) in &series.points {
                table.push(vec![
                    Figure(*x).to_string(),
                    series.name.clone(),
                    Figure(*y).to_string(),
                ]);
            }
        }
        println!("{table}");
        let series = self
            .series
            .iter()
            .map(|series| Series { name: series.name.clone(), points: series.points.clone() });
        let plot = Plot { title: self.title, x: self.x, y: self.y, series: series.collect() };
        let directory = root().join(plots);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(self.file), plot.svg()).unwrap();
    }

    /// The last size against the cheapest one.
    fn targets(&self) -> Vec<Target> {
        let target = |series: &Series| {
            let cost = series.points.iter().map(|point| point.1);
            let least = cost.fold(f64::INFINITY, f64::min);
            let last = series.points.last().map_or(f64::NAN, |point| point.1);
            let ratio: Samples = [last / least].into_iter().collect();
            let name = format!("{}, {}: the largest against the cheapest", self.title, series.name);
            Target::new(name, Wanted::AtMost(FLAT), &ratio)
        };
        self.series.iter().map(target).collect()
    }
}

async fn servers(arguments: &Arguments) -> Grown {
    let mut points = Vec::new();
    for servers in wanted(&SERVERS, arguments) {
        let size = Size { servers, interval: Duration::from_secs(10), ..Size::default() };
        let measured = collector::measure(size, Duration::from_secs(arguments.seconds)).await;
        points.push((servers as f64, measured.cpu_per_poll_us()));
    }
    Grown {
        file: "growth-servers.svg",
        title: "A poll, as the site grows",
        x: "servers",
        y: "CPU of the collector, µs for each poll",
        series: vec![Series { name: "collector".to_owned(), points }],
    }
}

/// Of lists in answers: apps of the repository, or sessions of a proxy. What a poll costs besides is
/// part of it, so that short lists cost most for each item.
async fn lists(arguments: &Arguments, sizes: &[usize], of_apps: bool) -> Grown {
    let mut points = Vec::new();
    let time = Duration::from_secs(arguments.seconds);
    let interval = Duration::from_secs(5);
    let small = Size { servers: 1, interval, apps: 1, sessions: 1 };
    for length in wanted(sizes, arguments) {
        let large = if of_apps {
            Size { apps: length, ..small }
        } else {
            Size { sessions: length, ..small }
        };
        let most = collector::measure(large, time).await;
        if most.failed > 0 {
            println!("{length}: {} of {} polls failed", most.failed, most.polls);
        }
        let items = most.items(of_apps);
        if items > 0 {
            points.push((length as f64, most.cpu_seconds / items as f64 * 1e6));
        }
    }
    let (file, title, x, y) = if of_apps {
        (
            "growth-apps.svg",
            "An app of the repository, as its list grows",
            "apps",
            "CPU of the collector, µs for each app and poll",
        )
    } else {
        (
            "growth-sessions.svg",
            "A session, as the list of a proxy grows",
            "sessions of each virtual proxy",
            "CPU of the collector, µs for each session and poll",
        )
    };
    Grown { file, title, x, y, series: vec![Series { name: "collector".to_owned(), points }] }
}

async fn backlogs(arguments: &Arguments) -> Grown {
    let mut series = Vec::new();
    for broker in ["nats", "mqtt", "embedded"] {
        let mut points = Vec::new();
        for events in wanted(&BACKLOGS, arguments) {
            if broker == "mqtt" && events > MOST_OVER_MQTT {
                continue;
            }
            points.push((events as f64, drain(broker, events).await));
        }
        series.push(Series { name: broker.to_owned(), points });
    }
    Grown {
        file: "growth-backlog.svg",
        title: "An event, as the backlog grows",
        x: "events that wait",
        y: "CPU of the writer, µs for each event",
        series,
    }
}

/// CPU of the program that stores, in µs for each event of a backlog.
async fn drain(broker: &str, events: u64) -> f64 {
    // Small events, so that millions of them fit on a disk.
    let (mix, room) = (Mix::Small, Room(6 << 10));
    let site = SiteProcess::start(Size { servers: 1, ..Size::default() }, None).await;
    let mut sink = InfluxDbSink::default();
    let house = |section: String| {
        House::new(|_directory| {
            let more = format!("  broker:\n    {section}\n");
            let text = site.configuration(&more);
            text.replace("port: 8086", &format!("port: {}", sink.port()))
        })
    };
    let (_nats, _mosquitto);
    // Counted from before there is a backlog: what the writer takes in beforehand is part of it.
    let before;
    let mut program = match broker {
        "nats" => {
            let server = NatsServer::start().await;
            let house = house(format!(
                "type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{}\"], maxBytes: {room}}}",
                server.port()
            ));
            let mut writer = house.writer("w");
            writer.start().await;
            before = cpu_seconds(writer.id());
            backlog::publish_to_nats(&server, room, mix, events).await;
            _nats = server;
            writer
        }
        "mqtt" => {
            let server = Mosquitto::start().await;
            let house = house(format!(
                "type: mqtt\n    mqtt: {{url: \"mqtt://127.0.0.1:{}\"}}",
                server.port()
            ));
            let mut writer = house.writer("w");
            writer.start().await;
            before = cpu_seconds(writer.id());
            backlog::publish_to_mqtt(&server, mix, events).await;
            _mosquitto = server;
            writer
        }
        _ => {
            let house = house(format!("embedded: {{directory: ./queue, maxBytes: {room}}}"));
            let queue = house.directory().join("queue");
            backlog::append(&queue, room, mix, events).await;
            let mut footman = house.footman();
            footman.start().await;
            before = cpu_seconds(footman.id());
            footman
        }
    };
    sink.open(Manner::Takes(Duration::ZERO)).await;
    stored(&mut program, events).await;
    (cpu_seconds(program.id()) - before) / events as f64 * 1e6
}

async fn stored(program: &mut Running, events: u64) {
    let since = Instant::now();
    while program.metric("writer_events_stored_total").await.unwrap_or_default() < events as f64 {
        assert!(program.resident().now > 0, "it has ended:\n{}", program.printed());
        assert!(since.elapsed() < Duration::from_mins(20), "it stores no more");
        sleep(LOOK).await;
    }
}

fn wanted<T: Copy + TryInto<u64>>(sizes: &[T], arguments: &Arguments) -> Vec<T> {
    let most = arguments.most.unwrap_or(u64::MAX);
    let fits = |size: &&T| T::try_into(**size).is_ok_and(|size| size <= most);
    sizes.iter().filter(fits).copied().collect()
}
