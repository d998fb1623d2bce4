//! How loud a program is, and whether it also writes to files.

use std::path::PathBuf;

use super::section::Section;

/// What a program logs, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The least important level that is still logged.
    pub level: LogLevel,
    /// The directory of the log files; none when logging goes to the console alone.
    pub directory: Option<PathBuf>,
}

/// The six levels of the predecessor, from the most to the least important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    Info,
    /// More of what happened.
    Verbose,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Silly,
}

/// The words for the levels.
pub(super) const LEVELS: [(&str, LogLevel); 6] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("verbose", LogLevel::Verbose),
    ("debug", LogLevel::Debug),
    ("silly", LogLevel::Silly),
];
/// The directory of log files, as in the predecessor's template.
const DIRECTORY: &str = "log";

/// Reads `logLevel`, `fileLogging` and `logDirectory`, which stand at the root.
pub(super) fn read(root: &Section<'_>) -> Logging {
    let level = root.one_of("logLevel", &LEVELS, LogLevel::Info, "info");
    let to_files = root.flag("fileLogging", false);
    let directory = root.quiet_if(!to_files, |root| root.path("logDirectory", DIRECTORY));
    Logging { level, directory: to_files.then_some(directory) }
}
