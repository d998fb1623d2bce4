//! The pipeline below the servers: what flows, what it depends on, who carries it.

use shared::timestamp::Timestamp;

use super::escape::Html;
use super::numbers::{UNKNOWN, count, span};
use super::{mark, moment, since};
use crate::page::state::{Level, PageState, Pipeline, ProgramRow};

/// Fewer events come and go at any time.
const WORTH_AN_ESTIMATE: u64 = 100;

/// The figures from polls to InfluxDB.
pub(super) fn flow(html: &mut Html, flow: &Pipeline) {
    html.raw("<dl id=\"flow\" class=\"flow\">");
    let failed =
        (flow.failed_polls > 0).then(|| format!("{} failed", count(Some(flow.failed_polls))));
    figure(html, "Polls", Some(flow.polls), failed, Level::Good);
    figure(html, "Published", flow.published, None, Level::Good);
    figure(html, "Confirmed", flow.confirmed, None, Level::Good);
    let left = |waiting: Option<u64>, seconds: Option<u64>| match (waiting, seconds) {
        (Some(WORTH_AN_ESTIMATE..), Some(seconds)) => {
            Some(format!("about {} to go", span(seconds)))
        }
        _ => None,
    };
    let outbox = left(flow.outbox, flow.outbox_seconds_left);
    figure(html, "In the outbox", flow.outbox, outbox, Level::Good);
    let oldest = flow.oldest_unwritten_s.filter(|age| *age >= 1.0);
    let oldest = oldest.and_then(|age| std::time::Duration::try_from_secs_f64(age).ok());
    let oldest = oldest.map(|age| format!("oldest: {}", span(age.as_secs())));
    let behind = left(flow.backlog, flow.backlog_seconds_left).or(oldest);
    figure(html, "To be stored", flow.backlog, behind, Level::Good);
    let failing = flow.failed_writes.filter(|writes| *writes > 0);
    let failing = failing.map(|writes| format!("{} writes failed", count(Some(writes))));
    figure(html, "Stored", flow.stored, failing, Level::Good);
    figure(html, "Dead letters", flow.dead_lettered, None, Level::Warn);
    figure(
        html,
        "Lost",
        flow.lost.map(|lost| lost.saturating_add(flow.unrecorded_polls)),
        None,
        Level::Bad,
    );
    html.raw("</dl>");
}

/// One figure; `level` is how bad it is when it is more than nothing.
fn figure(html: &mut Html, name: &str, value: Option<u64>, more: Option<String>, level: Level) {
    let level = if value.is_some_and(|value| value > 0) { level } else { Level::Good };
    html.raw("<div><dt>").text(name).raw("</dt><dd>");
    if level == Level::Good {
        html.text(count(value));
    } else {
        html.raw("<b class=\"").raw(level.name()).raw("\">").text(count(value)).raw("</b>");
    }
    if let Some(more) = more {
        html.raw("<small>").text(more).raw("</small>");
    }
    html.raw("</dd></div>");
}

/// What this program depends on.
pub(super) fn needs(html: &mut Html, state: &PageState) {
    html.raw("<ul id=\"needs\" class=\"needs\">");
    if state.dependencies.is_empty() {
        html.raw("<li>Nothing yet.</li>");
    }
    for dependency in &state.dependencies {
        let level = if dependency.up { Level::Good } else { Level::Bad };
        html.raw("<li class=\"").raw(level.name()).raw("\">");
        mark(html, level);
        html.raw("<span><b>").text(&dependency.name).raw("</b> ");
        match &dependency.why {
            Some(why) => drop(html.raw("<span class=\"word\">missing</span>: ").text(why)),
            None => drop(html.raw("<span class=\"word\">up</span>")),
        }
        html.raw("</span></li>");
    }
    if let Some(repository) = &state.repository {
        let level = if repository.failing.is_some() { Level::Warn } else { Level::Good };
        html.raw("<li class=\"").raw(level.name()).raw("\">");
        mark(html, level);
        html.raw("<span><b>app names</b> of ").text(&repository.host).raw(" ");
        match (&repository.failing, repository.last_poll) {
            (Some(trouble), _) => {
                html.raw("<span class=\"word\">failing</span> ");
                since(html, trouble.since, state.time);
                html.raw(": ").text(&trouble.message);
            }
            (None, Some(last)) => {
                html.raw("<span class=\"word\">read</span> ");
                moment(html, last, state.time);
            }
            (None, None) => drop(html.raw("not read yet")),
        }
        html.raw("</span></li>");
    }
    html.raw("</ul>");
}

/// The programs whose heartbeats are heard.
pub(super) fn programs(html: &mut Html, programs: &[ProgramRow], now: Timestamp) {
    html.raw("<tbody id=\"programs\" role=\"rowgroup\">");
    if programs.is_empty() {
        html.raw("<tr role=\"row\"><td role=\"cell\" colspan=\"7\" class=\"empty\">No heartbeat yet: each program beats every 30 s.</td></tr>");
    }
    for program in programs {
        let level = program.level();
        html.raw("<tr role=\"row\" class=\"")
            .raw(level.name())
            .raw("\"><th role=\"rowheader\" scope=\"row\">");
        mark(html, level);
        html.text(&program.process).raw(" <small>").text(&program.instance).raw("</small></th>");
        cell(html, "State");
        html.raw("<span class=\"word\">").raw(match level {
            Level::Good => "at work",
            Level::Bad => "not at work",
            Level::Warn | Level::Idle => "silent",
        });
        html.raw("</span>");
        if let Some(why) = &program.why {
            html.raw(": ").text(why);
        }
        html.raw("</td>");
        cell(html, "Last beat");
        moment(html, program.last_beat, now);
        html.raw("</td>");
        cell(html, "Waiting");
        html.text(count(program.backlog.or(program.outbox))).raw("</td>");
        cell(html, "Stored");
        html.text(program.stored.map_or_else(|| UNKNOWN.to_owned(), |stored| count(Some(stored))));
        html.raw("</td>");
        cell(html, "Memory");
        html.text(count(Some(program.resident_mib))).raw(" MiB</td>");
        cell(html, "Version");
        html.text(&program.version).raw("</td></tr>");
    }
    html.raw("</tbody>");
}

fn cell(html: &mut Html, label: &str) {
    html.raw("<td role=\"cell\" data-label=\"").raw(label).raw("\">");
}
