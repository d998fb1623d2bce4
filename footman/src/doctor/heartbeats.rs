//! Heartbeats: when they fire and to which host. None is sent, since a beat would be a lie.

use shared::config::{Config, Heartbeat};
use shared::timestamp::Timestamp;

use super::report::{Area, Finding, Section};

/// Firings that are told.
const FIRINGS: usize = 3;

/// Tells of every heartbeat of the configuration.
pub(crate) fn look(config: &Config, now: Timestamp) -> Vec<Section> {
    let beats = [
        ("heartbeat", &config.heartbeat),
        ("collector.heartbeat", &config.collector.heartbeat),
        ("writer.heartbeat", &config.writer.heartbeat),
    ];
    let mut sections: Vec<Section> = beats
        .into_iter()
        .filter_map(|(key, beat)| Some(section(key, beat.as_ref()?, now)))
        .collect();
    if config.heartbeat_hides_programs()
        && let Some(first) = sections.first_mut()
    {
        let seen = "several programs beat one URL, which hides that one of them is dead";
        let advice = "put %7Bprocess%7D into the URL, or give collector and writer one each";
        first.add(Finding::warning("url", seen).advise(advice));
    }
    sections
}

fn section(key: &str, beat: &Heartbeat, now: Timestamp) -> Section {
    // The URL itself is a secret: whoever knows it can beat.
    let url = url::Url::parse(beat.url.expose()).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or("an unknown host").to_owned();
    let firings: Vec<String> =
        beat.frequency.firings(now).take(FIRINGS).map(Timestamp::to_seconds).collect();
    let next = firings.join(", ");
    Section::new(Area::Heartbeats, format!("{key} to {host}"))
        .with(Finding::ok("schedule", format!("next at {next}")).fact("next", firings))
        .with(Finding::note("url", "not asked for: a beat would say that a program is alive"))
}
