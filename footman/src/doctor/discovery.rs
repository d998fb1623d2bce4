//! What the repository knows of the site, as findings and as configuration to paste.

use std::time::Duration;

use collector::discovery::{Found, NotFound, WhyLeftOut, discover};
use shared::config::Config;

use super::report::{Area, Finding, Section};

/// The repository is asked for three lists, one after the other.
const QUESTIONS: u32 = 3;
/// What a finding about the nodes is called.
const NODES: &str = "nodes";

/// Asks the repository, where one is named; gives what it knows besides, if it answered.
pub(crate) async fn look(config: &Config, patience: Duration) -> (Option<Section>, Option<Found>) {
    let collector = &config.collector;
    let is_on = collector.discovery.is_some();
    if !is_on && collector.app_names.is_none() {
        return (None, None);
    }
    let section = Section::new(Area::Discovery, if is_on { "enabled" } else { "not enabled" });
    match tokio::time::timeout(patience * QUESTIONS, discover(config)).await {
        Ok(Ok(found)) => (Some(told(section, &found, is_on)), Some(found)),
        Ok(Err(why)) => (Some(section.with(missing(&why, is_on))), None),
        Err(_elapsed) => {
            let why = "the repository did not answer in time".to_owned();
            (Some(section.with(graded(is_on, why))), None)
        }
    }
}

fn told(mut section: Section, found: &Found, is_on: bool) -> Section {
    let names = |names: Vec<&str>| match names.len() {
        0 => "none".to_owned(),
        _ => names.join(", "),
    };
    let new = names(found.servers.iter().map(|server| server.name.as_str()).collect());
    let seen = if is_on {
        format!("discovered and polled besides the file's servers: {new}")
    } else {
        format!("in the repository and not in the file, so not polled: {new}")
    };
    section.add(Finding::ok(NODES, seen).fact("discovered", found.servers.len()));
    let excluded = found.left_out.iter().filter(|node| node.why == WhyLeftOut::Excluded);
    let excluded: Vec<&str> = excluded.map(|node| node.node.as_str()).collect();
    if !excluded.is_empty() {
        section.add(Finding::note(NODES, format!("excluded: {}", excluded.join(", "))));
    }
    for note in &found.notes {
        section.add(Finding::note(NODES, note.clone()));
    }
    section
}

fn missing(why: &NotFound, is_on: bool) -> Finding {
    graded(is_on, why.to_string())
}

/// Without discovery nothing depends on the answer.
fn graded(is_on: bool, why: String) -> Finding {
    if is_on { Finding::fault(NODES, why) } else { Finding::note(NODES, why) }
}
