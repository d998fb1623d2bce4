//! How loud a program is, and whether it also writes to files.

use std::path::PathBuf;

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
