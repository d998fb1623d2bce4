//! What the programs cost when nothing much happens: start, idle processor time, memory, size.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::nats::NatsServer;
use integration_tests::process::{Process, Resident, free_port};
use integration_tests::programs::program;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::programs;
use crate::site_process::{SiteProcess, Size};
use integration_tests::measure::cpu::cpu_seconds;
use integration_tests::measure::samples::{Figure, Samples};
use integration_tests::measure::table::Table;
use integration_tests::measure::target::{Target, Wanted};

/// Starts of each program; the median counts.
const STARTS: usize = 11;
/// Until what the start needed is given back.
const SETTLING: Duration = Duration::from_secs(40);
/// How long a program may take to become ready before it is given up.
const LONGEST_START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(2);

/// A program at rest.
#[derive(Clone, Debug)]
pub(crate) struct Resting {
    pub(crate) name: &'static str,
    /// From the start of the process to the first 200 of `/readyz`, in seconds, sorted.
    pub(crate) starts: Vec<f64>,
    /// Share of one core.
    pub(crate) idle_cpu: f64,
    pub(crate) resident: u64,
    /// Of the file without symbols.
    pub(crate) stripped: Option<u64>,
}

struct House {
    directory: TempDir,
}

struct Started {
    process: Process,
    took: Duration,
}

/// Looks at collector and writer over NATS, and at `footman run`, with 20 servers at 30 s.
pub(crate) async fn measure(idle: Duration) -> Vec<Resting> {
    let site = SiteProcess::start(Size::default(), None).await;
    let (nats, influxd) = (NatsServer::start().await, Influxd::start().await);
    let mut resting = Vec::new();
    let house = House { directory: tempfile::tempdir().unwrap() };
    let over_nats = format!(
        "type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{}\"], maxBytes: 1GiB}}",
        nats.port()
    );
    house.configure("nats.yaml", &site, influxd.port(), &over_nats);
    let embedded = "embedded: {directory: ./queue}";
    house.configure("embedded.yaml", &site, influxd.port(), embedded);

    let mut starts = [Vec::new(), Vec::new(), Vec::new()];
    let starting: [(&str, &[&str], &str); 3] = [
        ("collector", &[], "nats.yaml"),
        ("writer", &[], "nats.yaml"),
        ("footman", &["run"], "embedded.yaml"),
    ];
    for _ in 0..STARTS {
        for (times, (name, arguments, config)) in starts.iter_mut().zip(starting) {
            let mut started = house.start(name, arguments, config).await;
            times.push(started.took.as_secs_f64());
            started.process.terminate().await;
        }
    }
    let mut running = Vec::new();
    for (name, arguments, config) in starting {
        running.push((name, house.start(name, arguments, config).await));
    }
    sleep(SETTLING).await;
    let before: Vec<f64> = running.iter().map(|(_, one)| cpu_seconds(one.process.id())).collect();
    let since = Instant::now();
    sleep(idle).await;
    let seconds = since.elapsed().as_secs_f64();
    for (((name, started), before), mut starts) in running.iter().zip(before).zip(starts) {
        starts.sort_by(f64::total_cmp);
        let id = started.process.id();
        resting.push(Resting {
            name,
            starts,
            idle_cpu: (cpu_seconds(id) - before) / seconds,
            resident: Resident::of(id).now,
            stripped: stripped(&program(name), house.directory.path()),
        });
    }
    resting
}

impl House {
    fn configure(&self, name: &str, site: &SiteProcess, influxdb: u16, broker: &str) {
        let outbox = self.directory.path().join("outbox");
        let more = format!(
            "  broker:\n    {broker}\n  collector:\n    outbox: {{directory: \"{}\"}}\n",
            outbox.display()
        );
        let text = site.configuration(&more).replace("port: 8086", &format!("port: {influxdb}"));
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    async fn start(&self, name: &str, arguments: &[&str], config: &str) -> Started {
        let page = free_port();
        let listen = format!("127.0.0.1:{page}");
        let mut command = Command::new(program(name));
        command
            .current_dir(self.directory.path())
            .args(arguments)
            .args(["--config", config])
            .env("FOOTMAN__COLLECTOR__HTTP__LISTEN", &listen)
            .env("FOOTMAN__WRITER__HTTP__LISTEN", &listen);
        let client = reqwest::Client::new();
        let url = format!("http://{listen}/readyz");
        let since = Instant::now();
        let process = Process::start(&mut command, &self.directory.path().join("log"));
        loop {
            if let Ok(answer) = client.get(&url).send().await
                && answer.status() == 200
            {
                return Started { process, took: since.elapsed() };
            }
            assert!(since.elapsed() < LONGEST_START, "{name}:\n{}", process.printed());
            sleep(LOOK).await;
        }
    }
}

/// The size of a program without its symbols, where binutils are.
fn stripped(program: &Path, directory: &Path) -> Option<u64> {
    let copy: PathBuf = directory.join("stripped");
    let status = Command::new("strip").arg(program).arg("-o").arg(&copy).status().ok()?;
    status.success().then(|| std::fs::metadata(copy).ok().map(|file| file.len()))?
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long the programs are watched at rest.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

const START_S: f64 = 0.2;
const IDLE_PERCENT: f64 = 0.5;
const IDLE_MB: f64 = 25.0;
const PART_MB: f64 = 15.0;
const WHOLE_MB: f64 = 30.0;

pub(crate) fn run(arguments: &Arguments) -> Vec<Target> {
    programs::look(&["collector", "writer", "footman", "simulator"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let resting = runtime.block_on(measure(Duration::from_secs(arguments.seconds)));
    let mut table =
        Table::new(&["program", "ready after, s", "idle CPU, %", "resident, MB", "stripped, MB"]);
    let mut targets = Vec::new();
    for one in resting {
        let starts: Samples = one.starts.iter().copied().collect();
        let single = |value: f64| -> Samples { [value].into_iter().collect() };
        let cpu = single(one.idle_cpu * 100.0);
        let resident = one.resident as f64 / 1e6;
        let size = one.stripped.map_or(f64::NAN, |bytes| bytes as f64 / 1e6);
        table.push(vec![
            one.name.to_owned(),
            starts.to_string(),
            cpu.to_string(),
            Figure(resident).to_string(),
            Figure(size).to_string(),
        ]);
        let largest = if one.name == "footman" { WHOLE_MB } else { PART_MB };
        let name = |what: &str| format!("{}: {what}", one.name);
        targets.push(Target::exact(name("size, MB"), Wanted::AtMost(largest), size));
        if one.name != "footman" {
            targets.push(Target::new(name("ready after, s"), Wanted::AtMost(START_S), &starts));
            targets.push(Target::new(name("idle CPU, %"), Wanted::AtMost(IDLE_PERCENT), &cpu));
            targets.push(Target::exact(name("idle memory, MB"), Wanted::AtMost(IDLE_MB), resident));
        }
    }
    println!("{table}");
    targets
}
