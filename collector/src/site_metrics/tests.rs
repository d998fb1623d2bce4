//! The metrics as Prometheus gets them.

use std::time::Duration;

use shared::event::{Category, Health, Server, Source};
use shared::exposition::Form;
use shared::timestamp::Timestamp;

use super::*;
use crate::latest::tests::sessions;
use crate::latest::{FailingSince, LastAnswer, LastPoll, Said};

/// An event as it lies on the bus.
const EVENT: &str = r#"{
    "server": {"name": "sense1", "description": "Central \"main\" node", "host": "sense1.corp.com:4747",
               "tags": {"env": "prod", "data center": "C:\\east\nwest"}},
    "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 30000, "bytes": 1874},
    "health": {"version": "12.2015.0", "started": "20260110T085113.000+0100",
        "mem": {"committed": 1885.58984375, "allocated": 2093.9375, "free": 7037.6953125, "totalPhysical": 16383},
        "cpu": {"total": 7},
        "session": {"active": 3, "total": 9},
        "apps": {"active_docs": ["a"], "loaded_docs": ["a", "a"], "in_memory_docs": ["a", "b", "SessionApp_c"],
                 "calls": 12345, "selections": 678},
        "users": {"active": 2, "total": 5},
        "cache": {"hits": 93, "lookups": 140, "added": 47, "replaced": 5, "bytes_added": 8388608},
        "saturated": false}}"#;
const INTERVAL: Duration = Duration::from_secs(30);
const SENT: &str = "2026-11-21T08:15:30.123456789Z";

fn at(time: &str) -> Timestamp {
    Timestamp::parse(time).unwrap()
}

fn health(event: &str) -> Arc<Health> {
    Arc::new(serde_json::from_str(event).unwrap())
}

/// An endpoint that was never polled.
fn endpoint(server: &Arc<Server>, virtual_proxy: Option<&str>) -> EndpointState {
    EndpointState {
        server: Arc::clone(server),
        source: if virtual_proxy.is_some() { Source::Sessions } else { Source::Health },
        virtual_proxy: virtual_proxy.map(str::to_owned),
        interval: INTERVAL,
        last: None,
        answer: None,
        failing: None,
    }
}

fn answered(endpoint: EndpointState, said: Said) -> EndpointState {
    let last = LastPoll { time: at(SENT), duration: Duration::from_millis(12) };
    let answer = LastAnswer::now(said, last.time, endpoint.interval);
    EndpointState { last: Some(last), answer: Some(answer), ..endpoint }
}

fn failing(endpoint: EndpointState, category: Category) -> EndpointState {
    let (since, message) = (at("2026-11-21T08:00:00Z"), "it hurts".to_owned());
    let last = LastPoll { time: at(SENT), duration: Duration::from_secs(5) };
    let failing = FailingSince { since, category, message, ticks: 3 };
    EndpointState { last: Some(last), failing: Some(failing), ..endpoint }
}

/// A server that answers at both its virtual proxies.
fn sense(event: &str) -> ServerState {
    let health = health(event);
    let server = Arc::new(health.server.clone());
    let proxy = |prefix, count| {
        answered(endpoint(&server, Some(prefix)), sessions(&server.name, prefix, count))
    };
    ServerState {
        token: server.name.clone(),
        sessions: vec![proxy("/", 17), proxy("/hdr", 2)],
        health: Some(answered(endpoint(&server, None), Said::Health(health))),
        server,
    }
}

fn repository() -> EndpointState {
    let server = Arc::new(Server { name: "qrs.corp.com".to_owned(), ..Server::default() });
    let repository = EndpointState { source: Source::AppNames, ..endpoint(&server, None) };
    failing(repository, Category::TIMEOUT)
}

/// What a registry would write.
#[derive(Debug)]
struct Site(Vec<ServerState>, Option<EndpointState>);

impl Collector for Site {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        families(&self.0, self.1.as_ref()).iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

fn page(servers: &[ServerState], repository: Option<EndpointState>) -> String {
    let mut registry = Registry::default();
    let site = Box::new(Site(servers.to_vec(), repository));
    registry.sub_registry_with_prefix(PREFIX).register_collector(site);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

fn series(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn a_recorded_event_as_prometheus_gets_it() {
    let page = page(&[sense(EVENT)], Some(repository()));
    assert_eq!(page, include_str!("site.prom"));
    let text = Form::Text.of(page.clone());
    assert_eq!(series(&text), series(&page));
    assert!(text.contains("# TYPE qliksense_engine_cache_added_bytes_total counter\n"), "{text}");
}

#[test]
fn nothing_is_shown_before_the_first_poll_but_the_configuration() {
    let mut sense = sense(EVENT);
    let never = |state: &EndpointState| endpoint(&state.server, state.virtual_proxy.as_deref());
    sense.health = sense.health.as_ref().map(never);
    sense.sessions = sense.sessions.iter().map(never).collect();
    let page = page(&[sense], None);
    let [info, intervals @ ..] = &series(&page)[..] else { panic!("{page}") };
    assert!(info.starts_with("qliksense_server_info{server=\"sense1\","), "{info}");
    assert_eq!(intervals.len(), 3);
    assert!(intervals.iter().all(|line| line.starts_with("qliksense_poll_interval_seconds{")));
    assert_eq!(self::page(&[], None), "# EOF\n");
}

#[test]
fn a_missing_or_absurd_value_has_no_series() {
    let (before, _) = EVENT.split_once("\"health\"").unwrap();
    let nothing = format!("{before}\"health\": {{}}}}");
    let page = page(&[sense(&nothing)], None);
    let engine: Vec<&str> = series(&page)
        .into_iter()
        .filter_map(|line| line.strip_prefix("qliksense_engine_"))
        .filter_map(|line| line.split('{').next())
        .collect();
    assert_eq!(engine, ["apps_active", "apps_loaded", "apps_in_memory"]);
    let absurd = EVENT.replace("12345", "-1").replace("20260110T085113", "yesterday");
    let page = self::page(&[sense(&absurd)], None);
    for name in ["engine_calls_total", "engine_started_timestamp_seconds"] {
        assert!(!page.contains(&format!("qliksense_{name}{{")), "{name} in {page}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_vanishes_and_the_failure_stays() {
    let mut sense = sense(EVENT);
    sense.health = sense.health.map(|state| failing(state, Category::CONNECTION_REFUSED));
    tokio::time::advance(3 * INTERVAL).await;
    let fresh = page(&[sense.clone()], None);
    assert!(fresh.contains("qliksense_engine_cpu_ratio{server=\"sense1\"} 0.07\n"), "{fresh}");
    let up = "qliksense_poll_up{server=\"sense1\",source=\"health\"} 0.0\n";
    assert!(fresh.contains(up), "{fresh}");
    tokio::time::advance(Duration::from_millis(1)).await;
    let stale = page(&[sense], None);
    assert!(!stale.contains("qliksense_engine_") && !stale.contains("qliksense_proxy_"), "{stale}");
    assert!(stale.contains(up), "{stale}");
    let cause = "{server=\"sense1\",source=\"health\",category=\"connection_refused\"} 1.0\n";
    assert!(stale.contains(&format!("qliksense_poll_failing{cause}")), "{stale}");
}

#[test]
fn no_two_series_are_the_same() {
    let mut second = sense(EVENT);
    second.token = "sense1~2".to_owned();
    let page = page(&[sense(EVENT), second], Some(repository()));
    let mut names: Vec<&str> =
        series(&page).iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(page.contains("{server=\"sense1~2\",source=\"sessions\",virtual_proxy=\"/hdr\"}"));
}
