//! What the stages of a writer cost, for each event and each point of it: CPU time and allocations,
//! kind by kind, measured with criterion.

mod allocations;
mod cpu_time;
mod estimate;
mod kinds;

use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Bencher, Criterion, Throughput};
use flate2::Compression;
use flate2::write::GzEncoder;
use shared::envelope::Envelope;
use writer::line_protocol::Lines;
use writer::mapping;

use self::cpu_time::ThreadCpu;
use self::estimate::Estimate;
use self::kinds::{KINDS, Payloads};
use integration_tests::measure::samples::Figure;
use integration_tests::measure::table::Table;
use integration_tests::measure::target::{Target, Wanted};

/// CPU microseconds that a point of a health event may cost, from the payload to the line.
const MICROSECONDS_PER_POINT: f64 = 1.5;
/// What compressing may cost, as a share of what the library alone takes.
const OF_LIBRARY: f64 = 1.0;
const COLUMNS: [&str; 10] = [
    "kind",
    "points/event",
    "decode",
    "map",
    "encode",
    "together",
    "together, per point",
    "gzip, per point",
    "flate2 alone, per point",
    "allocations/event: decode, map + encode",
];

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Measures so briefly that the figures only show that it works.
    #[arg(long)]
    quick: bool,
    /// Keeps criterion's own files in this folder, to compare with later.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Nanoseconds of one kind: for each event, and for each point where compressed.
#[derive(Clone, Copy, Debug)]
struct Costs {
    decode: Estimate,
    map: Estimate,
    map_and_encode: Estimate,
    together: Estimate,
    gzip: Estimate,
    library: Estimate,
}

/// Measures, prints the table, and gives the targets.
pub(crate) fn measure(arguments: &Arguments) -> Vec<Target> {
    let folder = tempfile::tempdir().unwrap();
    let folder = arguments.keep.clone().unwrap_or_else(|| folder.path().to_owned());
    let (warm_up, time, samples) = if arguments.quick { (10, 100, 10) } else { (500, 3_000, 50) };
    let mut criterion = Criterion::default()
        .with_measurement(ThreadCpu)
        .without_plots()
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(time))
        .sample_size(samples)
        .output_directory(&folder);
    let mut table = Table::new(&COLUMNS);
    let mut targets = Vec::new();
    for (name, mix) in KINDS {
        let payloads = Payloads::new(mix);
        let costs = costs(&mut criterion, &folder, name, &payloads);
        table.push(row(name, &payloads, &costs));
        if name == "health" {
            let per_point = costs.together.scaled(1e-3 / payloads.points_per_event());
            targets.push(Target::with_noise(
                "health: decode + map + encode, CPU µs per point",
                Wanted::AtMost(MICROSECONDS_PER_POINT),
                per_point.median,
                per_point.noise,
            ));
        }
        let ratio = costs.gzip.of(costs.library);
        targets.push(Target::with_noise(
            format!("{name}: gzip, of flate2 alone"),
            Wanted::AtMost(OF_LIBRARY),
            ratio.median,
            ratio.noise,
        ));
    }
    println!("\n### Stages: CPU ns per event, or per point where it says so\n\n{table}");
    targets
}

fn row(name: &str, payloads: &Payloads, costs: &Costs) -> Vec<String> {
    let points = payloads.points_per_event();
    let figure = |value: f64| Figure(value).to_string();
    let (decode, encode) = allocations::of(payloads);
    vec![
        name.to_owned(),
        figure(points),
        costs.decode.to_string(),
        costs.map.to_string(),
        // Points borrow from the mapping, so there is no encoding without it.
        figure(costs.map_and_encode.median - costs.map.median),
        costs.together.to_string(),
        costs.together.scaled(1.0 / points).to_string(),
        costs.gzip.to_string(),
        costs.library.to_string(),
        format!("{decode}, {encode}"),
    ]
}

fn costs(
    criterion: &mut Criterion<ThreadCpu>,
    folder: &std::path::Path,
    kind: &str,
    payloads: &Payloads,
) -> Costs {
    let mut group = criterion.benchmark_group(kind);
    let (events, decoded) = (payloads.encoded.len(), payloads.decoded());
    let mut lines = Lines::default();
    let mut stage =
        |name: &str, elements: usize, run: &mut dyn FnMut(&mut Bencher<'_, ThreadCpu>)| {
            group.throughput(Throughput::Elements(elements as u64));
            group.bench_function(name, |bencher| run(bencher));
            Estimate::read(&folder.join(kind).join(name)).scaled(1.0 / elements as f64)
        };
    let decode = stage("decode", events, &mut |bencher| {
        bencher.iter(|| {
            for payload in &payloads.encoded {
                black_box(Envelope::borrow(black_box(payload)).unwrap());
            }
        });
    });
    let map = stage("map", events, &mut |bencher| {
        bencher.iter(|| {
            for envelope in &decoded {
                mapping::points(black_box(envelope), &payloads.schema, &mut |point| {
                    black_box(point);
                });
            }
        });
    });
    let map_and_encode = stage("map-and-encode", events, &mut |bencher| {
        bencher.iter(|| {
            for envelope in &decoded {
                lines.clear();
                mapping::push_lines(black_box(envelope), &payloads.schema, &mut lines).unwrap();
                black_box(&lines);
            }
        });
    });
    let together = stage("together", events, &mut |bencher| {
        bencher.iter(|| {
            for payload in &payloads.encoded {
                lines.clear();
                let envelope = Envelope::borrow(black_box(payload)).unwrap();
                mapping::push_lines(&envelope, &payloads.schema, &mut lines).unwrap();
                black_box(&lines);
            }
        });
    });
    let (body, points) = (payloads.batch.body(), payloads.batch.len());
    let gzip = stage("gzip", points, &mut |bencher| {
        bencher.iter(|| writer::stages::compress(black_box(body)).unwrap());
    });
    let mut compressed = Vec::with_capacity(body.len());
    let library = stage("flate2", points, &mut |bencher| {
        bencher.iter(|| {
            compressed.clear();
            let mut encoder = GzEncoder::new(&mut compressed, Compression::fast());
            encoder.write_all(black_box(body)).unwrap();
            encoder.finish().unwrap();
        });
    });
    Costs { decode, map, map_and_encode, together, gzip, library }
}
