//! Nodes that are added, removed and changed while the collector runs: no tick is lost or doubled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use collector::Said;
use shared::envelope::Envelope;
use shared::event::{Event, Poll};
use simulator::{Endpoint, Fault, Site};

use crate::discovery::reachable;
use crate::house::{Running, SECOND, discovering, eventually, failed, is_health, open};

const INTERVAL: Duration = SECOND;
const INTERVAL_MS: u128 = INTERVAL.as_millis();

/// One outcome of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    /// The tick, in nanoseconds.
    scheduled: i64,
    /// When the request was sent, in nanoseconds.
    sent: i64,
    /// When its outcome was known, in nanoseconds.
    ended: i64,
    ticks: u64,
}

/// The endpoint of an event, with its outcome.
fn outcome(envelope: &Envelope) -> Option<(String, Outcome)> {
    let of = |poll: &Poll, ticks| {
        let sent = envelope.time.nanos();
        let ended = sent + i64::try_from(poll.duration_ms).unwrap() * 1_000_000;
        Outcome { scheduled: poll.scheduled.nanos(), sent, ended, ticks }
    };
    match &envelope.event {
        Event::Health(one) => Some((format!("health {}", one.server.name), of(&one.poll, 1))),
        Event::Sessions(one) => {
            let name = format!("sessions {} {}", one.server.name, one.virtual_proxy);
            Some((name, of(&one.poll, 1)))
        }
        Event::FailedPoll(one) => {
            let proxy = one.virtual_proxy.as_ref().map(|proxy| format!(" {proxy}"));
            let name = format!("{} {}", one.source.name(), one.server.name);
            Some((name + &proxy.unwrap_or_default(), of(&one.poll, one.ticks)))
        }
        _ => None,
    }
}

/// Outcomes by endpoint, in the order of their ticks.
fn outcomes(all: &[Envelope]) -> BTreeMap<String, Vec<Outcome>> {
    let mut by_endpoint: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    for (endpoint, outcome) in all.iter().filter_map(outcome) {
        by_endpoint.entry(endpoint).or_default().push(outcome);
    }
    for outcomes in by_endpoint.values_mut() {
        outcomes.sort_unstable();
    }
    by_endpoint
}

/// One outcome for each tick: none is missing or doubled between the first and the last.
fn assert_rhythm(endpoint: &str, outcomes: &[Outcome]) {
    for (one, next) in outcomes.iter().zip(outcomes.iter().skip(1)) {
        let gap = u128::try_from(next.scheduled - one.scheduled).unwrap() / 1_000_000;
        let expected = u128::from(one.ticks) * INTERVAL_MS;
        assert!(gap.abs_diff(expected) < 100, "{endpoint}: {gap} ms between two outcomes");
    }
}

/// No tick has two outcomes, and no two polls of one endpoint overlap.
fn assert_apart(endpoint: &str, outcomes: &[Outcome]) {
    for (one, next) in outcomes.iter().zip(outcomes.iter().skip(1)) {
        assert!(one.scheduled < next.scheduled, "{endpoint}: {one:?} {next:?} of one tick");
        assert!(one.ended <= next.sent, "{endpoint}: {one:?} was open at {next:?}");
    }
}

/// Every answer that the site gave whole has its event, but for those that came after the timeout,
/// whose polls failed.
fn assert_books(site: &Site, all: &[Envelope]) {
    let mut told: BTreeMap<(String, String), u64> = BTreeMap::new();
    for envelope in all {
        let answer = match &envelope.event {
            Event::Health(one) => {
                let calls = one.health.apps.calls.unwrap().to_string();
                (one.server.host.clone(), calls)
            }
            Event::Sessions(one) => (one.host.clone(), one.virtual_proxy.clone()),
            _ => continue,
        };
        *told.entry(answer).or_default() += 1;
    }
    let mut given: BTreeMap<(String, String), u64> = BTreeMap::new();
    for entry in site.ledger().entries().iter().filter(|entry| entry.status == 200) {
        let what = match (entry.facts.health(), &entry.virtual_proxy) {
            (Some(health), _) => health.calls.to_string(),
            (None, Some(proxy)) => proxy.to_string(),
            (None, None) => continue,
        };
        *given.entry((entry.host.to_string(), what)).or_default() += 1;
    }
    let failures = all.iter().filter(|envelope| failed(envelope).is_some()).count() as u64;
    let mut unheard = 0;
    for (answer, number) in &given {
        let heard = told.get(answer).copied().unwrap_or(0);
        assert!(heard <= *number, "{answer:?} was given {number} times and told {heard} times");
        unheard += number - heard;
    }
    assert!(unheard <= failures, "{unheard} answers have no event, and {failures} polls failed");
    let invented: Vec<_> = told.keys().filter(|answer| !given.contains_key(*answer)).collect();
    assert!(invented.is_empty(), "{invented:?} were never given");
}

