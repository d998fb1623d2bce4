//! Events of the first version are read for ever: what was published once may come again years
//! later, from a dead letter or from a program that nobody has updated.
//!
//! Files are only ever added to `tests/golden/v1`. One that is there is never changed or removed,
//! and neither is what is expected of it here; members that a later version adds have their default
//! there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::envelope::Envelope;
use crate::event::{
    App, AppLists, CacheCounters, Cpu, EngineApps, EngineHealth, Event, Health, Memory, Poll,
    Server, Session, SessionCounts, Sessions, UserCounts,
};
use crate::timestamp::Timestamp;

/// Every file, so that none can be lost.
const FILES: [&str; 11] = [
    "app-names",
    "failed-poll",
    "failed-poll-from-later",
    "health",
    "health-bare",
    "health-from-later",
    "heartbeat",
    "heartbeat-bare",
    "sessions-hashed",
    "sessions-part-1",
    "sessions-part-2",
];
pub(super) const EPOCH: &str = "01KAJ8Q5W0V7R3N2C9M4T6X1ZB";

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

pub(super) fn golden(name: &str) -> Envelope {
    let path = directory().join(format!("{name}.json"));
    Envelope::decode(&std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(super) fn poll(scheduled: &str, duration_ms: u64, interval_ms: u64) -> Poll {
    Poll { scheduled: moment(scheduled), duration_ms, interval_ms, bytes: None }
}

pub(super) fn server(name: &str, host: &str) -> Server {
    Server { name: name.to_owned(), host: host.to_owned(), ..Server::default() }
}

fn sense1() -> Server {
    Server {
        description: "Central node".to_owned(),
        tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        ..server("sense1", "sense1.corp.com:4747")
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn app(id: &str, name: Option<&str>) -> App {
    App { id: id.to_owned(), name: name.map(str::to_owned) }
}

#[test]
fn no_file_is_lost() {
    let files = std::fs::read_dir(directory()).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, FILES);
}

#[test]
fn health() {
    let sales = app("a1", Some("Sales, \"quoted\""));
    let expected = Envelope {
        id: "01KAJ8R0B5QX6Y1V4M3Q2W1E0R".to_owned(),
        source: "/footman/collector/host1".to_owned(),
        subject: "sense1".to_owned(),
        time: Timestamp::from_nanos(1_795_248_930_123_456_789),
        sequence: Some(4711),
        epoch: Some(EPOCH.to_owned()),
        event: Event::Health(Box::new(Health {
            server: sense1(),
            poll: Poll { bytes: Some(1874), ..poll("2026-11-21T08:15:30Z", 12, 30_000) },
            health: EngineHealth {
                version: Some("12.2054.4".to_owned()),
                started: Some("20240509T174101.000+0200".to_owned()),
                mem: Memory {
                    committed: Some(25_112.437_5),
                    allocated: Some(31_844.5),
                    free: Some(38_720.125),
                    total_physical: Some(65_535.5),
                },
                cpu: Cpu { total: Some(7.0) },
                session: SessionCounts { active: Some(3), total: Some(41) },
                apps: EngineApps {
                    active_docs: texts(&["a1"]),
                    loaded_docs: texts(&["a1", "a2", "a2"]),
                    in_memory_docs: texts(&["a1", "a2"]),
                    calls: Some(230_413),
                    selections: Some(1_847),
                },
                users: UserCounts { active: Some(2), total: Some(17) },
                cache: CacheCounters {
                    hits: Some(88_410),
                    lookups: Some(120_033),
                    added: Some(30_112),
                    replaced: Some(1_204),
                    bytes_added: Some(734_003_200),
                },
                saturated: Some(false),
            },
            apps: AppLists {
                active: vec![sales.clone()],
                loaded: vec![sales.clone(), app("a2", None), app("a2", None)],
                in_memory: vec![sales, app("a2", None)],
            },
        })),
    };
    assert_eq!(golden("health"), expected);
}

#[test]
fn health_with_nothing_that_may_be_missing() {
    let expected = Envelope {
        id: "01KAJ8R0B5QX6Y1V4M3Q2W1E0S".to_owned(),
        source: "/footman/collector/host1".to_owned(),
        subject: String::new(),
        time: moment("2026-11-21T08:15:30Z"),
        sequence: None,
        epoch: None,
        event: Event::Health(Box::new(Health {
            server: server("sense2", "sense2:4747"),
            poll: poll("2026-11-21T08:15:30Z", 0, 1_000),
            health: EngineHealth::default(),
            apps: AppLists::default(),
        })),
    };
    assert_eq!(golden("health-bare"), expected);
}

#[test]
fn health_with_members_of_a_later_version() {
    let envelope = golden("health-from-later");
    assert_eq!(envelope.sequence, Some(4713));
    assert_eq!(envelope.time, moment("2026-11-21T08:15:30.5Z"));
    let expected = Health {
        server: server("sense1", "sense1:4747"),
        poll: poll("2026-11-21T08:15:30Z", 1, 1_000),
        health: EngineHealth {
            mem: Memory { free: Some(38_000.0), ..Memory::default() },
            cpu: Cpu { total: Some(0.5) },
            session: SessionCounts { active: Some(0), total: None },
            apps: EngineApps { calls: Some(-1), ..EngineApps::default() },
            cache: CacheCounters { added: Some(1), ..CacheCounters::default() },
            saturated: Some(true),
            ..EngineHealth::default()
        },
        apps: AppLists { active: vec![app("a1", None)], ..AppLists::default() },
    };
    assert_eq!(envelope.event, Event::Health(Box::new(expected)));
}

fn session(directory: &str, id: Option<&str>, session: &str) -> Session {
    Session {
        user_directory: directory.to_owned(),
        user_id: id.map(str::to_owned),
        session_id: session.to_owned(),
    }
}

#[test]
fn sessions_in_parts() {
    let first = Sessions {
        server: sense1(),
        poll: Poll { bytes: Some(190_402), ..poll("2026-11-21T08:15:30Z", 31, 15_000) },
        virtual_proxy: "/hdr".to_owned(),
        host: "sense1.corp.com:4243".to_owned(),
        part: 1,
        parts: 2,
        session_count: 1_004,
        excluded_session_count: 1,
        user_count: 3,
        user_id_key: None,
        sessions: vec![session("CORP", Some("anna"), "s1"), session("CORP", Some("bo\\rn"), "s2")],
        users: Some(texts(&["CORP\\anna", "CORP\\bo\\rn", "PARTNERS\\Åsa"])),
    };
    let second = Sessions {
        part: 2,
        sessions: vec![session("PARTNERS", Some("Åsa"), "s3")],
        users: None,
        ..first.clone()
    };
    let (one, two) = (golden("sessions-part-1"), golden("sessions-part-2"));
    assert_eq!((one.time, one.sequence), (two.time, Some(4714)));
    assert_eq!(one.event, Event::Sessions(first));
    assert_eq!(two.event, Event::Sessions(second));
}

#[test]
fn sessions_with_hashed_and_dropped_ids() {
    let expected = Sessions {
        server: server("sense1", "sense1:4747"),
        poll: Poll { bytes: Some(99), ..poll("2026-11-21T08:15:45Z", 3, 15_000) },
        virtual_proxy: "/".to_owned(),
        host: "sense1:4243".to_owned(),
        part: 1,
        parts: 1,
        session_count: 2,
        excluded_session_count: 0,
        user_count: 2,
        user_id_key: Some("3f1a9c04".to_owned()),
        sessions: vec![session("CORP", Some("7c1f0a9b"), "s1"), session("CORP", None, "s2")],
        users: None,
    };
    assert_eq!(golden("sessions-hashed").event, Event::Sessions(expected));
}
