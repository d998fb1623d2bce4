//! What a server's state topic says: one flat object, made of the last answers. Pure.
//!
//! Every key is there every time, null when nothing is known: small clients and templates need no
//! default. A value of an answer that is too old is not known any more. No user is named.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shared::event::{EngineHealth, Health};
use shared::subject::Token;
use shared::timestamp::Timestamp;

use super::By;
use crate::latest::{EndpointState, FailingSince, Said, ServerState, SessionTotals};

/// The longest message of a failure: what fits beside everything else, and into the states of Home
/// Assistant.
const LONGEST_MESSAGE: usize = 200;

/// How a server fares, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Saturated,
    Failing,
    Unknown,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Saturated => "saturated",
            Self::Failing => "failing",
            Self::Unknown => "unknown",
        }
    }
}

/// The payload of `state/{server}`.
pub(crate) fn payload(server: &ServerState, by: &By) -> Vec<u8> {
    let mut said = Map::new();
    let health = server.health.as_ref().and_then(answer_of_engine);
    say(&mut said, &about_server(server, by));
    say(&mut said, &about_polls(server, health));
    say(&mut said, &about_engine(health));
    about_proxies(&mut said, &server.sessions);
    for (tag, value) in &server.server.tags {
        said.insert(format!("tag_{tag}"), json!(value));
    }
    Value::Object(said).to_string().into_bytes()
}

fn say(said: &mut Map<String, Value>, members: &Value) {
    for (name, value) in members.as_object().into_iter().flatten() {
        said.insert(name.clone(), value.clone());
    }
}

fn about_server(server: &ServerState, by: &By) -> Value {
    json!({
        "server": server.server.name,
        "description": server.server.description,
        "host": server.server.host,
        "process": by.process,
        "instance": by.instance,
    })
}

fn about_polls(server: &ServerState, health: Option<&Health>) -> Value {
    let failing = failure(server);
    let engine = server.health.as_ref();
    let last = engine.and_then(|engine| engine.last);
    json!({
        "state": state(server, health).name(),
        "failing": failing.is_some(),
        "failing_since": failing.map(|failing| failing.since.to_seconds()),
        "failing_cause": failing.map(|failing| failing.category.name()),
        "failing_message": failing.map(|failing| shortened(&failing.message)),
        "last_poll": last.map(|last| last.time.to_seconds()),
        "last_poll_ms": last.map(|last| u64::try_from(last.duration.as_millis()).unwrap_or(u64::MAX)),
        "interval_s": engine.map(|engine| engine.interval.as_secs_f64()),
    })
}

fn about_engine(health: Option<&Health>) -> Value {
    let nothing = EngineHealth::default();
    let said = health.map_or(&nothing, |health| &health.health);
    let started = said.started_at();
    let uptime = health.zip(started).map(|(health, started)| health.poll.scheduled.since(started));
    let count = |documents: &Vec<String>| health.map(|_known| documents.len());
    json!({
        "version": said.version,
        "started": started.map(Timestamp::to_seconds),
        "uptime_s": uptime.map(|uptime| uptime.as_secs()),
        "saturated": said.saturated,
        "cpu_percent": said.cpu.total,
        "memory_committed_mib": said.mem.committed,
        "memory_allocated_mib": said.mem.allocated,
        "memory_free_mib": said.mem.free,
        "memory_physical_mib": said.mem.total_physical,
        "engine_sessions_active": said.session.active,
        "engine_sessions": said.session.total,
        "engine_users_active": said.users.active,
        "engine_users": said.users.total,
        "apps_active": count(&said.apps.active_docs),
        "apps_loaded": count(&said.apps.loaded_docs),
        "apps_in_memory": count(&said.apps.in_memory_docs),
        "calls": said.apps.calls,
        "selections": said.apps.selections,
        "cache_hits": said.cache.hits,
        "cache_lookups": said.cache.lookups,
        "cache_hit_percent": hit_percent(said),
    })
}

