//! Alarms begin and end once, whatever comes again or late.

use serde_json::{Value, json};
use shared::event::Event;

use super::{Story, failed, health};

#[test]
fn saturation_is_told_when_it_begins_and_when_it_ends() {
    let mut story = Story::begin();
    story.hears("health/sense1", &health("sense1", false));
    story.after(30);
    let begun = story.event("health/sense1", &health("sense1", true));
    story.step(begun.clone());
    story.after(30);
    story.hears("health/sense1", &health("sense1", true));
    story.after(30);
    story.hears("health/sense1", &health("sense1", false));
    // Delivered again, after it has ended.
    story.step(begun);
    let told = story.told();
    assert_eq!(
        told.alarms(),
        [
            "sense1 is saturated (CPU 97 %, 2048 MiB free)",
            "sense1 is no longer saturated, after 60 s"
        ]
    );
    let first = &told.at("Footman alarms")[0];
    assert_eq!(first["topic"], "Footman: sense1 is saturated (CPU 97 %, 2048 MiB free)");
    assert_eq!(
        (&first["alarm"]["state"], &first["alarm"]["late"]),
        (&json!("begins"), &json!(false))
    );
    // The repetition is no reading.
    let readings = told.at("Footman servers");
    assert_eq!(readings.len(), 4);
    let reading = &readings[0]["payload"];
    assert_eq!((&reading["server"], &reading["cpuPercent"]), (&json!("sense1"), &json!(7)));
    assert_eq!((&reading["appsLoaded"], &reading["appsInMemory"]), (&json!(2), &json!(0)));
}

