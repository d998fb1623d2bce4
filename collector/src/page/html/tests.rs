use std::time::Duration;

use super::*;
use crate::page::state::tests::{answering, fails, now, page, row, unknown};
use crate::page::state::{Pipeline, ProgramRow};

/// The texts that a reader sees, without markup.
fn seen(html: &str) -> String {
    let mut texts = String::new();
    for part in html.split('<').skip(1) {
        texts.push_str(part.split_once('>').map_or("", |(_, text)| text));
        texts.push(' ');
    }
    texts.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_snapshot_has_the_values() {
    let mut failing = answering("sense2", false, &[]);
    fails(failing.health.as_mut().unwrap(), "nothing listens at sense2:4747");
    let servers = vec![row(&failing, false), row(&answering("sense1", false, &[]), false)];
    let html = document(&page(servers));
    assert!(html.contains("<title>1 failing · Footman</title>"), "{html}");
    assert!(html.contains("href=\"assets/bad.svg\""));
    let seen = seen(&html);
    for text in [
        "Qlik Sense site, seen by footman on host1 Values of 12:30:00 UTC",
        "1 of 2 servers are fine: 1 failing.",
        "sense2 Central node failing 7 %",
        "23.4 of 64.0 GiB · 12.0 free 37 %",
        "12 · 9 users",
        "/ 31 · 27 users /hdr 31 · 27 users",
        "12:30:00 UTC · 12 ms",
        "Health failing since 12:27:00 UTC : nothing listens at sense2:4747 (connection refused, 6 polls)",
        "Scripts are off",
    ] {
        assert!(seen.contains(text), "{text:?} is not in:\n{seen}");
    }
}

#[test]
fn names_are_texts_whatever_is_in_them() {
    let long = "x".repeat(200);
    let hurting = [
        "<script>alert(1)</script>",
        "\"onmouseover=\"alert(1)",
        "'><img src=x onerror=alert(1)>",
        "</title><svg/onload=alert(1)>",
        "Umsätze 🎉 & more",
        long.as_str(),
    ];
    for name in hurting {
        let mut said = answering(name, true, &[name]);
        fails(&mut said.sessions[0], name);
        let mut page = page(vec![row(&said, true)]);
        page.program.instance = name.to_owned();
        page.program.process = name.to_owned();
        page.summary.words = name.to_owned();
        page.summary.title = name.to_owned();
        page.programs = vec![program(name)];
        let html = document(&page);
        let ours = ["<script src=\"assets/page.js\" defer></script>", "<noscript>"];
        let rest = ours.iter().fold(html.clone(), |rest, own| rest.replace(own, ""));
        for markup in ["<script", "<img", "onmouseover=\"", "<svg/"] {
            assert!(!rest.contains(markup), "{name}: {markup} in {html}");
        }
        let escaped = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let escaped = escaped.replace('"', "&quot;").replace('\'', "&#39;");
        assert!(html.contains(&format!("<b>{escaped}</b>")), "{name} is not in {html}");
    }
}

fn program(name: &str) -> ProgramRow {
    ProgramRow {
        process: name.to_owned(),
        instance: name.to_owned(),
        version: name.to_owned(),
        connected: true,
        honest: false,
        why: Some(name.to_owned()),
        last_beat: now().minus(Duration::from_hours(30)),
        started: now(),
        resident_mib: 40,
        published: None,
        confirmed: None,
        outbox: Some(1_234),
        backlog: None,
        oldest_unwritten_s: None,
        stored: None,
        dead_lettered: None,
        lost: None,
    }
}

#[test]
fn users_are_in_the_page_where_they_are_in_the_state() {
    let said = answering("sense1", false, &["LAB\\anna"]);
    assert!(
        document(&page(vec![row(&said, true)])).contains("<li>LAB\\anna</li><li>and 26 more</li>")
    );
    assert!(!document(&page(vec![row(&said, false)])).contains("anna"));
}

#[test]
fn a_part_changes_only_with_what_it_shows() {
    let first = page(vec![row(&answering("a", false, &[]), false), row(&unknown("b"), false)]);
    let mut second = first.clone();
    second.time = first.time.plus(Duration::from_secs(5));
    assert_eq!(parts(&first), parts(&second), "time alone changes nothing");
    second.servers[1] = row(&answering("b", false, &[]), false);
    second.pipeline = Pipeline { polls: 1_234, dead_lettered: Some(2), ..first.pipeline };
    let (before, after) = (parts(&first), parts(&second));
    let changed: Vec<&str> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .map(|(part, _)| part.id.as_str())
        .collect();
    assert_eq!(changed, ["server-b", "flow"]);
    assert!(after.iter().any(|part| part.html.contains("<b class=\"warn\">2</b>")));
}

#[test]
fn many_servers_are_tiles() {
    let servers = |number: usize| -> Vec<_> {
        (0..number).map(|number| row(&unknown(&format!("s{number}")), false)).collect()
    };
    assert!(!document(&page(servers(ROWS_ON_A_SCREEN))).contains("site dense"));
    let html = document(&page(servers(ROWS_ON_A_SCREEN + 1)));
    assert!(html.contains("class=\"site dense\""));
}
