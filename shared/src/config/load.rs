//! From a file and the environment to the typed configuration.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::environment::{Environment, credentials_directory, resolve};
use super::layers::{file_layer, layered};
use super::lines::{Fault, Lines, scan};
use super::places::Places;
use super::section::{Known, Reader};
use super::{
    Config, ConfigError, Place, Problem, ROOT, UsedFile, advice, broker, collector, heartbeat,
    logging, not_done, writer,
};

/// The root of the configuration of another tool, which people mistake for ours.
const BUTLER_ROOT: &str = "Butler";
/// No configuration is larger than this.
const MAX_FILE_BYTES: u64 = 4 << 20;
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);
const LONGEST_SHUTDOWN_GRACE: Duration = Duration::from_hours(1);

/// A configuration that can be used, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
    /// The files that it names where they have effect, in the order in which they were read.
    pub files: Vec<UsedFile>,
}

/// Reads a configuration file, with the environment over it.
///
/// # Errors
/// Every mistake of the file and of the environment.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let environment: Vec<_> = environment.into_iter().collect();
    on_a_thread_of_its_own(|| match read_file(path) {
        Ok(text) => from_text(&text, path, environment),
        Err(wrong) => Err(refused(path, wrong)),
    })
}

/// Does the work on a thread that then ends.
///
/// Reading a configuration takes much memory for a short time, and glibc keeps what a thread used
/// for that thread or, once it has ended, for the one that comes after it. The first thread of a
/// program does next to nothing later, so its share would lie idle: 8 MB with 1,000 servers.
fn on_a_thread_of_its_own<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Reads a configuration file as [`load`] does, and looks further: into certificates and keys, and
/// for what the programs would find out by themselves once they run.
///
/// # Errors
/// Every mistake of the file, of the environment and of the files that are named.
pub fn check(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    match read_file(path) {
        Ok(text) => read_text(&text, path, environment, true),
        Err(wrong) => Err(refused(path, wrong)),
    }
}

/// Reads a configuration from its text; the file's name is used for messages and relative paths.
///
/// # Errors
/// Every mistake of the text and of the environment.
pub fn from_text(
    text: &str,
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    read_text(text, file, environment, false)
}

fn read_text(
    text: &str,
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    thorough: bool,
) -> Result<Loaded, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = scan(text).map_err(|faults| unreadable(file, faults))?;
    let others = check_top(&lines, file)?;
    let Ok(mut layer) = file_layer(text) else {
        let wrong = "holds a key or a value that cannot be read, such as .inf, .nan or a tag";
        return Err(refused(file, wrong.to_owned()));
    };
    // Other names at the top would be read as paths into the tree.
    layer.retain(|key, _| key == ROOT);
    let environment: Vec<(String, String)> = environment.into_iter().collect();
    let credentials = credentials_directory(&environment);
    let all_known = known_keys();
    let Environment { layer: variables_layer, variables, problems } =
        resolve(environment, &all_known);
    let Ok(tree) = layered(layer, variables_layer) else {
        return Err(refused(file, "cannot be joined with the environment".to_owned()));
    };
    let places = Places { file: file.to_owned(), lines, variables, credentials };
    let root = match &tree.kind {
        ValueKind::Table(top) => top.get(ROOT),
        _ => None,
    };
    let Some(ValueKind::Table(root)) = root.map(|root| &root.kind) else {
        return Err(refused(file, format!("holds nothing in its section {ROOT}")));
    };
    let reader = Reader::new(&places).thorough(thorough);
    let config = read(&reader, Some(root));
    let secret = reader.holds_secrets();
    let findings = reader.findings();
    let problems = others.into_iter().chain(problems).chain(findings.problems);
    let mut problems = in_order(problems.collect());
    advice::look_elsewhere(&mut problems, &all_known);
    let open = secret.then(|| advice::open_file(file)).flatten();
    let warnings = in_order(open.into_iter().chain(findings.warnings).collect());
    if problems.is_empty() {
        Ok(Loaded { config, warnings, files: findings.files })
    } else {
        Err(ConfigError { problems, warnings })
    }
}