#[test]
fn polls_that_fail_are_told_by_endpoint_with_the_cause() {
    let mut story = Story::begin();
    let topic = "failed-polls/sense1/health";
    let first = story.event(topic, &failed("sense1", "health", None, "timeout"));
    story.step(first.clone());
    story.after(30);
    story.hears(topic, &failed("sense1", "health", None, "certificate_error"));
    // One of its virtual proxies is not well either, and another one is.
    let sessions_topic = "failed-polls/sense1/sessions";
    let hdr = failed("sense1", "sessions", Some("/hdr"), "http_5xx");
    let since = story.time().to_string();
    story.hears(sessions_topic, &hdr);
    story.hears("sessions/sense1/default", &sessions("sense1", "/"));
    story.after(30);
    story.hears(sessions_topic, &hdr);
    story.hears("health/sense1", &health("sense1", false));
    // Delivered again, after the endpoint was well.
    story.step(first);
    let told = story.told();
    assert_eq!(
        told.alarms(),
        [
            "sense1: polling health fails (timeout: in plain words)",
            "sense1: polling sessions at /hdr fails (http_5xx: in plain words)",
            "sense1: health is polled again, after 60 s",
        ]
    );
    let ended = &told.at("Footman alarms")[2]["alarm"];
    assert_eq!((&ended["cause"], &ended["failedTicks"]), (&json!("certificate_error"), &json!(4)));
    let page = told.page();
    let failing = &page["servers"][0]["failing"][0];
    assert_eq!((&failing["virtualProxy"], &failing["since"]), (&json!("/hdr"), &json!(since)));
    assert_eq!(page["alarms"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_repository_is_no_server_of_the_table() {
    let mut story = Story::begin();
    let event = failed("10.0.0.1", "app-names", None, "connection_refused");
    story.hears("failed-polls/10%2E0%2E0%2E1/app-names", &event);
    story.after(60);
    let names = json!({
        "repository": "10.0.0.1", "part": 1, "parts": 1, "full": true, "apps": [],
        "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 60_000},
    });
    story.hears(
        "app-names/10%2E0%2E0%2E1",
        &Event::AppNames(serde_json::from_value(names).unwrap()),
    );
    let told = story.told();
    assert_eq!(
        told.alarms(),
        [
            "10.0.0.1: polling app-names fails (connection_refused: in plain words)",
            "10.0.0.1: app-names is polled again, after 60 s",
        ]
    );
    assert_eq!(told.page()["servers"], json!([]));
}

#[test]
fn what_the_collector_itself_missed_is_counted_and_no_alarm() {
    let mut story = Story::begin();
    story.hears("health/sense1", &health("sense1", false));
    for category in ["interrupted", "outbox_full"] {
        let event = failed("sense1", "health", None, category);
        story.hears("failed-polls/sense1/health", &event);
    }
    let told = story.told();
    assert!(told.alarms().is_empty(), "{:?}", told.alarms());
    assert_eq!(told.page()["servers"][0]["missedTicks"], 4);
}

#[test]
fn an_event_that_was_held_up_says_so() {
    let mut story = Story::begin();
    let event = story.event("health/sense1", &health("sense1", true));
    story.after(3_600);
    story.step(event);
    let told = story.told();
    assert_eq!(told.at("Footman alarms")[0]["alarm"]["late"], true);
    assert_eq!(told.page()["servers"][0]["state"], "stale");
}

#[test]
fn names_come_from_the_payload_and_topics_tell_namesakes_apart() {
    let hurting = "a \"b\" <c> \\ åß.corp";
    let mut story = Story::begin();
    story.hears("health/a%20%22b", &health(hurting, true));
    story.hears("health/a%20%22b~2", &health(hurting, false));
    story.hears("health/__proto__", &health("__proto__", false));
    let told = story.told();
    let page = told.page();
    let servers = page["servers"].as_array().unwrap();
    let names: Vec<&Value> = servers.iter().map(|server| &server["server"]).collect();
    assert_eq!(names, ["__proto__", hurting, hurting]);
    assert_eq!(told.alarms(), [format!("{hurting} is saturated (CPU 97 %, 2048 MiB free)")]);
}

#[test]
fn what_is_no_event_is_ignored_and_unknown_members_are_too() {
    let mut story = Story::begin();
    let newer = r#"{"type":"qliksense.health.v2","time":"2026-11-21T08:15:30Z","data":{}}"#;
    let unknown = r#"{"type":"qliksense.weather.v1","time":"2026-11-21T08:15:30Z","data":{}}"#;
    for text in ["", "no JSON", "7", "null", "[]", "{}", newer, unknown] {
        story.hears_text("health/x", text);
    }
    let mut known = story.event("health/sense1", &health("sense1", true));
    let mut event: Value = serde_json::from_str(known["payload"].as_str().unwrap()).unwrap();
    event["new"] = json!({"a": 1});
    event["data"]["health"]["cpu"]["new"] = json!([]);
    event["data"]["health"]["mem"] = Value::Null;
    known["payload"] = json!(event.to_string());
    story.step(known);
    let told = story.told();
    assert_eq!(told.page()["heard"]["ignored"], 8);
    assert_eq!(told.alarms(), ["sense1 is saturated (CPU 97 %, ? MiB free)"]);
}

#[test]
fn retained_state_fills_the_page_until_the_first_poll_and_is_taken_away() {
    let mut story = Story::begin();
    let state = json!({"server": "sense1", "cpu_percent": 5, "saturated": true,
        "last_poll": "2026-11-21T08:15:30Z", "interval_s": 30});
    story.hears_text("state/sense1", &state.to_string());
    story.hears_text("state/sense2", &state.to_string());
    story.hears("health/sense2", &health("sense2", true));
    // No newer than the poll, whatever it says.
    story.hears_text("state/sense2", &state.to_string());
    let failing = failed("sense3", "health", None, "timeout");
    story.hears("failed-polls/sense3/health", &failing);
    story.hears_text("state/sense3", "");
    let told = story.told();
    let page = told.page();
    let shown = |at: usize| page["servers"][at]["reading"]["cpuPercent"].clone();
    assert_eq!((shown(0), shown(1)), (json!(5), json!(97)));
    assert_eq!(page["servers"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        told.alarms(),
        [
            "sense2 is saturated (CPU 97 %, 2048 MiB free)",
            "sense3: polling health fails (timeout: in plain words)",
            "sense3: health is polled again, nothing was heard of it for a day, or it was removed",
        ]
    );
}

fn sessions(server: &str, virtual_proxy: &str) -> Event {
    super::sessions::part(server, virtual_proxy, 1, 1, 3)
}