fn health_of(server: &str) -> impl Fn(&Envelope) -> bool + '_ {
    move |envelope| is_health(envelope) && envelope.subject == server
}

fn shown(running: &Running) -> BTreeSet<String> {
    let server = |said: Said| match said {
        Said::Health(health) => health.server.name.clone(),
        Said::Sessions(totals) => format!("{} {}", totals.server.name, totals.virtual_proxy),
    };
    running.latest.answers().into_iter().map(|answer| server(answer.said)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tick_has_one_outcome_through_all_changes() {
    let site = reachable(4).await;
    site.change_listed(3, |node| node.listed = false).unwrap();
    let mut running = Running::start(discovering(&site, INTERVAL, "{}", "[]")).await;
    for server in ["sense1", "sense2", "sense3"] {
        running.next(health_of(server)).await;
    }
    // The last place of the first round, and then into the second, so that a schedule that began
    // anew would not begin at the same place.
    eventually(|| shown(&running).contains("sense3 /sales/emea")).await;
    running.next(health_of("sense2")).await;

    // One comes, one goes, one moves to the other's host, one loses a virtual proxy.
    let moved = site.servers()[1].address().to_string();
    site.change_listed(3, |node| node.listed = true).unwrap();
    site.change_listed(1, |node| node.listed = false).unwrap();
    site.change_listed(0, |node| node.host_name.clone_from(&moved)).unwrap();
    site.change_listed(2, |node| node.virtual_proxies.retain(|proxy| proxy != "/hdr")).unwrap();
    running.next(health_of("sense4")).await;
    let host = format!("{moved}:14747");
    let is_moved = |envelope: &Envelope| {
        let Event::Health(health) = &envelope.event else { return false };
        health.server.name == "sense1" && health.server.host == host
    };
    running.next(is_moved).await;
    eventually(|| {
        let shown = shown(&running);
        !shown.contains("sense2") && !shown.contains("sense3 /hdr") && shown.contains("sense4 /hdr")
    })
    .await;
    assert_eq!(running.metrics.discovery().servers(), 3);
    running.next(is_moved).await;
    running.next(health_of("sense4")).await;
    running.stop().await;

    let all = running.all().await;
    let by_endpoint = outcomes(&all);
    // Four servers with three virtual proxies each.
    assert_eq!(by_endpoint.len(), 4 * (1 + 3), "{:?}", by_endpoint.keys());
    for (endpoint, outcomes) in &by_endpoint {
        assert_rhythm(endpoint, outcomes);
        assert_apart(endpoint, outcomes);
    }
    assert_books(&site, &all);
    let directory = running.kill();
    assert_eq!(open(directory.path(), 1 << 30).await.open_ticks(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_and_comes_back_while_its_poll_is_open_is_polled_once() {
    let site = reachable(2).await;
    let mut running = Running::start(discovering(&site, INTERVAL, "{}", "[]")).await;
    running.next(health_of("sense2")).await;
    site.set_fault(1, Endpoint::Engine, Some(Fault::Hang)).await.unwrap();
    let requests = || site.traffic(1, Endpoint::Engine).unwrap().requests;
    let before = requests();
    eventually(|| requests() > before).await;
    let metrics = std::sync::Arc::clone(&running.metrics);
    site.change_listed(1, |node| node.listed = false).unwrap();
    eventually(|| metrics.discovery().servers() == 1).await;
    site.change_listed(1, |node| node.listed = true).unwrap();
    // The poll that was open ends with its own outcome, and settles its own mark.
    running.next_failed(|failed| failed.server.name == "sense2").await;
    site.clear_faults().await.unwrap();
    running.next(health_of("sense2")).await;
    assert_eq!(metrics.discovery().servers(), 2);
    running.stop().await;
    let all = running.all().await;
    for (endpoint, outcomes) in outcomes(&all) {
        assert_apart(&endpoint, &outcomes);
    }
    assert_books(&site, &all);
    let directory = running.kill();
    assert_eq!(open(directory.path(), 1 << 30).await.open_ticks(), []);
}
