//! What Qlik Sense answers: any bytes become events that everybody can read, or a failed poll.

use bytes::Bytes;
use collector::fuzzing::{Answers, EXCLUDED, Refused};
use shared::envelope::{Envelope, MAX_EVENT_BYTES};
use shared::event::{AppNames, Category, Event, Health, Sessions, Source};
use shared::timestamp::Timestamp;

use crate::envelope::check_encoded;
use crate::reading::check_lines;

/// More than any machine has, in MB; and more load than it shows, in percent.
const ABSURD_MEMORY: f64 = 1_048_576.0 * 1_048_576.0;
const ABSURD_LOAD: f64 = 100_000.0;
/// Names for some of the apps in the corpus.
const APPS: &[u8] = br#"[{"id":"8b6a","name":"Sales \"EMEA\", \\ & more\\"},{"id":"a","name":""}]"#;

/// The engine's health check.
pub fn health(body: &[u8]) {
    let answers = Answers::of(Source::Health).unwrap();
    answers.learn(APPS);
    let Some(events) = read(&answers, body) else { return };
    assert_eq!(events.len(), 1);
    let Event::Health(event) = &events[0].event else { panic!("{:?}", events[0]) };
    check_health(event);
}

fn check_health(event: &Health) {
    let health = &event.health;
    let memory =
        [health.mem.committed, health.mem.allocated, health.mem.free, health.mem.total_physical];
    for number in memory.into_iter().flatten() {
        assert!((0.0..=ABSURD_MEMORY).contains(&number), "memory {number}");
    }
    let load = health.cpu.total.unwrap_or_default();
    assert!((0.0..=ABSURD_LOAD).contains(&load), "load {load}");
    let counters = [
        health.session.active,
        health.session.total,
        health.users.active,
        health.users.total,
        health.apps.calls,
        health.apps.selections,
        health.cache.hits,
        health.cache.lookups,
        health.cache.added,
        health.cache.replaced,
        health.cache.bytes_added,
    ];
    assert!(counters.iter().flatten().all(|counter| *counter >= 0), "{counters:?}");
    for (ids, apps) in [
        (&health.apps.active_docs, &event.apps.active),
        (&health.apps.loaded_docs, &event.apps.loaded),
        (&health.apps.in_memory_docs, &event.apps.in_memory),
    ] {
        assert!(ids.iter().eq(apps.iter().map(|app| &app.id)));
    }
}

/// The proxy's session list, of which one user is left out.
pub fn sessions(body: &[u8]) {
    let answers = Answers::of(Source::Sessions).unwrap();
    let Some(events) = read(&answers, body) else { return };
    let parts: Vec<&Sessions> = events
        .iter()
        .map(|envelope| match &envelope.event {
            Event::Sessions(event) => event,
            other => panic!("{other:?}"),
        })
        .collect();
    check_parts(parts.iter().map(|part| (part.part, part.parts)));
    let first = parts[0];
    let listed: usize = parts.iter().map(|part| part.sessions.len()).sum();
    for part in &parts {
        assert!(part.sessions.len() <= 1_000);
        assert_eq!(part.session_count, first.session_count);
        assert_eq!(part.session_count, listed as u64 + part.excluded_session_count);
        assert!(part.user_count <= listed as u64);
        assert_eq!(part.users.is_some(), part.part == 1 && part.parts > 1);
        for session in &part.sessions {
            let user_id = session.user_id.as_deref().unwrap_or_default();
            let excluded = session.user_directory.eq_ignore_ascii_case(EXCLUDED.0)
                && user_id.eq_ignore_ascii_case(EXCLUDED.1);
            assert!(!excluded, "{session:?}");
        }
    }
}

/// The repository's list of apps, told twice: the second time there is nothing new.
pub fn app_names(body: &[u8]) {
    let answers = Answers::of(Source::AppNames).unwrap();
    let Some(events) = read(&answers, body) else { return };
    let parts: Vec<&AppNames> = events.iter().map(app_names_of).collect();
    check_parts(parts.iter().map(|part| (part.part, part.parts)));
    assert!(parts.iter().all(|part| part.full && part.apps.len() <= 500));
    let mut ids: Vec<&str> = parts.iter().flat_map(|part| &part.apps).map(|app| &*app.id).collect();
    ids.sort_unstable();
    let listed = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), listed, "an app that is listed twice");

    let again = read(&answers, body).expect("the same answer is read again");
    let again: Vec<&AppNames> = again.iter().map(app_names_of).collect();
    assert_eq!(again.len(), 1);
    assert!(!again[0].full && again[0].parts == 1, "{again:?}");
    // Of an id that is listed twice under different names, the last name counts.
    let renamed = again[0].apps.iter().all(|app| app.change.is_some());
    assert!(renamed && again[0].apps.len() <= listed);
}

fn app_names_of(envelope: &Envelope) -> &AppNames {
    match &envelope.event {
        Event::AppNames(event) => event,
        other => panic!("{other:?}"),
    }
}

fn check_parts(parts: impl ExactSizeIterator<Item = (u32, u32)>) {
    let count = u32::try_from(parts.len()).unwrap();
    assert!(count > 0, "an answer without an event");
    assert!(parts.eq((1..=count).map(|part| (part, count))));
}

/// The events of an answer, after everything that must hold for each.
fn read(answers: &Answers, body: &[u8]) -> Option<Vec<Envelope>> {
    let events = match answers.events(body) {
        Ok(events) => events,
        Err(Refused::TooLarge) => return None,
        Err(Refused::Unusable { category, message }) => {
            assert!([Category::UNEXPECTED_BODY, Category::DECODE].contains(&category));
            assert!(!message.is_empty() && message.len() < 200, "{message}");
            return None;
        }
    };
    Some(events.iter().zip(1..).map(|(event, sequence)| decoded(event, sequence)).collect())
}

fn decoded(event: &Bytes, sequence: u64) -> Envelope {
    assert!(event.len() <= MAX_EVENT_BYTES);
    let envelope = Envelope::decode(event).unwrap();
    assert_eq!(envelope.sequence, Some(sequence));
    assert_eq!(envelope.subject, "sense1");
    assert_eq!(envelope.time, Timestamp::parse("2026-11-21T08:15:30.123456789Z").unwrap());
    check_encoded(&envelope, event);
    check_lines(&envelope);
    envelope
}
