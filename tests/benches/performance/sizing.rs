//! A simulation of rates in code: what sites of different sizes make each day, and what that needs.
//!
//! Nothing runs here but the encoding and mapping of made-up events; what a writer, a broker and
//! InfluxDB can do is given on the command line, as the other benches measured it.

use std::collections::BTreeMap;

use flate2::Compression;
use flate2::write::GzEncoder;
use integration_tests::made_up::{MadeUp, Mix};
use shared::config;
use shared::envelope::Envelope;
use shared::event::Kind;
use std::io::Write as _;
use writer::line_protocol::Lines;
use writer::mapping;
use writer::schema::Schema;

use integration_tests::measure::samples::Figure;
use integration_tests::measure::table::Table;
use integration_tests::measure::target::Target;

const SITES: [u64; 4] = [10, 100, 1_000, 10_000];
/// A cycle of made-up events: three hundred servers with twenty polls each.
const EVENTS: u64 = 6_000;
/// Into how many groups the largest site is cut.
const GROUPS: [u64; 4] = [1, 4, 10, 20];
const SECONDS_OF_DAY: f64 = 86_400.0;
const SECONDS_OF_HOUR: f64 = 3_600.0;
/// What a stream and an outbox hold by default.
const STREAM_BYTES: f64 = 10.0 * 1_073_741_824.0;
const OUTBOX_BYTES: f64 = 1_073_741_824.0;
/// Virtual proxies of a server, and the share of polls that fail.
const VIRTUAL_PROXIES: u64 = 2;
const FAILING: f64 = 0.01;
/// Seconds between two beats of a program, and between two extractions of app names.
const BEAT: f64 = 30.0;
const APP_NAMES: f64 = 60.0;
/// Days that broker and outbox keep what cannot be stored, by default.
const DAYS_KEPT: f64 = 7.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds between two polls of an endpoint.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// Events that a writer stores each second, as `writer` measured it.
    #[arg(long)]
    writer: f64,
    /// CPU of the collector for each poll in µs, as `collector` measured it.
    #[arg(long)]
    poll_us: f64,
    /// Bytes that InfluxDB keeps on its disk for each point, as `writer` measured it.
    #[arg(long)]
    point_bytes: f64,
    /// Times the average that a writer should manage: the backlog of an hour is gone in an hour
    /// divided by this, less one.
    #[arg(long, default_value_t = 5.0)]
    headroom: f64,
}

/// What an event of a kind is, on average.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    events: f64,
    bytes: f64,
    points: f64,
    line_bytes: f64,
    packed_bytes: f64,
}

pub(crate) fn measure(arguments: &Arguments) -> Vec<Target> {
    let means = means();
    let mut table = Table::new(&["an event", "bytes", "points", "lines, bytes", "gzip, bytes"]);
    for (kind, mean) in &means {
        let each = [mean.bytes, mean.points, mean.line_bytes, mean.packed_bytes];
        let mut row = vec![(*kind).to_owned()];
        row.extend(each.map(|sum| Figure(sum / mean.events).to_string()));
        table.push(row);
    }
    println!("{table}");
    let mut table = Table::new(&[
        "servers",
        "events/s",
        "points/s",
        "events a day",
        "points a day",
        "MB a day at the broker",
        "GB kept for 7 days",
        "MB/s to InfluxDB",
        "GB a month in InfluxDB",
        "writers",
        "cores of collectors",
    ]);
    for servers in SITES {
        let rates = Rates::of(servers as f64, arguments.interval, &means);
        let writers = (rates.events * arguments.headroom / arguments.writer).ceil().max(1.0);
        let polls = (servers * (1 + VIRTUAL_PROXIES)) as f64 / arguments.interval as f64;
        let figures = [
            rates.events,
            rates.points,
            rates.events * SECONDS_OF_DAY,
            rates.points * SECONDS_OF_DAY,
            rates.bytes * SECONDS_OF_DAY / 1e6,
            rates.bytes * SECONDS_OF_DAY * DAYS_KEPT / 1e9,
            rates.packed_bytes / 1e6,
            rates.points * arguments.point_bytes * SECONDS_OF_DAY * 30.0 / 1e9,
            writers,
            polls * arguments.poll_us / 1e6,
        ];
        let mut row = vec![servers.to_string()];
        row.extend(figures.map(|figure| Figure(figure).to_string()));
        table.push(row);
    }
    println!("{table}");
    println!("{}", partitions(arguments, &means));
    Vec::new()
}

