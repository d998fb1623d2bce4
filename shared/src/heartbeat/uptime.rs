//! The report of `uptimeMonitor` in the log, at the level that the configuration gives it.

use std::time::Duration;

use crate::config::LogLevel;
use crate::event::ProcessMemory;

const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 3_600;
const SECONDS_PER_DAY: u64 = 86_400;
const BYTES_PER_MB: f64 = 1_048_576.0;

/// Logs how long the program runs and how much memory it has.
pub(super) fn report(level: LogLevel, uptime: Duration, memory: ProcessMemory) {
    let text = text(uptime, memory);
    match level {
        LogLevel::Error => tracing::error!("{text}"),
        LogLevel::Warn => tracing::warn!("{text}"),
        LogLevel::Info => tracing::info!("{text}"),
        LogLevel::Verbose | LogLevel::Debug => tracing::debug!("{text}"),
        LogLevel::Silly => tracing::trace!("{text}"),
    }
}

fn text(uptime: Duration, memory: ProcessMemory) -> String {
    let seconds = uptime.as_secs();
    format!(
        "Up for {} days, {} hours, {} minutes, {} seconds; allocated {:.2} MB, resident {:.2} MB.",
        seconds / SECONDS_PER_DAY,
        seconds % SECONDS_PER_DAY / SECONDS_PER_HOUR,
        seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE,
        seconds % SECONDS_PER_MINUTE,
        memory.allocated_bytes as f64 / BYTES_PER_MB,
        memory.resident_bytes as f64 / BYTES_PER_MB,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_in_words() {
        let memory = ProcessMemory { resident_bytes: 31_457_280, allocated_bytes: 5_570_560 };
        assert_eq!(
            text(Duration::from_secs(2 * SECONDS_PER_DAY + 3_723), memory),
            "Up for 2 days, 1 hours, 2 minutes, 3 seconds; allocated 5.31 MB, resident 30.00 MB."
        );
    }
}
