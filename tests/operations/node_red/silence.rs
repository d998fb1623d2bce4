//! Who says nothing, by the clock of Node-RED.

use serde_json::{Value, json};
use shared::event::Event;

use super::Story;

fn beat(process: &str, why: Option<&str>) -> Event {
    let mut beat = json!({
        "process": process, "instance": "host.1", "version": "1.0.0", "started": "2026-11-21T08:15:30Z",
        "uptimeS": 30, "honest": why.is_none(), "memory": {},
    });
    if let Some(why) = why {
        beat["why"] = json!(why);
    }
    Event::Heartbeat(serde_json::from_value(beat).unwrap())
}

fn hears_beat(story: &mut Story, process: &str) {
    story.hears(&format!("heartbeats/{process}/host%2E1"), &beat(process, None));
}

#[test]
fn a_program_without_a_beat_for_90_seconds_is_silent_once() {
    let mut story = Story::begin();
    hears_beat(&mut story, "writer");
    let old = story.event("heartbeats/writer/host%2E1", &beat("writer", None));
    story.step(old.clone());
    for _ in 0..6 {
        hears_beat(&mut story, "collector");
        story.looks_for(30);
        // A repetition is no sign of life.
        story.step(old.clone());
    }
    hears_beat(&mut story, "writer");
    story.looks_for(30);
    assert_eq!(
        story.told().alarms(),
        [
            "writer host.1 is silent (no heartbeat for 100 s)",
            "writer host.1 is no longer silent, after 80 s"
        ]
    );
}

#[test]
fn nobody_is_silent_while_the_broker_is_away_but_the_broker_is() {
    let mut story = Story::begin();
    hears_beat(&mut story, "collector");
    story.step(json!({"connection": "red"}));
    story.looks_for(200);
    story.step(json!({"connection": "yellow"}));
    story.step(json!({"connection": "green"}));
    story.looks_for(60);
    hears_beat(&mut story, "collector");
    story.looks_for(60);
    assert_eq!(
        story.told().alarms(),
        ["Node-RED has lost the broker", "Node-RED has the broker again, after 110 s"]
    );
}

#[test]
fn who_was_gone_before_node_red_started_is_noticed_by_what_the_broker_keeps() {
    let mut story = Story::begin();
    story.hears_text("status/writer/gone%2E1", "offline");
    for _ in 0..4 {
        hears_beat(&mut story, "collector");
        story.looks_for(30);
    }
    story.hears_text("status/writer/gone%2E1", "");
    let told = story.told();
    assert_eq!(
        told.alarms(),
        [
            "writer gone.1 is silent (no heartbeat for 100 s; it is offline)",
            "writer gone.1 is no longer silent, nothing was heard of it for a day, or it was removed",
        ]
    );
    let page = told.page();
    let instances: Vec<&Value> =
        page["programs"].as_array().unwrap().iter().map(|program| &program["instance"]).collect();
    assert_eq!(instances, ["host.1"]);
}

#[test]
fn that_no_collector_is_heard_at_all_is_noticed() {
    let mut story = Story::begin();
    story.looks_for(120);
    hears_beat(&mut story, "collector");
    story.looks_for(10);
    assert_eq!(
        story.told().alarms(),
        [
            "collector any is silent (no collector was heard)",
            "collector any is no longer silent, after 30 s"
        ]
    );
}

#[test]
fn a_program_that_says_twice_that_it_does_not_work_gives_an_alarm() {
    let mut story = Story::begin();
    let topic = "heartbeats/writer/host%2E1";
    for why in
        [Some("at its start"), None, Some("InfluxDB is away"), Some("InfluxDB is away"), None]
    {
        story.hears(topic, &beat("writer", why));
        story.after(30);
    }
    assert_eq!(
        story.told().alarms(),
        [
            "writer host.1 does not do its work (InfluxDB is away)",
            "writer host.1 does its work again, after 30 s"
        ]
    );
}

#[test]
fn a_machine_that_slept_accuses_nobody() {
    let mut story = Story::begin();
    hears_beat(&mut story, "collector");
    story.looks_for(30);
    story.after(7_200);
    story.looks_for(60);
    hears_beat(&mut story, "collector");
    story.looks_for(30);
    assert!(story.told().alarms().is_empty());
}

#[test]
fn what_said_nothing_for_a_day_is_forgotten_and_so_is_everything_on_request() {
    let mut story = Story::begin();
    hears_beat(&mut story, "writer");
    story.hears("health/sense1", &super::health("sense1", true));
    // A look each minute, so that the machine does not seem to have slept.
    for minute in 0..(24 * 60 + 5) {
        if minute % 1_000 == 0 {
            hears_beat(&mut story, "collector");
        }
        story.after(60);
        story.step(json!({"click": "Every ten seconds"}));
    }
    let told = story.told();
    let page = told.page();
    assert_eq!(page["servers"], json!([]));
    assert_eq!(page["programs"].as_array().map(Vec::len), Some(1));

    let mut story = Story::begin();
    story.hears("health/sense1", &super::health("sense1", true));
    story.step(json!({"click": "Forget all"}));
    let page = story.told().page();
    assert_eq!((&page["servers"], &page["alarms"]), (&json!([]), &json!([])));
}
