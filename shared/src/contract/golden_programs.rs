//! Golden events of app names, failed polls and heartbeats; see `golden`.

use super::golden::{EPOCH, golden, moment, poll, server};
use crate::event::{
    AppChange, AppNames, Category, Change, Counters, Event, FailedPoll, Heartbeat, NamedEvent,
    Poll, ProcessMemory, Publications, Reached, SequenceBits, Settlements, Source,
};

/// The epoch of the writer.
const WRITERS: &str = "01KAJ8Q5W0V7R3N2C9M4T6X1ZC";

#[test]
fn app_names() {
    let app = |id: &str, name: &str, change| AppChange {
        id: id.to_owned(),
        name: name.to_owned(),
        change,
    };
    let expected = AppNames {
        repository: "qrs.corp.com".to_owned(),
        poll: Poll { bytes: Some(48_211), ..poll("2026-11-21T08:16:00Z", 48, 60_000) },
        part: 1,
        parts: 1,
        full: false,
        apps: vec![
            app("a1", "Sales", Some(Change::New)),
            app("a2", "Stock", Some(Change::Renamed)),
            app("a3", "Old", Some(Change::Gone)),
            app("a4", "Same", None),
        ],
    };
    assert_eq!(golden("app-names").event, Event::AppNames(expected));
}

#[test]
fn failed_polls() {
    let text = |text: &str| Some(text.to_owned());
    let expected = FailedPoll {
        server: server("sense1", "sense1:4747"),
        poll: poll("2026-11-21T08:16:00Z", 2, 15_000),
        source: Source::Sessions,
        virtual_proxy: text("/hdr"),
        host: "sense1:4243".to_owned(),
        url: text("https://sense1:4243/qps/hdr/session"),
        category: Category::CONNECTION_REFUSED,
        code: text("ECONNREFUSED"),
        http_status: Some(503),
        timeout_ms: Some(5_000),
        remote_address: text("192.0.2.17"),
        remote_port: Some(4_243),
        syscall: text("connect"),
        message: "Nothing listens there.".to_owned(),
        ticks: 1,
    };
    assert_eq!(golden("failed-poll").event, Event::FailedPoll(Box::new(expected)));
}

#[test]
fn a_failed_poll_whose_cause_is_of_a_later_version() {
    let Event::FailedPoll(failed) = golden("failed-poll-from-later").event else {
        panic!("it is a failed poll")
    };
    assert_eq!(failed.category.name(), "moon_phase");
    assert_eq!((failed.source, failed.ticks), (Source::AppNames, 3));
    assert_eq!((failed.virtual_proxy, failed.url, failed.http_status), (None, None, None));
}

#[test]
fn heartbeats() {
    let bits = |first, bits: &str| {
        vec![SequenceBits { epoch: EPOCH.to_owned(), first, bits: bits.to_owned() }]
    };
    let named = |sequence, kind: &str| {
        vec![NamedEvent { epoch: WRITERS.to_owned(), sequence, kind: kind.to_owned() }]
    };
    let expected = Heartbeat {
        process: "writer".to_owned(),
        instance: "host2".to_owned(),
        version: "0.1.0".to_owned(),
        started: moment("2026-11-20T22:00:00Z"),
        uptime_s: 36_931,
        honest: false,
        why: Some("InfluxDB does not answer".to_owned()),
        memory: ProcessMemory { resident_bytes: 41_943_040, allocated_bytes: 18_874_368 },
        counters: Counters {
            published: Some(1_231),
            confirmed: Some(1_230),
            delivered: Some(80_417),
            stored: Some(80_400),
            dead_lettered: Some(2),
            redelivered: Some(5),
            failed_writes: Some(12),
            outbox: Some(1),
            backlog: Some(15),
            oldest_unwritten_s: Some(42.5),
            lost: Some(3),
        },
        uptime_monitor: true,
        settlements: Some(Settlements {
            group: "influxdb".to_owned(),
            settled: bits(4_608, "/////w8="),
            held: bits(4_640, "8A=="),
            reached: vec![Reached { epoch: EPOCH.to_owned(), lane: 2, sequence: 4_647 }],
        }),
        publications: Some(Publications {
            held_from: 1_232,
            refused: named(17, "heartbeats"),
            lost: named(18, "health"),
        }),
    };
    let envelope = golden("heartbeat");
    assert_eq!((envelope.sequence, envelope.epoch.as_deref()), (Some(1_232), Some(WRITERS)));
    assert_eq!(envelope.subject, "writer/host2");
    assert_eq!(envelope.event, Event::Heartbeat(Box::new(expected)));
}

#[test]
fn a_heartbeat_with_nothing_that_may_be_missing() {
    let expected = Heartbeat {
        process: "collector".to_owned(),
        instance: "host1".to_owned(),
        version: "0.1.0".to_owned(),
        started: moment("2026-11-21T08:15:25Z"),
        uptime_s: 5,
        honest: true,
        why: None,
        memory: ProcessMemory::default(),
        counters: Counters::default(),
        uptime_monitor: false,
        settlements: Some(Settlements { group: "g".to_owned(), ..Settlements::default() }),
        publications: Some(Publications { held_from: 1, ..Publications::default() }),
    };
    assert_eq!(golden("heartbeat-bare").event, Event::Heartbeat(Box::new(expected)));
}
