use std::sync::Arc;
use std::time::Duration;

use shared::event::{
    Category, Counters, EngineHealth, Event, Health, Heartbeat, Memory, Poll, ProcessMemory,
    Server, Source,
};
use shared::heartbeat::{Heard, HeardProgram};
use shared::readiness::Readiness;

use super::*;
use crate::latest::{
    EndpointState, FailingSince, LastAnswer, LastPoll, Said, ServerState, SessionTotals,
};
use crate::page::history::History;

const INTERVAL: Duration = Duration::from_secs(30);

pub(in crate::page) fn now() -> Timestamp {
    Timestamp::parse("2026-11-27T12:30:00Z").unwrap()
}

/// A server that was never polled; tests change what they are about.
pub(in crate::page) fn unknown(name: &str) -> ServerState {
    let server = Server {
        name: name.to_owned(),
        description: "Central node".to_owned(),
        host: "sense1:4747".to_owned(),
        tags: [("env".to_owned(), "prod".to_owned())].into(),
    };
    let server = Arc::new(server);
    let endpoint = |source, virtual_proxy: Option<&str>| EndpointState {
        server: Arc::clone(&server),
        source,
        virtual_proxy: virtual_proxy.map(str::to_owned),
        interval: INTERVAL,
        last: None,
        answer: None,
        failing: None,
    };
    ServerState {
        token: shared::subject::Token::new(name).to_string(),
        health: Some(endpoint(Source::Health, None)),
        sessions: vec![
            endpoint(Source::Sessions, Some("/")),
            endpoint(Source::Sessions, Some("/hdr")),
        ],
        server,
    }
}

/// The same that answered.
pub(in crate::page) fn answering(name: &str, saturated: bool, users: &[&str]) -> ServerState {
    let mut said = unknown(name);
    let mut health = EngineHealth { saturated: Some(saturated), ..EngineHealth::default() };
    health.mem = Memory {
        committed: Some(24_000.0),
        allocated: Some(30_000.0),
        free: Some(12_288.0),
        total_physical: Some(65_536.0),
    };
    health.cpu.total = Some(7.4);
    (health.session.total, health.users.total) = (Some(12), Some(9));
    (health.cache.hits, health.cache.lookups) = (Some(1), Some(3));
    health.apps.in_memory_docs = vec!["a".to_owned(), "b".to_owned()];
    let poll = Poll { scheduled: now(), duration_ms: 3, interval_ms: 30_000, bytes: None };
    let server = said.server.as_ref().clone();
    let health = Health { server, poll, health, apps: shared::event::AppLists::default() };
    let answer = |said| LastAnswer::now(said, now(), INTERVAL);
    let last = LastPoll { time: now(), duration: Duration::from_millis(12) };
    let engine = said.health.as_mut().unwrap();
    (engine.last, engine.answer) = (Some(last), Some(answer(Said::Health(Arc::new(health)))));
    for proxy in &mut said.sessions {
        let totals = SessionTotals {
            server: Arc::clone(&said.server),
            virtual_proxy: proxy.virtual_proxy.clone().unwrap(),
            host: "sense1:4243".to_owned(),
            session_count: 31,
            excluded_session_count: 1,
            user_count: 27,
            users: users.iter().map(|&user| user.to_owned()).collect(),
        };
        proxy.answer = Some(answer(Said::Sessions(Arc::new(totals))));
    }
    said
}

pub(in crate::page) fn fails(endpoint: &mut EndpointState, message: &str) {
    endpoint.failing = Some(FailingSince {
        since: now().minus(Duration::from_mins(3)),
        category: Category::CONNECTION_REFUSED,
        message: message.to_owned(),
        ticks: 6,
    });
}

pub(in crate::page) fn row(said: &ServerState, users: bool) -> ServerRow {
    server(said, Showing { now: now(), history: &History::default(), users })
}