/// The share of lookups that the cache answered since the engine's start, with one decimal.
fn hit_percent(said: &EngineHealth) -> Option<f64> {
    let (hits, lookups) = (said.cache.hits?, said.cache.lookups?);
    (lookups > 0).then(|| (1_000.0 * hits as f64 / lookups as f64).round() / 10.0)
}

/// Sessions and users of each virtual proxy, and their sums, which are not known before each
/// virtual proxy is.
fn about_proxies(said: &mut Map<String, Value>, proxies: &[EndpointState]) {
    let totals: Vec<Option<&SessionTotals>> = proxies.iter().map(answer_of_proxy).collect();
    let sum = |count: fn(&SessionTotals) -> u64| {
        let all: Option<Vec<u64>> = totals.iter().map(|totals| totals.map(count)).collect();
        all.filter(|all| !all.is_empty()).map(|all| all.into_iter().sum::<u64>())
    };
    said.insert("proxy_sessions".to_owned(), json!(sum(|totals| totals.session_count)));
    said.insert("proxy_users".to_owned(), json!(sum(|totals| totals.user_count)));
    for (totals, suffix) in totals.into_iter().zip(suffixes(proxies)) {
        let sessions = totals.map(|totals| totals.session_count);
        let users = totals.map(|totals| totals.user_count);
        said.insert(format!("proxy_sessions_{suffix}"), json!(sessions));
        said.insert(format!("proxy_users_{suffix}"), json!(users));
    }
}

/// The end of the keys of each of a server's virtual proxies: its token in subjects, with `_` in the
/// place of `-`, `%` and `~`, and a number behind it where another one has it already.
pub fn suffixes(proxies: &[EndpointState]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let suffix = |proxy: &EndpointState| {
        let token = Token::virtual_proxy(proxy.virtual_proxy.as_deref().unwrap_or("/"));
        let plain = token.as_str().replace(['-', '%', '~'], "_");
        let numbered = (2..).map(|number: u32| format!("{plain}_{number}"));
        let mut names = std::iter::once(plain.clone()).chain(numbered);
        let free = names.find(|name| !taken.contains(name)).unwrap_or(plain);
        taken.insert(free.clone());
        free
    };
    proxies.iter().map(suffix).collect()
}

fn state(server: &ServerState, health: Option<&Health>) -> State {
    match &server.health {
        Some(engine) if engine.failing.is_some() => State::Failing,
        Some(_) => match health.map(|health| health.health.saturated) {
            None => State::Unknown,
            Some(Some(true)) => State::Saturated,
            Some(_) => State::Ok,
        },
        // Polled for its sessions alone.
        None if failure(server).is_some() => State::Failing,
        None if server.sessions.iter().any(|proxy| answer_of_proxy(proxy).is_some()) => State::Ok,
        None => State::Unknown,
    }
}

/// The failure that counts: that of the engine, or else the one that began first.
fn failure(server: &ServerState) -> Option<&FailingSince> {
    let engine = server.health.as_ref().and_then(|engine| engine.failing.as_ref());
    let proxies = server.sessions.iter().filter_map(|proxy| proxy.failing.as_ref());
    engine.or_else(|| proxies.min_by_key(|failing| failing.since))
}

fn answer_of_engine(engine: &EndpointState) -> Option<&Health> {
    match &engine.answer.as_ref().filter(|answer| answer.is_fresh())?.said {
        Said::Health(health) => Some(health),
        Said::Sessions(_) => None,
    }
}

fn answer_of_proxy(proxy: &EndpointState) -> Option<&SessionTotals> {
    match &proxy.answer.as_ref().filter(|answer| answer.is_fresh())?.said {
        Said::Sessions(totals) => Some(totals),
        Said::Health(_) => None,
    }
}

