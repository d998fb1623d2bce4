//! The page as HTML: the whole of it for a browser that opens it, and its parts for one that has it.
//!
//! Both come from the same functions, so a page without scripts shows what one with them shows.
//! Times are absolute here, and right however long the page stays; scripts tell how long ago that is.
//! Everything that is not ours goes through [`Html::text`], which escapes it.

mod escape;
mod numbers;
mod pipeline;
mod servers;
mod sparkline;
#[cfg(test)]
mod tests;

use shared::timestamp::Timestamp;

pub(super) use escape::Html;

use super::state::{Level, PageState, ProgramName, Summary};

/// With more servers than this, those without trouble become tiles on a wide screen.
const ROWS_ON_A_SCREEN: usize = 14;

/// A part of the page that is exchanged as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The id of its element.
    pub(super) id: String,
    pub(super) html: String,
}

/// The id of a server's row.
pub(super) fn row_id(server: &str) -> String {
    format!("server-{server}")
}

/// All parts that change.
pub(super) fn parts(state: &PageState) -> Vec<Part> {
    let mut parts = vec![part("summary", |html| summary(html, &state.summary))];
    parts.extend(state.servers.iter().map(|server| {
        let mut html = Html::default();
        servers::row(&mut html, server, state.time);
        Part { id: row_id(&server.id), html: html.into_text() }
    }));
    parts.push(part("flow", |html| pipeline::flow(html, &state.pipeline)));
    parts.push(part("needs", |html| pipeline::needs(html, state)));
    parts.push(part("programs", |html| pipeline::programs(html, &state.programs, state.time)));
    parts
}

/// The title of the window.
pub(super) fn title(state: &PageState) -> String {
    format!("{} · Footman", state.summary.title)
}

/// The whole page.
pub(super) fn document(state: &PageState) -> String {
    let mut html = Html::default();
    let ProgramName { process, instance, version } = &state.program;
    html.raw("<!doctype html>\n<html lang=\"en\" data-version=\"").text(version);
    html.raw("\" data-time=\"").text(state.time).raw("\" data-level=\"");
    html.raw(state.summary.level.name()).raw("\" data-dense=\"").text(ROWS_ON_A_SCREEN);
    html.raw("\">\n<head>\n<meta charset=\"utf-8\">\n<title>").text(title(state));
    html.raw("</title>\n")
        .raw(HEAD)
        .raw("<link id=\"icon\" rel=\"icon\" type=\"image/svg+xml\" href=\"assets/");
    html.raw(state.summary.level.name())
        .raw(".svg\">\n</head>\n<body>\n<header>\n<h1>Qlik Sense site, seen by ");
    html.text(process).raw(" on ").text(instance).raw("</h1>\n<p id=\"live\">Values of ");
    html.text(numbers::clock(state.time, state.time)).raw("</p>\n</header>\n").raw(LOST);
    let mut parts = parts(state).into_iter();
    let mut rows = Html::default();
    let mut others = Html::default();
    for part in parts.by_ref() {
        match part.id.as_str() {
            "summary" => drop(html.raw(&part.html).raw("\n<main>\n")),
            "flow" => drop(others.raw("<h2>Pipeline</h2>\n").raw(&part.html).raw("\n")),
            "needs" => drop(others.raw("<h2>What it depends on</h2>\n").raw(&part.html).raw("\n")),
            "programs" => drop(others.raw(PROGRAMS).raw(&part.html).raw("\n</table>\n")),
            _row => drop(rows.raw(&part.html).raw("\n")),
        }
    }
    let dense = if state.servers.len() > ROWS_ON_A_SCREEN { " dense" } else { "" };
    html.raw("<h2 id=\"servers\">Servers</h2>\n<table class=\"site").raw(dense);
    html.raw(SERVERS).raw(&rows.into_text()).raw("</tbody>\n</table>\n").raw(&others.into_text());
    html.raw("</main>\n<footer>Footman ").text(version).raw(FOOTER);
    html.into_text()
}