/// A page of these servers and nothing else.
pub(in crate::page) fn page(servers: Vec<ServerRow>) -> PageState {
    let (pipeline, programs) = (Pipeline::default(), Vec::new());
    PageState {
        time: now(),
        program: ProgramName {
            process: "footman".to_owned(),
            instance: "host1".to_owned(),
            version: "0.1.0".to_owned(),
        },
        summary: summary(&servers, None, &[], &programs, &pipeline),
        servers,
        repository: None,
        pipeline,
        ready: true,
        dependencies: Vec::new(),
        programs,
    }
}

fn summed(servers: &[ServerRow]) -> (Level, String, String) {
    let summary = summary(servers, None, &[], &[], &Pipeline::default());
    (summary.level, summary.words, summary.title)
}

#[test]
fn states_of_a_server() {
    let state = |said: &ServerState| {
        let row = row(said, false);
        (row.state, row.level, row.words)
    };
    let ok = answering("sense1", false, &[]);
    assert_eq!(state(&unknown("a")), (State::Unknown, Level::Idle, "not polled yet".to_owned()));
    assert_eq!(state(&ok), (State::Ok, Level::Good, "ok".to_owned()));
    let saturated = answering("a", true, &[]);
    assert_eq!(state(&saturated), (State::Saturated, Level::Warn, "saturated".to_owned()));
    let mut partly = ok.clone();
    fails(&mut partly.sessions[1], "nothing listens");
    assert_eq!(state(&partly), (State::Ok, Level::Warn, "ok, sessions fail".to_owned()));
    let mut failing = ok.clone();
    fails(failing.health.as_mut().unwrap(), "nothing listens");
    assert_eq!(state(&failing), (State::Failing, Level::Bad, "failing".to_owned()));
    let trouble = &row(&failing, false).failing[0];
    assert_eq!((trouble.source, trouble.ticks), ("health", 6));
    assert_eq!(trouble.category, "connection_refused");
    // Without an engine its proxies speak for it.
    let mut proxy_only = ServerState { health: None, ..ok };
    assert_eq!(state(&proxy_only).0, State::Ok);
    fails(&mut proxy_only.sessions[0], "nothing listens");
    assert_eq!(state(&proxy_only).1, Level::Bad);
}

#[test]
fn values_and_what_is_missing() {
    let known = row(&answering("sense1", false, &["LAB\\anna"]), false);
    assert_eq!(known.cpu_percent, Some(7.4));
    assert_eq!(
        (known.memory_committed_mib, known.memory_physical_mib),
        (Some(24_000.0), Some(65_536.0))
    );
    assert_eq!((known.engine_sessions, known.engine_users), (Some(12), Some(9)));
    assert_eq!((known.apps_active, known.apps_in_memory), (Some(0), Some(2)));
    assert_eq!((known.cache_hit_percent, known.last_poll_ms), (Some(33.3), Some(12)));
    let [default, hdr] = &known.proxies[..] else { panic!("two proxies: {known:?}") };
    assert_eq!((default.virtual_proxy.as_str(), hdr.sessions), ("/", Some(31)));
    assert_eq!(default.user_names, None, "nobody is named unless that is allowed");
    let unknown = row(&unknown("sense1"), false);
    assert_eq!((unknown.cpu_percent, unknown.apps_active, unknown.last_poll), (None, None, None));
    // Every member is there in JSON, so that whoever reads it knows them all.
    let json = |row: &ServerRow| serde_json::to_value(row).unwrap();
    let (known, unknown) = (json(&known), json(&unknown));
    let members =
        |row: &serde_json::Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&known), members(&unknown));
    assert!(unknown["cpuPercent"].is_null());
}