fn shortened(message: &str) -> String {
    if message.chars().count() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    message.chars().take(LONGEST_MESSAGE - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::latest::{LastAnswer, LastPoll};
    use shared::event::{Category, EngineApps, Poll, Server, Source};

    const INTERVAL: Duration = Duration::from_secs(30);

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn server() -> Arc<Server> {
        Arc::new(Server {
            name: "sense 1".to_owned(),
            description: "Central node".to_owned(),
            host: "sense1.corp.com:4747".to_owned(),
            tags: [("env".to_owned(), "prod".to_owned())].into(),
        })
    }

    fn endpoint(source: Source, virtual_proxy: Option<&str>) -> EndpointState {
        EndpointState {
            server: server(),
            source,
            virtual_proxy: virtual_proxy.map(str::to_owned),
            interval: INTERVAL,
            last: None,
            answer: None,
            failing: None,
        }
    }

    fn polled(virtual_proxies: &[&str]) -> ServerState {
        ServerState {
            server: server(),
            token: "sense%201".to_owned(),
            health: Some(endpoint(Source::Health, None)),
            sessions: virtual_proxies
                .iter()
                .map(|proxy| endpoint(Source::Sessions, Some(proxy)))
                .collect(),
        }
    }

    fn answered(engine: &mut EndpointState, health: EngineHealth) {
        let poll = Poll {
            scheduled: time("2026-11-21T08:15:30Z"),
            duration_ms: 12,
            interval_ms: 30_000,
            bytes: None,
        };
        let health = Health {
            server: server().as_ref().clone(),
            poll,
            health,
            apps: shared::event::AppLists::default(),
        };
        let moment = time("2026-11-21T08:15:30.123456789Z");
        engine.last = Some(LastPoll { time: moment, duration: Duration::from_millis(12) });
        let said = Said::Health(Arc::new(health));
        engine.answer = Some(LastAnswer::now(said, moment, INTERVAL));
    }

    fn counted(proxy: &mut EndpointState, session_count: u64, user_count: u64) {
        let totals = SessionTotals {
            server: server(),
            virtual_proxy: proxy.virtual_proxy.clone().unwrap(),
            host: String::new(),
            session_count,
            excluded_session_count: 1,
            user_count,
            users: Vec::new(),
        };
        let said = Said::Sessions(Arc::new(totals));
        proxy.answer = Some(LastAnswer::now(said, time("2026-11-21T08:15:31Z"), INTERVAL));
    }

    fn health() -> EngineHealth {
        let mut health = EngineHealth {
            version: Some("12.2054.4".to_owned()),
            started: Some("20261121T091530.000+0200".to_owned()),
            saturated: Some(false),
            apps: EngineApps {
                active_docs: vec!["a".to_owned()],
                calls: Some(5),
                ..EngineApps::default()
            },
            ..EngineHealth::default()
        };
        health.mem.committed = Some(1_885.589_843_75);
        health.cpu.total = Some(7.0);
        (health.cache.hits, health.cache.lookups) = (Some(93), Some(140));
        health
    }

    fn said(server: &ServerState) -> Map<String, Value> {
        let by = By { process: "collector".to_owned(), instance: "host.a".to_owned() };
        let Value::Object(said) = serde_json::from_slice(&payload(server, &by)).unwrap() else {
            panic!("an object")
        };
        said
    }

    #[test]
    fn everything_that_was_said_is_there_by_its_unit() {
        let mut server = polled(&["/", "/hdr-a"]);
        answered(server.health.as_mut().unwrap(), health());
        counted(&mut server.sessions[0], 5, 4);
        counted(&mut server.sessions[1], 2, 2);
        let wanted = json!({
            "server": "sense 1", "description": "Central node", "host": "sense1.corp.com:4747",
            "process": "collector", "instance": "host.a", "tag_env": "prod",
            "state": "ok", "failing": false, "failing_since": null, "failing_cause": null,
            "failing_message": null, "last_poll": "2026-11-21T08:15:30Z", "last_poll_ms": 12,
            "interval_s": 30.0, "version": "12.2054.4", "started": "2026-11-21T07:15:30Z",
            "uptime_s": 3_600, "saturated": false, "cpu_percent": 7.0,
            "memory_committed_mib": 1_885.589_843_75, "memory_allocated_mib": null,
            "memory_free_mib": null, "memory_physical_mib": null, "engine_sessions_active": null,
            "engine_sessions": null, "engine_users_active": null, "engine_users": null,
            "apps_active": 1, "apps_loaded": 0, "apps_in_memory": 0, "calls": 5,
            "selections": null, "cache_hits": 93, "cache_lookups": 140, "cache_hit_percent": 66.4,
            "proxy_sessions": 7, "proxy_users": 6, "proxy_sessions_default": 5,
            "proxy_users_default": 4, "proxy_sessions_hdr_a": 2, "proxy_users_hdr_a": 2,
        });
        assert_eq!(Value::Object(said(&server)), wanted);
    }

    #[test]
    fn every_key_is_there_before_the_first_poll() {
        let mut known = polled(&["/"]);
        answered(known.health.as_mut().unwrap(), health());
        let keys = |server: &ServerState| said(server).keys().cloned().collect::<Vec<_>>();
        let unknown = polled(&["/"]);
        assert_eq!(keys(&unknown), keys(&known));
        assert_eq!(said(&unknown)["state"], "unknown");
        assert_eq!(said(&unknown)["apps_active"], Value::Null);
        // A sum is not known before each of its parts is.
        counted(&mut known.sessions[0], 5, 4);
        known.sessions.push(endpoint(Source::Sessions, Some("/b")));
        assert_eq!(said(&known)["proxy_sessions"], Value::Null);
        assert_eq!(said(&known)["proxy_sessions_default"], 5);
    }

    #[test]
    fn a_failure_is_named_and_what_was_known_stays_while_it_is_fresh() {
        let mut server = polled(&["/"]);
        let failing = |cause: Category, since: &str| {
            let message = "é".repeat(300);
            Some(FailingSince { since: time(since), category: cause, message, ticks: 3 })
        };
        server.sessions[0].failing = failing(Category::DECODE, "2026-11-21T08:00:00Z");
        let engine = server.health.as_mut().unwrap();
        answered(engine, EngineHealth { saturated: Some(true), ..health() });
        let proxy_fails = said(&server);
        assert_eq!(proxy_fails["state"], "saturated");
        assert_eq!(
            (&proxy_fails["failing"], &proxy_fails["failing_cause"]),
            (&json!(true), &json!("decode"))
        );
        let engine = server.health.as_mut().unwrap();
        engine.failing = failing(Category::CONNECTION_REFUSED, "2026-11-21T09:00:00Z");
        let engine_fails = said(&server);
        assert_eq!(engine_fails["state"], "failing");
        assert_eq!(engine_fails["failing_cause"], Category::CONNECTION_REFUSED.name());
        assert_eq!(engine_fails["failing_since"], "2026-11-21T09:00:00Z");
        assert_eq!(engine_fails["failing_message"].as_str().unwrap().chars().count(), 200);
        assert_eq!(engine_fails["cpu_percent"], 7.0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_answer_tells_nothing() {
        let mut server = polled(&["/"]);
        answered(server.health.as_mut().unwrap(), health());
        counted(&mut server.sessions[0], 5, 4);
        tokio::time::advance(INTERVAL * 3 + Duration::from_millis(1)).await;
        let said = said(&server);
        assert_eq!(said["state"], "unknown");
        for key in
            ["cpu_percent", "version", "apps_active", "proxy_sessions", "proxy_users_default"]
        {
            assert_eq!(said[key], Value::Null, "{key}");
        }
        assert_eq!(said["last_poll"], "2026-11-21T08:15:30Z");
    }

    #[test]
    fn virtual_proxies_of_like_names_have_keys_of_their_own() {
        let mut server = polled(&["/a-b", "/a_b", "/ä"]);
        server.health = None;
        assert_eq!(said(&server)["state"], "unknown");
        counted(&mut server.sessions[1], 3, 1);
        let said = said(&server);
        assert_eq!(said["state"], "ok");
        assert_eq!(said["proxy_sessions_a_b"], Value::Null);
        assert_eq!(said["proxy_sessions_a_b_2"], 3);
        assert!(said.contains_key("proxy_sessions__C3_A4"), "{said:?}");
    }
}
