//! The topics and texts of the predecessor, to the letter. Pure.
//!
//! A bare value on each topic, numbers as JavaScript writes them, and the misspelt `comitted`:
//! automations that read them go on working.

use shared::event::{EngineHealth, Health};

use crate::endpoint::bare;
use crate::latest::SessionTotals;

/// A topic and its payload.
type Message = (String, String);

/// What is published of an engine's answer, in the predecessor's order. The first part of the topics
/// is taken as it is, so it has to end with `/`; a value that the engine did not send is left out.
pub(super) fn of_health(base_topic: &str, health: &Health) -> Vec<Message> {
    let root = format!("{base_topic}{}", bare(&health.server.host));
    let values = values(&health.health).into_iter();
    values.filter_map(|(end, text)| Some((format!("{root}/{end}"), text?))).collect()
}

/// Where the sessions of a virtual proxy are published.
pub(super) fn topic_of_sessions(base_topic: &str, totals: &SessionTotals) -> String {
    format!("{base_topic}{}/usersession{}", bare(&totals.host), totals.virtual_proxy)
}

fn values(said: &EngineHealth) -> [(&'static str, Option<String>); 22] {
    let EngineHealth { version, started, mem, cpu, session, apps, users, cache, saturated } = said;
    let whole = |number: Option<i64>| number.map(|number| number.to_string());
    let documents = |ids: &[String]| Some(ids.join(","));
    [
        ("version", version.clone()),
        ("started", started.clone()),
        ("mem/comitted", mem.committed.map(number)),
        ("mem/allocated", mem.allocated.map(number)),
        ("mem/free", mem.free.map(number)),
        ("cpu/total", cpu.total.map(number)),
        ("session/active", whole(session.active)),
        ("session/total", whole(session.total)),
        ("apps/active_docs", documents(&apps.active_docs)),
        ("apps/loaded_docs", documents(&apps.loaded_docs)),
        ("apps/in_memory_docs", documents(&apps.in_memory_docs)),
        ("apps/calls", whole(apps.calls)),
        ("apps/selections", whole(apps.selections)),
        ("users/active", whole(users.active)),
        ("users/total", whole(users.total)),
        ("cache/hits", whole(cache.hits)),
        ("cache/lookups", whole(cache.lookups)),
        ("cache/added", whole(cache.added)),
        ("cache/replaced", whole(cache.replaced)),
        ("cache/bytes_added", whole(cache.bytes_added)),
        ("saturated", saturated.map(|saturated| saturated.to_string())),
        ("cache/hit_ratio", cache.hits.zip(cache.lookups).and_then(hit_ratio)),
    ]
}

/// Whole percents, cut off; nothing without lookups.
fn hit_ratio((hits, lookups): (i64, i64)) -> Option<String> {
    (lookups > 0).then(|| number((hits as f64 / lookups as f64 * 100.0).floor()))
}

/// A number as JavaScript writes it: the shortest digits, an exponent for the very large and the
/// very small.
fn number(value: f64) -> String {
    const LARGE: f64 = 1e21;
    const SMALL: f64 = 1e-6;
    let size = value.abs();
    if size >= LARGE {
        return format!("{value:e}").replace('e', "e+");
    }
    if size > 0.0 && size < SMALL { format!("{value:e}") } else { format!("{}", value + 0.0) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shared::event::{AppLists, Poll, Server};
    use shared::timestamp::Timestamp;

    use super::*;

    fn health(said: &str) -> Health {
        let poll = Poll {
            scheduled: Timestamp::from_nanos(1),
            duration_ms: 1,
            interval_ms: 1_000,
            bytes: None,
        };
        let server = Server { host: "sense1.corp.com:4747".to_owned(), ..Server::default() };
        let health = serde_json::from_str(said).unwrap();
        Health { server, poll, health, apps: AppLists::default() }
    }

    #[test]
    fn every_topic_of_an_answer_in_the_predecessors_order() {
        let said = r#"{"version":"12.2015.0","started":"20260110T085113.000+0100",
            "mem":{"committed":1885.58984375,"allocated":2093.9375,"free":7037.0,"totalPhysical":1},
            "cpu":{"total":12.7},"session":{"active":3,"total":9},
            "apps":{"active_docs":["b","a"],"loaded_docs":["SessionApp_1"],"in_memory_docs":[],
                    "calls":12345,"selections":678},
            "users":{"active":2,"total":5},
            "cache":{"hits":93,"lookups":140,"added":47,"replaced":5,"bytes_added":8388608},
            "saturated":false}"#;
        let published: Vec<String> = of_health("butler-sos/", &health(said))
            .into_iter()
            .map(|(topic, text)| format!("{topic}={text}"))
            .collect();
        let wanted = [
            "version=12.2015.0",
            "started=20260110T085113.000+0100",
            "mem/comitted=1885.58984375",
            "mem/allocated=2093.9375",
            "mem/free=7037",
            "cpu/total=12.7",
            "session/active=3",
            "session/total=9",
            "apps/active_docs=b,a",
            "apps/loaded_docs=SessionApp_1",
            "apps/in_memory_docs=",
            "apps/calls=12345",
            "apps/selections=678",
            "users/active=2",
            "users/total=5",
            "cache/hits=93",
            "cache/lookups=140",
            "cache/added=47",
            "cache/replaced=5",
            "cache/bytes_added=8388608",
            "saturated=false",
            "cache/hit_ratio=66",
        ];
        assert_eq!(published, wanted.map(|end| format!("butler-sos/sense1.corp.com/{end}")));
    }

    #[test]
    fn what_the_engine_did_not_send_has_no_topic() {
        let published = of_health("", &health(r#"{"cache":{"hits":1,"lookups":0}}"#));
        let topics: Vec<&str> = published.iter().map(|(topic, _)| topic.as_str()).collect();
        let wanted = [
            "apps/active_docs",
            "apps/loaded_docs",
            "apps/in_memory_docs",
            "cache/hits",
            "cache/lookups",
        ];
        assert_eq!(topics, wanted.map(|end| format!("sense1.corp.com/{end}")));
    }

    #[test]
    fn numbers_as_javascript_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (7.0, "7"),
            (0.1, "0.1"),
            (0.000_001, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn the_default_virtual_proxy_ends_with_a_slash() {
        let totals = |virtual_proxy: &str| SessionTotals {
            server: Arc::default(),
            virtual_proxy: virtual_proxy.to_owned(),
            host: "proxy.corp.com:4243".to_owned(),
            session_count: 0,
            excluded_session_count: 0,
            user_count: 0,
            users: Vec::new(),
        };
        let topic = |virtual_proxy| topic_of_sessions("b/", &totals(virtual_proxy));
        assert_eq!(topic("/"), "b/proxy.corp.com/usersession/");
        assert_eq!(topic("/hdr"), "b/proxy.corp.com/usersession/hdr");
    }
}
