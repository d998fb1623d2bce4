//! Where a program says "I am alive", and how often.

use url::Url;

use super::logging::{LEVELS, LogLevel};
use super::section::Section;
use crate::schedule::{Schedule, ScheduleError};
use crate::secret::Secret;

/// The beats that a program sends to a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The URL to call; whoever knows it can beat in the program's place.
    pub url: Secret,
    /// When to beat.
    pub frequency: Schedule,
}

/// The schedule on which the collector reports its own memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UptimeMonitor {
    /// When to report.
    pub frequency: Schedule,
    /// The level at which the report is logged.
    pub log_level: LogLevel,
}

/// What a schedule looks like.
const SCHEDULE_EXAMPLE: &str = "a schedule such as \"every 5 minutes\"";
/// Puts an excerpt to the right of the problem it belongs to.
const EXCERPT_INDENT: &str = "      ";
/// How a heartbeat URL may name the program that beats it, in the two forms people write.
const PROCESS_MARKS: [&str; 2] = ["%7bprocess%7d", "{process}"];

impl Heartbeat {
    /// Says whether the URL differs from program to program.
    pub fn names_its_program(&self) -> bool {
        let url = self.url.expose().to_lowercase();
        PROCESS_MARKS.iter().any(|mark| url.contains(mark))
    }
}

/// Reads a heartbeat: the root's, or one under `collector` or `writer`.
pub(super) fn read(section: Section<'_>) -> Option<Heartbeat> {
    let enabled = section.switch("enable", false);
    let section = section.quiet_unless(enabled);
    let url = section.required_secret("remoteURL");
    if !url.is_empty() && !is_web_address(url.expose()) {
        section.problem("remoteURL", "is no URL that can be called", Some("http://… or https://…"));
    }
    let frequency = frequency(&section);
    section.finish();
    frequency.filter(|_| enabled).map(|frequency| Heartbeat { url, frequency })
}

/// Reads `uptimeMonitor`: the schedule, and the tag of the memory points when they are stored.
pub(super) fn read_uptime_monitor(section: Section<'_>) -> (Option<UptimeMonitor>, Option<String>) {
    let enabled = section.switch("enable", false);
    let section = section.quiet_unless(enabled);
    let frequency = frequency(&section);
    let log_level = section.one_of("logLevel", &LEVELS, LogLevel::Verbose, "verbose");
    let stored = section.section("storeInInfluxdb");
    let is_stored = stored.switch("butlerSOSMemoryUsage", false);
    let instance = stored.quiet_if(!is_stored, |stored| stored.text("instanceTag", ""));
    stored.finish();
    let new_relic = section.section("storeNewRelic");
    if new_relic.flag("enable", false) {
        new_relic.warn("enable", "the uptime is not sent to New Relic: Footman does not do this");
    }
    section.finish();
    let monitor = frequency.map(|frequency| UptimeMonitor { frequency, log_level });
    (monitor.filter(|_| enabled), (enabled && is_stored).then_some(instance))
}

/// Reads the text that says when something happens; none when that is never, which is recorded.
fn frequency(section: &Section<'_>) -> Option<Schedule> {
    let text = section.required_text_of("frequency", SCHEDULE_EXAMPLE);
    if text.trim().is_empty() {
        return None;
    }
    match Schedule::parse(&text) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let allowed = error.excerpt().is_none().then_some(SCHEDULE_EXAMPLE);
            section.problem("frequency", wrong_frequency(&error), allowed);
            None
        }
    }
}

/// What is wrong with a schedule text: a sentence, then the text with a caret under the place.
fn wrong_frequency(error: &ScheduleError) -> String {
    let excerpt = error.excerpt().unwrap_or_default();
    let lines = excerpt.lines().map(|line| format!("\n{EXCERPT_INDENT}{line}"));
    format!("is no schedule: {error}{}", lines.collect::<String>())
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
