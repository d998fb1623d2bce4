//! Where log lines go: the console, and with `fileLogging` a file a day.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogLevel, Logging};

/// Daily files that are kept, as the predecessor keeps them.
const DAYS_KEPT: usize = 30;
/// The programs' own crates; the libraries below them speak only of what goes wrong.
const OWN_CRATES: [&str; 5] = ["shared", "collector", "writer", "footman", "simulator"];

/// The NATS client says each refused attempt anew; its driver says the first one and the recovery.
const REPEATING_LIBRARY: &str = "async_nats";

/// Writes what is still buffered when it is dropped: the program holds it to the end.
#[must_use = "log lines are lost when the guard is dropped"]
#[derive(Debug, Default)]
pub struct LogGuard {
    _file: Option<WorkerGuard>,
}

/// Why log lines cannot be written to files.
#[derive(Debug, Error)]
#[error("log files cannot be written in {}", directory.display())]
pub struct LogFileError {
    directory: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Begins logging, once per process. With a directory in `logging`, also to
/// `{process}-{instance}.YYYY-MM-DD.log` there.
pub fn init(logging: &Logging, process: &str, instance: &str) -> Result<LogGuard, LogFileError> {
    let console = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(filter(logging.level));
    let (file, guard) = match &logging.directory {
        None => (None, LogGuard::default()),
        Some(directory) => {
            let (layer, guard) = file_layer(directory, process, instance, logging.level)?;
            (Some(layer), guard)
        }
    };
    // A second call in one process, as tests make it, keeps the first subscriber.
    let _already = tracing_subscriber::registry().with(file).with(console).try_init();
    Ok(guard)
}

/// Begins logging to files alone, for programs whose terminal shows something else.
pub fn init_files_only(
    directory: &Path,
    level: LogLevel,
    process: &str,
    instance: &str,
) -> Result<LogGuard, LogFileError> {
    let (layer, guard) = file_layer(directory, process, instance, level)?;
    let _already = tracing_subscriber::registry().with(layer).try_init();
    Ok(guard)
}

fn file_layer(
    directory: &Path,
    process: &str,
    instance: &str,
    level: LogLevel,
) -> Result<(impl Layer<Registry> + use<>, LogGuard), LogFileError> {
    let failed = |source| LogFileError { directory: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(|error| failed(error.into()))?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(format!("{process}-{}", file_name_part(instance)))
        .filename_suffix("log")
        .max_log_files(DAYS_KEPT)
        .build(directory)
        .map_err(|error| failed(error.into()))?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let layer = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .with_writer(writer)
        .with_filter(filter(level));
    Ok((layer, LogGuard { _file: Some(guard) }))
}

/// Instance names may hold what a file name may not.
fn file_name_part(instance: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }
    };
    instance.chars().map(safe).collect()
}

fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Verbose | LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Silly => LevelFilter::TRACE,
    };
    let libraries = if level == LogLevel::Silly { LevelFilter::INFO } else { LevelFilter::ERROR };
    Targets::new()
        .with_default(libraries)
        .with_target(REPEATING_LIBRARY, LevelFilter::OFF)
        .with_targets(OWN_CRATES.map(|name| (name, own)))
}
