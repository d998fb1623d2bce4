//! What a figure was measured on: without it a figure says nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Whether this is the build whose figures count.
pub(crate) const IS_RELEASE: bool = !cfg!(debug_assertions);
/// With more load than this for each core, others take part of what is measured. It is the average
/// of a minute, so right after a build it is too high.
const MOST_LOAD: f64 = 0.5;
/// Debian keeps it where only root looks.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// Machine and versions.
#[derive(Debug)]
pub(crate) struct Machine {
    facts: Vec<(&'static str, String)>,
    is_busy: bool,
}

impl Machine {
    /// Looks at this one.
    pub(crate) fn look() -> Self {
        let mosquitto = if Path::new(MOSQUITTO).exists() { MOSQUITTO } else { "mosquitto" };
        let build = if IS_RELEASE { "release" } else { "debug" };
        let facts = vec![
            ("CPU", format!("{}, {} cores", cpu_model(), cores())),
            ("memory", memory()),
            ("kernel", first_line("/proc/sys/kernel/osrelease")),
            ("load before", first_line("/proc/loadavg")),
            ("nats-server", said(Command::new("nats-server").arg("--version"))),
            ("mosquitto", said(Command::new(mosquitto).arg("-h"))),
            ("influxd", said(Command::new("influxd").arg("version"))),
            ("rustc", said(Command::new("rustc").arg("--version"))),
            ("Footman", format!("{}, {build} build", commit())),
        ];
        let load = first_line("/proc/loadavg");
        let load = load.split(' ').next().and_then(|load| load.parse::<f64>().ok());
        let is_busy = load.is_some_and(|load| load > MOST_LOAD * cores() as f64);
        Self { facts, is_busy }
    }
}

/// A list in Markdown.
impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, fact) in &self.facts {
            writeln!(formatter, "- {what}: {fact}")?;
        }
        if self.is_busy {
            writeln!(formatter, "\nATTENTION: this machine does something else, too.")?;
        }
        Ok(())
    }
}

/// Cores that this process may use, as long as it was not kept off any.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned())
}

fn memory() -> String {
    let line = first_line("/proc/meminfo");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
    kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{:.1} GB", kib * 1024.0 / 1e9))
}

/// The commit, and whether something differs from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        said(command.arg("-C").arg(root()).args(arguments))
    };
    let commit = git(&["describe", "--always", "--dirty"]);
    format!("commit {commit}")
}

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// The first line that a command prints, wherever.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return "not installed".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}