/// The largest site cut into groups, each with a stream of its own: how even the groups are.
///
/// A simulation: every endpoint polls at its place in the interval, and what comes in each second
/// is counted, group by group. Servers and virtual proxies are spread over the interval as the
/// collector of a group spreads them.
fn partitions(arguments: &Arguments, means: &BTreeMap<&'static str, Mean>) -> Table {
    let mut table = Table::new(&[
        "groups",
        "servers of each",
        "events/s of each",
        "in its fullest second",
        "MB/s of each",
        "MB/s to the disk of each of 3 NATS servers",
        "GB in a stream after an hour without InfluxDB",
        "hours that 10 GiB hold",
        "hours that an outbox of 1 GiB holds",
    ]);
    let [.., servers] = SITES;
    for groups in GROUPS {
        let of_each = servers / groups;
        let rates = Rates::of(of_each as f64, arguments.interval, means);
        let seconds = arguments.interval;
        let mut counts = vec![0_u64; usize::try_from(seconds).unwrap_or(1)];
        let endpoints = of_each * (1 + VIRTUAL_PROXIES);
        for endpoint in 0..endpoints {
            let place = endpoint * seconds / endpoints;
            counts[usize::try_from(place).unwrap_or(0)] += 1;
        }
        let fullest = counts.into_iter().max().unwrap_or(0);
        let of_all = rates.bytes * groups as f64;
        let figures = [
            of_each as f64,
            rates.events,
            fullest as f64,
            rates.bytes / 1e6,
            // With three replicas on three servers each of them has everything.
            of_all / 1e6,
            rates.bytes * SECONDS_OF_HOUR / 1e9,
            STREAM_BYTES / rates.bytes / SECONDS_OF_HOUR,
            OUTBOX_BYTES / rates.bytes / SECONDS_OF_HOUR,
        ];
        let mut row = vec![groups.to_string()];
        row.extend(figures.map(|figure| Figure(figure).to_string()));
        table.push(row);
    }
    table
}

/// What a site makes each second.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    events: f64,
    points: f64,
    bytes: f64,
    packed_bytes: f64,
}

impl Rates {
    fn of(servers: f64, interval: u64, means: &BTreeMap<&'static str, Mean>) -> Self {
        let polls = servers / interval as f64;
        let proxies = VIRTUAL_PROXIES as f64;
        let each_second = [
            (Kind::Health, polls * (1.0 - FAILING)),
            (Kind::Sessions, polls * proxies * (1.0 - FAILING)),
            (Kind::FailedPolls, polls * (1.0 + proxies) * FAILING),
            (Kind::AppNames, 1.0 / APP_NAMES),
        ];
        let mut rates = Self { events: 2.0 / BEAT, points: 2.0 / BEAT, ..Self::default() };
        for (kind, events) in each_second {
            let mean = means.get(kind.name()).copied().unwrap_or_default();
            let share = events / mean.events.max(1.0);
            rates.events += events;
            rates.points += mean.points * share;
            rates.bytes += mean.bytes * share;
            rates.packed_bytes += mean.packed_bytes * share;
        }
        rates
    }
}

/// Of each kind, summed over a cycle of a made-up site.
fn means() -> BTreeMap<&'static str, Mean> {
    let loaded = config::from_text(CONFIGURATION, "sizing.yaml".as_ref(), std::iter::empty());
    let schema = Schema::new(&loaded.expect("a configuration").config.writer);
    let mut made_up = MadeUp::new(Mix::Site, EVENTS);
    let mut lines: BTreeMap<&'static str, Lines> = BTreeMap::new();
    let mut means: BTreeMap<&'static str, Mean> = BTreeMap::new();
    for _ in 0..EVENTS {
        let outgoing = made_up.outgoing();
        let envelope = Envelope::decode(&outgoing.payload).expect("an event");
        let kind = envelope.event.kind().name();
        let mean = means.entry(kind).or_default();
        mean.events += 1.0;
        mean.bytes += outgoing.payload.len() as f64;
        mapping::push_lines(&envelope, &schema, lines.entry(kind).or_default())
            .expect("an event of a usual size");
    }
    for (kind, lines) in lines {
        let Some(mean) = means.get_mut(kind) else { continue };
        mean.points = lines.len() as f64;
        mean.line_bytes = lines.body().len() as f64;
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(lines.body()).expect("memory");
        mean.packed_bytes = packer.finish().expect("memory").len() as f64;
    }
    means
}

/// As a site has it that says nothing but where InfluxDB is.
const CONFIGURATION: &str = "\
Butler-SOS:
  influxdbConfig:
    enable: true
    host: 127.0.0.1
    version: 1
    v1Config: {auth: {enable: false}, dbName: senseops, retentionPolicy: {name: 10d, duration: 10d}}
";