#[test]
fn users_are_named_where_that_is_allowed() {
    let said = answering("sense1", false, &["LAB\\anna", "LAB\\ben"]);
    let shown = row(&said, true);
    assert_eq!(shown.proxies[0].user_names.as_deref().unwrap(), ["LAB\\anna", "LAB\\ben"]);
    assert!(!serde_json::to_string(&row(&said, false)).unwrap().contains("anna"));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_says_nothing() {
    let said = answering("sense1", false, &[]);
    tokio::time::advance(4 * INTERVAL).await;
    let old = row(&said, false);
    assert_eq!((old.cpu_percent, old.apps_in_memory, old.proxies[0].sessions), (None, None, None));
    assert_eq!(old.last_poll, Some(now()));
}

#[test]
fn the_site_in_a_sentence() {
    let ok = || row(&answering("a", false, &[]), false);
    let mut failing = answering("b", false, &[]);
    fails(failing.health.as_mut().unwrap(), "x");
    let failing = || row(&failing, false);
    let summed = |rows: &[ServerRow]| {
        let (level, words, title) = summed(rows);
        format!("{} | {words} | {title}", level.name())
    };
    assert_eq!(summed(&[]), "idle | No server is polled. | all fine");
    assert_eq!(summed(&[ok()]), "good | The server is fine. | all fine");
    assert_eq!(summed(&[ok(), ok()]), "good | All 2 servers are fine. | all fine");
    assert_eq!(summed(&[failing()]), "bad | The server is failing. | 1 failing");
    let saturated = row(&answering("c", true, &[]), false);
    assert_eq!(
        summed(&[ok(), failing(), saturated, row(&unknown("d"), false)]),
        "bad | 1 of 4 servers are fine: 1 failing, 1 saturated, 1 not polled yet. | 1 failing"
    );
}

fn heard(instance: &str, counters: Counters, age: Duration) -> HeardProgram {
    let beat = Heartbeat {
        process: "writer".to_owned(),
        instance: instance.to_owned(),
        version: "0.1.0".to_owned(),
        started: now(),
        uptime_s: 1,
        honest: true,
        why: None,
        memory: ProcessMemory { resident_bytes: 40 << 20, allocated_bytes: 0 },
        counters,
        uptime_monitor: false,
        settlements: None,
        publications: None,
    };
    HeardProgram { beat, time: now(), age }
}

#[test]
fn the_numbers_of_all_writers_and_of_this_program_once() {
    let own_counters =
        Counters { published: Some(9), stored: Some(5), lost: Some(0), ..Counters::default() };
    let own = Own {
        process: "writer",
        instance: "this",
        counters: own_counters,
        polls: 7,
        failed_polls: 1,
        unrecorded_polls: 0,
    };
    let stored =
        |stored| Counters { stored: Some(stored), backlog: Some(2), ..Counters::default() };
    let second = Duration::from_secs(1);
    let programs_heard = [
        heard("this", stored(4), second),
        heard("w1", stored(10), second),
        heard("w2", stored(20), Duration::from_mins(2)),
        heard("long gone", stored(1_000), Duration::from_hours(2)),
    ];
    let flow = pipeline(&own, &Readiness::default().report(), &programs_heard);
    assert_eq!((flow.polls, flow.published, flow.stored), (7, Some(9), Some(35)));
    assert_eq!((flow.backlog, flow.dead_lettered), (Some(4), None));
    let rows = programs(&programs_heard);
    let shown: Vec<_> = rows.iter().map(|row| (row.instance.as_str(), row.level())).collect();
    assert_eq!(shown, [("this", Level::Good), ("w1", Level::Good), ("w2", Level::Warn)]);
    let summary = summary(&[], None, &[], &rows, &Pipeline { lost: Some(3), ..flow });
    assert_eq!(summary.level, Level::Warn);
    assert_eq!(summary.besides, ["The writer on w2 is silent.", "3 events lost since the start."]);
}

#[test]
fn what_is_down_is_said() {
    let down = DependencyRow { name: "influxdb".to_owned(), up: false, why: Some("x".to_owned()) };
    let rows = [row(&answering("a", false, &[]), false)];
    let summary = summary(&rows, None, &[down], &[], &Pipeline::default());
    assert_eq!((summary.level, summary.title.as_str()), (Level::Bad, "Not ready: influxdb"));
}

/// A beat of a program on the bus, for the tests of the whole page.
pub(in crate::page) fn note_beat(to: &Heard, instance: &str) {
    let program = heard(instance, Counters::default(), Duration::ZERO);
    let event: Event = Event::Heartbeat(Box::new(program.beat));
    let Event::Heartbeat(beat) = event else { return };
    to.beat(*beat, now());
}
