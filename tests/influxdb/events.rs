//! Events as a collector publishes them.

use bytes::Bytes;
use serde_json::{Value, json};
use shared::broker::Outgoing;
use shared::subject::Subject;
use shared::timestamp::Timestamp;

fn event(kind: &str, time: Timestamp, data: &Value) -> Outgoing {
    let id = ulid::Ulid::generate().to_string();
    let payload = json!({
        "specversion": "1.0", "id": id, "source": "/footman/collector/host1",
        "type": format!("qliksense.{kind}.v1"), "subject": "sense1", "time": time,
        "datacontenttype": "application/json", "data": data,
    });
    let subject = Subject::from_neutral(format!("qliksense/v1/{kind}/sense1"));
    Outgoing { subject, id, payload: Bytes::from(payload.to_string()) }
}

/// An app that became known: one line of `app_names`, and no other.
fn app(time: Timestamp, id: &str) -> Outgoing {
    let data = json!({"repository": "qrs", "poll": poll(time), "part": 2, "parts": 2, "full": false,
        "apps": [{"id": id, "name": "Sales", "change": "new"}]});
    event("app-names", time, &data)
}

/// Events of one line each; the app's id is `app-N.`.
pub(crate) fn apps(time: Timestamp, count: usize) -> Vec<Outgoing> {
    (0..count).map(|number| app(time, &format!("app-{number}."))).collect()
}

/// One event of each kind, with every member; no two polls share a time.
pub(crate) fn one_of_each(time: Timestamp) -> Vec<Outgoing> {
    let at = |poll| Timestamp::from_nanos(time.nanos() + poll);
    vec![
        health(at(0)),
        sessions(at(1)),
        failed_poll(at(2)),
        heartbeat(at(3)),
        event("app-names", at(4), &app_names(at(4))),
    ]
}

fn poll(time: Timestamp) -> Value {
    let scheduled = Timestamp::from_nanos(time.nanos() - 5_000_000);
    json!({"scheduled": scheduled, "durationMs": 12, "intervalMs": 30000, "bytes": 1874})
}

fn server() -> Value {
    json!({"name": "sense 1, \"the\" first", "description": "Central=node",
           "host": "sense1.corp.com:4747",
           "tags": {"qs_env": "prod", "path": "C:\\Qlik\\", "empty": "", "lines": "a\nb\tc"}})
}

/// An engine's health.
pub(crate) fn health(time: Timestamp) -> Outgoing {
    let data = json!({
        "server": server(), "poll": poll(time),
        "health": {
            "version": "12.2054.4", "started": "20260509T174101.000+0200",
            "mem": {"committed": 1885.58, "allocated": 2093.9, "free": 7037.7, "totalPhysical": 16383.5},
            "cpu": {"total": 12.7}, "session": {"active": 3, "total": 9},
            "apps": {"active_docs": ["b", "SessionApp_5b1e"], "loaded_docs": [], "in_memory_docs": ["x"],
                     "calls": 12345, "selections": 678},
            "users": {"active": 2, "total": 5},
            "cache": {"hits": 93, "lookups": 140, "added": 47, "replaced": 5, "bytes_added": 8_388_608},
            "saturated": false
        },
        "apps": {"active": [{"id": "b", "name": "Say \"hi\" at C:\\Apps\\"}, {"id": "SessionApp_5b1e"}],
                 "loaded": [], "inMemory": [{"id": "x", "name": "Crabs 🦀\\\"\n"}]}
    });
    event("health", time, &data)
}

fn sessions(time: Timestamp) -> Outgoing {
    let data = json!({
        "server": server(), "poll": poll(time), "virtualProxy": "/hdr", "host": "sense1.corp.com:4243",
        "part": 1, "parts": 1, "sessionCount": 3, "excludedSessionCount": 1, "userCount": 2,
        "sessions": [{"userDirectory": "CORP", "userId": "jane", "sessionId": "s1"},
                     {"userDirectory": "CORP", "userId": "joe\\", "sessionId": "s2"}]
    });
    event("sessions", time, &data)
}

fn failed_poll(time: Timestamp) -> Outgoing {
    let data = json!({
        "server": server(), "poll": poll(time), "source": "health", "host": "sense1.corp.com:4747",
        "url": "https://sense1.corp.com:4747/engine/healthcheck", "category": "auth_error",
        "code": "ERR_BAD_REQUEST", "httpStatus": 403, "timeoutMs": 5000, "remoteAddress": "10.0.0.1",
        "remotePort": 4747, "syscall": "connect", "message": "forbidden", "ticks": 1
    });
    event("failed-polls", time, &data)
}

fn heartbeat(time: Timestamp) -> Outgoing {
    let data = json!({
        "process": "collector", "instance": "host1", "version": "0.1.0", "started": time,
        "uptimeS": 930, "honest": true, "uptimeMonitor": true,
        "memory": {"residentBytes": 52_480_000, "allocatedBytes": 10_485_760},
        "counters": {"published": 7, "confirmed": 6, "outbox": 1, "oldest_unwritten_s": 1.5}
    });
    event("heartbeats", time, &data)
}

fn app_names(time: Timestamp) -> Value {
    json!({"repository": "qrs", "poll": poll(time), "part": 1, "parts": 1, "full": true,
           "apps": [{"id": "a", "name": "Sales"}]})
}
