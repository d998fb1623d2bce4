//! The row of a server.

use shared::timestamp::Timestamp;

use super::escape::Html;
use super::numbers::{UNKNOWN, count, gib, percent};
use super::{mark, moment, row_id, since, sparkline};
use crate::page::state::{ProxyRow, ServerRow, Trouble};

/// Writes the row.
pub(super) fn row(html: &mut Html, server: &ServerRow, now: Timestamp) {
    html.raw("<tr role=\"row\" id=\"").text(row_id(&server.id)).raw("\" class=\"");
    html.raw(server.level.name()).raw("\">");
    name(html, server);
    html.raw("<td role=\"cell\" class=\"state\" data-label=\"State\"><span class=\"word\">");
    html.text(&server.words).raw("</span></td>");
    cell(html, "cpu", "CPU, last hour");
    html.raw("<span>")
        .text(server.cpu_percent.map_or_else(|| UNKNOWN.to_owned(), percent))
        .raw("</span>");
    sparkline::cpu(html, &server.cpu_history);
    html.raw("</td>");
    memory(html, server);
    cell(html, "engine", "Engine sessions");
    html.text(count(server.engine_sessions)).raw("<small> · ").text(count(server.engine_users));
    html.raw(" users</small></td>");
    cell(html, "proxy", "Proxy sessions");
    if server.proxies.is_empty() {
        html.raw(UNKNOWN);
    }
    for proxy in &server.proxies {
        sessions(html, proxy, server.proxies.len());
    }
    html.raw("</td>");
    apps(html, server);
    cell(html, "poll", "Last poll");
    match server.last_poll {
        Some(last) => moment(html, last, now),
        None => drop(html.raw(UNKNOWN)),
    }
    if let Some(took) = server.last_poll_ms {
        html.raw("<small> · ").text(count(Some(took))).raw(" ms</small>");
    }
    html.raw("</td>");
    if !server.failing.is_empty() {
        html.raw("<td role=\"cell\" class=\"why\">");
        for trouble in &server.failing {
            why(html, trouble, now);
        }
        html.raw("</td>");
    }
    html.raw("</tr>");
}

fn cell(html: &mut Html, class: &str, label: &str) {
    html.raw("<td role=\"cell\" class=\"").raw(class).raw("\" data-label=\"").raw(label).raw("\">");
}

fn name(html: &mut Html, server: &ServerRow) {
    html.raw("<th role=\"rowheader\" scope=\"row\" class=\"name\">");
    mark(html, server.level);
    let tags = server.tags.iter().map(|(name, value)| format!("{name}: {value}"));
    let told: Vec<String> = [&server.name, &server.host].into_iter().cloned().chain(tags).collect();
    html.raw("<span title=\"").text(told.join(" · ")).raw("\"><b>").text(&server.name).raw("</b>");
    if !server.description.is_empty() {
        html.raw("<small>").text(&server.description).raw("</small>");
    }
    html.raw("</span></th>");
}

fn memory(html: &mut Html, server: &ServerRow) {
    cell(html, "mem", "Memory");
    let physical = server.memory_physical_mib.filter(|physical| *physical > 0.0);
    html.raw("<span class=\"long\">");
    match (server.memory_committed_mib, physical) {
        (Some(committed), Some(physical)) => {
            html.text(gib(committed)).raw(" of ").text(gib(physical)).raw(" GiB");
        }
        (Some(committed), None) => drop(html.text(gib(committed)).raw(" GiB")),
        (None, _) => drop(html.raw(UNKNOWN)),
    }
    html.raw("</span>");
    if let Some(free) = server.memory_free_mib {
        html.raw("<small> · ").text(gib(free)).raw(" free</small>");
    }
    // What a tile has room for; elsewhere it is what the bar draws.
    html.raw("<span class=\"unseen short\"> ");
    match (server.memory_committed_mib, physical) {
        (Some(committed), Some(physical)) => {
            let used = (100.0 * committed / physical).clamp(0.0, 100.0);
            html.text(percent(used)).raw("</span>");
            sparkline::bar(html, used);
        }
        (Some(committed), None) => drop(html.text(gib(committed)).raw(" GiB</span>")),
        (None, _) => drop(html.raw(UNKNOWN).raw("</span>")),
    }
    html.raw("</td>");
}

fn sessions(html: &mut Html, proxy: &ProxyRow, proxies: usize) {
    html.raw("<div><span>");
    if proxies > 1 || proxy.virtual_proxy != "/" {
        html.raw("<small>").text(&proxy.virtual_proxy).raw(" </small>");
    }
    html.text(count(proxy.sessions))
        .raw("<small> · ")
        .text(count(proxy.users))
        .raw(" users</small>");
    html.raw("</span>");
    if let Some(names) = proxy.user_names.as_ref().filter(|names| !names.is_empty()) {
        html.raw("<details><summary>who").raw("<span class=\"unseen\"> is at ");
        html.text(&proxy.virtual_proxy).raw("</span></summary><ul>");
        for name in names {
            html.raw("<li>").text(name).raw("</li>");
        }
        let shown = u64::try_from(names.len()).unwrap_or(u64::MAX);
        let more = proxy.users.unwrap_or(0).saturating_sub(shown);
        if more > 0 {
            html.raw("<li>and ").text(count(Some(more))).raw(" more</li>");
        }
        html.raw("</ul></details>");
    }
    html.raw("</div>");
}

fn apps(html: &mut Html, server: &ServerRow) {
    cell(html, "apps", "Apps");
    let of = |number: Option<usize>| count(number.and_then(|number| u64::try_from(number).ok()));
    let (active, loaded) = (of(server.apps_active), of(server.apps_loaded));
    let in_memory = of(server.apps_in_memory);
    html.raw("<span title=\"active / loaded / in memory\">")
        .text(&active)
        .raw("<span class=\"unseen\"> active,</span> / ");
    html.text(&loaded).raw("<span class=\"unseen\"> loaded,</span> / ").text(&in_memory);
    html.raw("<span class=\"unseen\"> in memory</span></span></td>");
}

fn why(html: &mut Html, trouble: &Trouble, now: Timestamp) {
    html.raw("<span><b class=\"bad\">");
    match &trouble.virtual_proxy {
        Some(proxy) => drop(html.raw("Sessions of ").text(proxy)),
        None => drop(html.raw("Health")),
    }
    html.raw(" failing ");
    since(html, trouble.since, now);
    html.raw(":</b> ").text(&trouble.message);
    html.raw(" <small>(").text(trouble.category.replace('_', " ")).raw(", ");
    html.text(count(Some(trouble.ticks))).raw(if trouble.ticks == 1 { " poll" } else { " polls" });
    html.raw(")</small></span>");
}
