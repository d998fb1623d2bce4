//! The page as Prometheus gets it.

use std::time::Duration;

use shared::event::Health;
use shared::timestamp::Timestamp;

use super::*;
use crate::latest::tests::sessions;
use crate::latest::{LastAnswer, Said};

/// An event as it lies on the bus.
const EVENT: &str = r#"{
    "server": {"name": "sense1", "description": "Central \"main\" node", "host": "sense1.corp.com:4747",
               "tags": {"env": "prod", "data center": "C:\\east"}},
    "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 30000, "bytes": 1874},
    "health": {"version": "12.2015.0", "started": "20260110T085113.000+0100",
        "mem": {"committed": 1885.58984375, "allocated": 2093.9375, "free": 7037.6953125, "totalPhysical": 16383},
        "cpu": {"total": 12.7},
        "session": {"active": 3, "total": 9},
        "apps": {"active_docs": ["a"], "loaded_docs": ["a", "a"], "in_memory_docs": ["a", "b", "SessionApp_c"],
                 "calls": 12345, "selections": 678},
        "users": {"active": 2, "total": 5},
        "cache": {"hits": 93, "lookups": 140, "added": 47, "replaced": 5, "bytes_added": 8388608},
        "saturated": false}}"#;

const INTERVAL: Duration = Duration::from_secs(30);

fn said(event: &str) -> Said {
    Said::Health(Arc::new(serde_json::from_str::<Health>(event).unwrap()))
}

fn answered(latest: &Latest, endpoint: &str, said: Said) {
    latest.answered(endpoint, LastAnswer::now(said, Timestamp::from_nanos(1), INTERVAL));
}

fn page(latest: &Latest) -> String {
    text::write(&gauges::families(&latest.fresh()))
}

fn series(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn a_recorded_event_as_prometheus_gets_it() {
    let latest = Latest::default();
    answered(&latest, "health/sense1", said(EVENT));
    answered(&latest, "sessions/sense1/default", sessions("sense1", "/", 17));
    answered(&latest, "sessions/sense1/hdr", sessions("sense1", "/hdr", 2));
    assert_eq!(page(&latest), include_str!("page.prom"));
    assert_eq!(page(&latest), page(&latest));
}

#[test]
fn a_missing_value_has_no_series() {
    let latest = Latest::default();
    let event = EVENT.replace("\"saturated\"", "\"other\"").replace("\"version\"", "\"other\"");
    answered(&latest, "health/sense1", said(&event));
    let page = page(&latest);
    let series = series(&page);
    assert!(!series.iter().any(|line| line.starts_with("butlersos_cache_saturated")));
    let metadata = series.iter().find(|line| line.starts_with("butlersos_engine_metadata"));
    assert!(!metadata.unwrap().contains("engine_version"), "{metadata:?}");
    // An engine that says nothing of itself is still listed with its documents.
    answered(
        &latest,
        "health/sense1",
        said(&EVENT.replace("\"health\": {\"version\"", "\"health\": {}, \"x\": {\"y\"")),
    );
    assert_eq!(self::series(&self::page(&latest)).len(), 3);
}

#[test]
fn no_two_series_have_the_same_labels() {
    let latest = Latest::default();
    for endpoint in ["health/sense1", "health/sense1~2"] {
        answered(&latest, endpoint, said(EVENT));
    }
    let page = page(&latest);
    let mut names: Vec<&str> =
        series(&page).iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    let all = names.len();
    names.dedup();
    assert_eq!((names.len(), all), (20, 20));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_vanishes() {
    let latest = Latest::default();
    answered(&latest, "health/sense1", said(EVENT));
    tokio::time::advance(2 * INTERVAL).await;
    answered(&latest, "health/sense2", said(&EVENT.replace("sense1", "sense2")));
    assert_eq!(series(&page(&latest)).len(), 40);
    tokio::time::advance(INTERVAL + Duration::from_millis(1)).await;
    let left = page(&latest);
    assert_eq!(series(&left).len(), 20);
    assert!(!left.contains("sense1"));
    tokio::time::advance(2 * INTERVAL).await;
    assert_eq!(series(&page(&latest)), Vec::<&str>::new());
}

#[test]
fn tags_named_like_the_metrics_own_labels_give_way() {
    let latest = Latest::default();
    let tags = r#""engine_version": "mine", "user_session_host": "mine", "env""#;
    answered(&latest, "health/sense1", said(&EVENT.replace("\"env\"", tags)));
    let page = page(&latest);
    let metadata =
        series(&page).into_iter().find(|line| line.starts_with("butlersos_engine_metadata"));
    assert!(metadata.unwrap().contains(r#"engine_version="12.2015.0""#), "{metadata:?}");
}