fn part(id: &str, render: impl FnOnce(&mut Html)) -> Part {
    let mut html = Html::default();
    render(&mut html);
    Part { id: id.to_owned(), html: html.into_text() }
}

fn summary(html: &mut Html, summary: &Summary) {
    html.raw("<div id=\"summary\" class=\"").raw(summary.level.name()).raw("\">");
    mark(html, summary.level);
    html.raw("<div><span id=\"words\">").text(&summary.words).raw("</span>");
    if !summary.besides.is_empty() {
        html.raw("<small>").text(summary.besides.join(" ")).raw("</small>");
    }
    html.raw("</div></div>");
}

/// The sign of a level: a shape besides the colour.
fn mark(html: &mut Html, level: Level) {
    let sign = match level {
        Level::Good => "✓",
        Level::Idle => "–",
        Level::Warn => "!",
        Level::Bad => "✕",
    };
    html.raw("<span class=\"mark\" aria-hidden=\"true\">").raw(sign).raw("</span>");
}

/// A moment, which scripts turn into how long ago it was.
fn moment(html: &mut Html, moment: Timestamp, now: Timestamp) {
    html.raw("<time datetime=\"").text(moment.to_seconds()).raw("\">");
    html.text(numbers::clock(moment, now)).raw("</time>");
}

/// Since when something lasts, which scripts turn into how long.
fn since(html: &mut Html, moment: Timestamp, now: Timestamp) {
    html.raw("<time class=\"since\" datetime=\"").text(moment.to_seconds()).raw("\">since ");
    html.text(numbers::clock(moment, now)).raw("</time>");
}

const HEAD: &str = "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<link rel=\"stylesheet\" href=\"assets/page.css\">
<script src=\"assets/page.js\" defer></script>
";
const LOST: &str = "<div id=\"lost\" role=\"alert\" hidden>No connection to Footman since <span \
id=\"lost-since\"></span>: the values below are old. It is tried again every few seconds. \
<a href=\"./\">Load the page again</a></div>
<p id=\"news\" class=\"unseen\" role=\"status\" aria-live=\"polite\"></p>
";
// The roles are those that the elements have anyway; some browsers drop them with another display.
const SERVERS: &str = "\" role=\"table\" aria-labelledby=\"servers\">
<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" scope=\"col\">Server</th>\
<th role=\"columnheader\" scope=\"col\">State</th><th role=\"columnheader\" scope=\"col\">CPU, last hour</th>\
<th role=\"columnheader\" scope=\"col\">Memory</th><th role=\"columnheader\" scope=\"col\">Engine sessions</th>\
<th role=\"columnheader\" scope=\"col\">Proxy sessions</th><th role=\"columnheader\" scope=\"col\">Apps</th>\
<th role=\"columnheader\" scope=\"col\">Last poll</th></tr></thead>
<tbody id=\"rows\" role=\"rowgroup\">
";
const PROGRAMS: &str = "<h2 id=\"heard\">Programs on the bus</h2>
<table class=\"programs\" role=\"table\" aria-labelledby=\"heard\">
<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" scope=\"col\">Program</th>\
<th role=\"columnheader\" scope=\"col\">State</th><th role=\"columnheader\" scope=\"col\">Last beat</th>\
<th role=\"columnheader\" scope=\"col\">Waiting</th><th role=\"columnheader\" scope=\"col\">Stored</th>\
<th role=\"columnheader\" scope=\"col\">Memory</th><th role=\"columnheader\" scope=\"col\">Version</th></tr></thead>
";
const FOOTER: &str = " · <a href=\"api/state\">these values as JSON</a> · <a href=\"readyz\">readiness</a> · \
<a href=\"metrics\">metrics</a>
<noscript><p>Scripts are off: the page shows the values of its loading. Load it again for new ones.</p></noscript>
</footer>
</body>
</html>
";
