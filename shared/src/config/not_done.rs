//! The predecessor's sections that Footman does not do: said aloud when they are enabled.

use super::section::Section;

/// Sections that make no difference to what is stored.
const NEUTRAL: [&str; 6] = [
    "anonTelemetry",
    "systemInfo",
    "crashFile",
    "configVisualisation",
    "thirdPartyToolsCredentials",
    "qlikSenseEvents",
];
/// What helps in each case.
const KEEP: &str = "Footman does not do this; keep a Butler SOS with `servers: []` for it";
/// The sources of log events; the section has no switch of its own.
const LOG_SOURCES: [&str; 5] = ["engine", "proxy", "repository", "scheduler", "qixPerf"];

/// Warns of what stops arriving.
pub(super) fn read(root: &Section<'_>) {
    root.ignore(&NEUTRAL);
    for (key, what) in [
        ("userEvents", "user events (connections and sessions as they begin and end)"),
        ("auditEvents", "audit events"),
        ("newRelic", "events and metrics in New Relic"),
    ] {
        let section = root.section(key);
        if section.flag("enable", false) {
            section.warn("enable", format!("{what} stop arriving: {KEEP}"));
        }
    }
    let log_events = root.section("logEvents");
    let sources = log_events.section("source");
    let enabled: Vec<&str> = LOG_SOURCES
        .into_iter()
        .filter(|source| {
            let section = sources.section(source);
            section.flag("enable", false)
        })
        .collect();
    if !enabled.is_empty() {
        let sources = enabled.join(", ");
        root.warn("logEvents", format!("log events ({sources}) stop arriving: {KEEP}"));
    }
}
