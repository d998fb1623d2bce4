//! Ticks: soon after the start, in rhythm whatever the neighbours do, one outcome each.

use std::collections::BTreeMap;

use shared::envelope::Envelope;
use shared::event::{Category, Event, Poll};
use simulator::{Endpoint, Fault};
use tokio::time::Instant;

use crate::house::{Running, SECOND, config, failed, site};

#[tokio::test(flavor = "multi_thread")]
async fn every_source_tells_within_seconds_and_health_carries_names() {
    let site = site(2).await;
    let start = Instant::now();
    let mut running = Running::start(config(&site, 30 * SECOND)).await;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = 0;
    for _event in 0..7 {
        let envelope = running.next(|_| true).await;
        assert!(failed(&envelope).is_none(), "{envelope:?}");
        *kinds.entry(envelope.event.kind().name()).or_default() += 1;
        if let Event::Health(health) = &envelope.event {
            named += health.apps.in_memory.iter().filter(|app| app.name.is_some()).count();
            assert_eq!(health.apps.in_memory.len(), health.health.apps.in_memory_docs.len());
        }
        if let Event::AppNames(names) = &envelope.event {
            assert!(names.full);
            assert_eq!((names.part, names.parts), (1, 1));
            assert!(names.apps.len() > 50 && names.apps.iter().all(|app| app.change.is_none()));
        }
    }
    assert!(start.elapsed() < 8 * SECOND, "{:?}", start.elapsed());
    let expected = [("app-names", 1), ("health", 2), ("sessions", 4)];
    assert_eq!(kinds, BTreeMap::from(expected));
    assert!(named > 0, "no app has a name");
    running.stop().await;
}

/// The poll of an event, with its endpoint.
fn poll(envelope: &Envelope) -> Option<(String, &Poll, u64)> {
    match &envelope.event {
        Event::Health(health) => Some((format!("health {}", health.server.name), &health.poll, 1)),
        Event::Sessions(sessions) => {
            let name = format!("sessions {} {}", sessions.server.name, sessions.virtual_proxy);
            Some((name, &sessions.poll, 1))
        }
        Event::AppNames(names) => Some(("app-names".to_owned(), &names.poll, 1)),
        Event::FailedPoll(failed) => {
            let source = failed.source.name();
            let name = match &failed.virtual_proxy {
                Some(virtual_proxy) => format!("{source} {} {virtual_proxy}", failed.server.name),
                None if source == "app-names" => source.to_owned(),
                None => format!("{source} {}", failed.server.name),
            };
            Some((name, &failed.poll, failed.ticks))
        }
        Event::Heartbeat(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eighteen_of_twenty_keep_their_rhythm() {
    const INTERVAL_MS: u128 = 1_000;
    let site = site(20).await;
    for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
        site.set_fault(7, endpoint, Some(Fault::Hang)).await.unwrap();
        site.set_fault(11, endpoint, Some(Fault::Refused)).await.unwrap();
    }
    let (hanging, dead) = (site.servers()[7].name(), site.servers()[11].name());
    let mut config = config(&site, SECOND);
    config.collector.max_concurrent_polls = 8;
    let mut running = Running::start(config).await;
    let metrics = std::sync::Arc::clone(&running.metrics);
    // Six rounds of twenty servers with three endpoints each, and the repository.
    running.next(|_| metrics.ticks_ended() >= 6 * 61).await;
    running.stop().await;

    let mut ticks: BTreeMap<String, Vec<(i64, u64, Option<Category>)>> = BTreeMap::new();
    for envelope in running.all().await {
        let Some((endpoint, poll, number)) = poll(&envelope) else { continue };
        let category = failed(&envelope).map(|failed| failed.category.clone());
        if category.is_none() {
            let late = envelope.time.since(poll.scheduled);
            assert!(late < SECOND / 2, "{endpoint} was {late:?} late");
        }
        ticks.entry(endpoint).or_default().push((poll.scheduled.nanos(), number, category));
    }
    assert_eq!(ticks.len(), 61);
    for (endpoint, mut outcomes) in ticks {
        outcomes.sort_by_key(|(scheduled, ..)| *scheduled);
        for (_, _, category) in &outcomes {
            match category {
                None => assert!(!endpoint.contains(hanging) && !endpoint.contains(dead)),
                Some(category) if endpoint.contains(&format!(" {hanging}")) => assert!(
                    [Category::TIMEOUT, Category::SKIPPED, Category::INTERRUPTED]
                        .contains(category)
                ),
                Some(category) if endpoint.contains(&format!(" {dead}")) => {
                    assert_eq!(*category, Category::CONNECTION_REFUSED);
                }
                Some(category) => panic!("{endpoint} failed: {category:?}"),
            }
        }
        // One outcome for each tick: none is missing between the first and the last.
        for pair in outcomes.windows(2) {
            let gap = u128::try_from(pair[1].0 - pair[0].0).unwrap() / 1_000_000;
            let expected = u128::from(pair[0].1) * INTERVAL_MS;
            assert!(gap.abs_diff(expected) < 100, "{endpoint}: {gap} ms between two outcomes");
        }
    }
}