/// Every key that the reader asks for.
pub(super) fn known_keys() -> BTreeMap<String, Known> {
    let places = Places {
        file: Path::new("").to_owned(),
        lines: Lines::default(),
        variables: HashMap::new(),
        credentials: None,
    };
    let reader = Reader::discovering(&places);
    read(&reader, None);
    reader.findings().known
}

/// Reads everything, once for the keys and once for the values.
fn read(reader: &Reader<'_>, table: Option<&Map<String, Value>>) -> Config {
    let root = reader.root(table);
    let logging = logging::read(&root);
    let heartbeat = heartbeat::read(root.section("heartbeat"));
    let broker = broker::read(root.own_section("broker"));
    let (uptime_monitor, memory_usage_instance) =
        heartbeat::read_uptime_monitor(root.section("uptimeMonitor"));
    let collector = collector::read(&root, &broker, uptime_monitor);
    let names = collector.app_names.is_some();
    let writer = writer::read(&root, &broker, names, memory_usage_instance);
    not_done::read(&root);
    let shutdown_grace =
        root.duration("shutdownGrace", SHUTDOWN_GRACE, Duration::ZERO..=LONGEST_SHUTDOWN_GRACE);
    let config = Config { logging, heartbeat, broker, collector, writer, shutdown_grace };
    if config.heartbeat_hides_programs() {
        let what = "every program beats this one URL, so a dead program stays hidden; \
                    put %7Bprocess%7D into it, or give collector and writer their own heartbeat";
        root.warn("heartbeat", what);
    }
    advice::read(&root, &config);
    root.finish_with_warnings();
    config
}

fn read_file(path: &Path) -> Result<String, String> {
    let is_yaml = path.extension().is_some_and(|found| {
        found.eq_ignore_ascii_case("yaml") || found.eq_ignore_ascii_case("yml")
    });
    if !is_yaml {
        return Err("is no configuration file: its name ends neither in .yaml nor in .yml".into());
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 > MAX_FILE_BYTES => {
            Err(format!("is larger than {MAX_FILE_BYTES} bytes"))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Makes sure that the root is there; gives the mistakes about others beside it.
fn check_top(lines: &Lines, file: &Path) -> Result<Vec<Problem>, ConfigError> {
    let others = lines.top().iter().filter(|(key, _)| key != ROOT);
    let problems: Vec<Problem> = others
        .map(|(key, line)| {
            let wrong = if key == BUTLER_ROOT {
                "this is a Butler file; Footman reads those of Butler SOS"
            } else {
                "unknown root"
            };
            Problem {
                key: key.clone(),
                place: Place::Line { file: file.to_owned(), line: *line },
                wrong: wrong.to_owned(),
                allowed: Some(ROOT.to_owned()),
                nearest: None,
            }
        })
        .collect();
    match (problems.len() == lines.top().len(), problems.is_empty()) {
        (false, _) => Ok(problems),
        (true, true) => Err(refused(file, format!("has no section {ROOT}"))),
        (true, false) => Err(ConfigError { problems, warnings: Vec::new() }),
    }
}

/// The error of a file that was not looked at any further.
fn refused(file: &Path, wrong: String) -> ConfigError {
    let place = Place::File(file.to_owned());
    let problem = Problem { key: String::new(), place, wrong, allowed: None, nearest: None };
    ConfigError { problems: vec![problem], warnings: Vec::new() }
}

fn unreadable(file: &Path, faults: Vec<Fault>) -> ConfigError {
    let problems = faults.into_iter().map(|fault| Problem {
        key: fault.key,
        place: Place::Line { file: file.to_owned(), line: fault.line },
        wrong: fault.wrong,
        allowed: None,
        nearest: None,
    });
    ConfigError { problems: problems.collect(), warnings: Vec::new() }
}

/// Problems in the order of their places.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.place.position());
    problems
}
