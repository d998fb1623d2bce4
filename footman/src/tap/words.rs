//! What matters of each kind of event, in few words. Pure.
//!
//! Users are counted and never named.

use std::error::Error as _;

use shared::envelope::DecodeError;
use shared::event::{AppNames, Change, FailedPoll, Health, Heartbeat, Sessions};

use crate::terminal::{cut, printable};

/// Names that are listed before the rest is only counted.
const MOST_NAMES: usize = 3;
/// The longest name of an app that is shown whole.
const LONGEST_NAME: usize = 40;
/// The longest message that is shown whole.
const LONGEST_MESSAGE: usize = 300;
const MEBIBYTES_OF_GIBIBYTE: f64 = 1_024.0;

/// What there is to say, and whether it is trouble.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) text: String,
    /// What is to be seen at once, behind the text; none when all is well.
    pub(super) trouble: Option<String>,
}

impl Words {
    fn calm(text: String) -> Self {
        Self { text, trouble: None }
    }
}

/// An engine: load, memory, sessions, and whether it is saturated.
pub(super) fn health(health: &Health) -> Words {
    let said = &health.health;
    let cpu = said.cpu.total.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}%"));
    let memory = |mebibytes: Option<f64>| mebibytes.map_or_else(|| "-".to_owned(), size);
    let count = |count: Option<i64>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let text = format!(
        "cpu {cpu:>4}   committed {:>9}   free {:>9}   sessions {:>4}, {} active",
        memory(said.mem.committed),
        memory(said.mem.free),
        count(said.session.total),
        count(said.session.active)
    );
    Words { text, trouble: (said.saturated == Some(true)).then(|| "SATURATED".to_owned()) }
}

/// A virtual proxy: sessions and users, in numbers.
pub(super) fn sessions(sessions: &Sessions) -> Words {
    let proxy = printable(&cut(&sessions.virtual_proxy, LONGEST_NAME));
    let (count, users) = (sessions.session_count, sessions.user_count);
    let excluded = sessions.excluded_session_count;
    let parts = [
        Some(format!("{proxy:<12} {count:>5} sessions {users:>5} users")),
        (excluded > 0).then(|| format!("{excluded} excluded")),
        part(sessions.part, sessions.parts),
    ];
    Words::calm(joined(parts))
}

/// The apps: what changed.
pub(super) fn app_names(names: &AppNames) -> Words {
    let changed = [(Change::New, "new"), (Change::Renamed, "renamed"), (Change::Gone, "gone")];
    let mut told = Vec::new();
    for (change, word) in changed {
        let apps = names.apps.iter().filter(|app| app.change == Some(change));
        let apps: Vec<&str> = apps.map(|app| app.name.as_str()).collect();
        if !apps.is_empty() {
            told.push(format!("{} {word}: {}", apps.len(), listed(&apps)));
        }
    }
    let mut text = if told.is_empty() { "no change".to_owned() } else { told.join("; ") };
    if names.full {
        text = format!("full list, {} apps; {text}", names.apps.len());
    }
    Words::calm(joined([Some(text), part(names.part, names.parts)]))
}

/// A failed poll: why, where, and for how many ticks it stands.
pub(super) fn failed_poll(failed: &FailedPoll) -> Words {
    let source = failed.source.name();
    let source = match failed.virtual_proxy.as_deref() {
        Some(proxy) => format!("{source} {}", printable(&cut(proxy, LONGEST_NAME))),
        None => source.to_owned(),
    };
    let parts = [
        Some(source),
        Some(printable(&cut(&failed.message, LONGEST_MESSAGE))),
        failed.url.as_ref().map(|url| printable(&cut(url, LONGEST_MESSAGE))),
        (failed.ticks != 1).then(|| format!("{} ticks", failed.ticks)),
    ];
    let category = printable(&cut(failed.category.name(), LONGEST_NAME));
    Words { text: joined(parts), trouble: Some(category) }
}

/// A program: whether it does its work, and what waits.
pub(super) fn heartbeat(beat: &Heartbeat) -> Words {
    let counters = &beat.counters;
    let known = [
        ("published", counters.published),
        ("outbox", counters.outbox),
        ("stored", counters.stored),
        ("backlog", counters.backlog),
        ("dead letters", counters.dead_lettered.filter(|count| *count > 0)),
        ("lost", counters.lost.filter(|count| *count > 0)),
    ];
    let known = known.iter().map(|(name, count)| Some(format!("{name} {}", (*count)?)));
    let text = joined([beat.honest.then(|| "honest".to_owned())].into_iter().chain(known));
    if beat.honest {
        return Words::calm(text);
    }
    let why = beat.why.as_deref().unwrap_or("it does not say why");
    Words { text, trouble: Some(format!("NOT HONEST: {}", printable(&cut(why, LONGEST_MESSAGE)))) }
}

/// Why something cannot be decoded, without what it holds: that may be the name of a user.
pub(super) fn undecodable(error: &DecodeError) -> String {
    let place = error.source().and_then(|source| source.downcast_ref::<serde_json::Error>());
    match place {
        Some(json) if json.line() > 0 => {
            format!("{error} (line {}, column {})", json.line(), json.column())
        }
        _ => error.to_string(),
    }
}

fn part(part: u32, parts: u32) -> Option<String> {
    (parts > 1).then(|| format!("part {part} of {parts}"))
}

/// What there is to say, side by side.
fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join("   ")
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(MOST_NAMES).map(|name| printable(&cut(name, LONGEST_NAME)));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMES {
        text.push_str(", …");
    }
    text
}

/// Memory, as Qlik counts it in MB of 2^20 bytes.
fn size(mebibytes: f64) -> String {
    if mebibytes < MEBIBYTES_OF_GIBIBYTE {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.1} GiB", mebibytes / MEBIBYTES_OF_GIBIBYTE)
    }
}
