//! Where a program says "I am alive", and how often.

use crate::secret::Secret;

/// The beats that a program sends to a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The URL to call; whoever knows it can beat in the program's place.
    pub url: Secret,
    /// When to beat, in the later.js text syntax.
    pub frequency: String,
}

/// The schedule on which the collector reports its own memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UptimeMonitor {
    /// When to report, in the later.js text syntax.
    pub frequency: String,
    /// The level at which the report is logged.
    pub log_level: super::LogLevel,
}
