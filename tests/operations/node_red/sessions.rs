//! Sessions: parts of one poll count together, and each event once.

use serde_json::{Value, json};
use shared::event::Event;

use super::Story;

/// A part of a poll with `listed` sessions in it.
pub(super) fn part(
    server: &str,
    virtual_proxy: &str,
    part: u32,
    parts: u32,
    listed: usize,
) -> Event {
    let session = |number| json!({"userDirectory": "CORP", "userId": format!("somebody-{number}"), "sessionId": format!("{part}-{number}")});
    let sessions = json!({
        "server": {"name": server, "host": "10.0.0.1:4747"},
        "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 12, "intervalMs": 30_000},
        "virtualProxy": virtual_proxy, "host": "10.0.0.1:4243", "part": part, "parts": parts,
        "sessionCount": 2_505, "excludedSessionCount": 2, "userCount": 1_999,
        "sessions": (0..listed).map(session).collect::<Vec<Value>>(),
    });
    Event::Sessions(serde_json::from_value(sessions).unwrap())
}

#[test]
fn parts_of_a_poll_count_when_all_are_there_and_repetitions_do_not() {
    let mut story = Story::begin();
    let topic = "sessions/sense1/default";
    let parts: Vec<Value> = (1..=3)
        .map(|number| {
            story.event(
                topic,
                &part("sense1", "/", number, 3, 800 + usize::try_from(number).unwrap()),
            )
        })
        .collect();
    // In any order, some of them twice, and all of them once more at the end.
    for at in [1, 2, 1, 0, 2, 0, 1, 2] {
        story.step(parts[at].clone());
    }
    story.after(30);
    story.hears(topic, &part("sense1", "/", 1, 1, 3));
    let told = story.told();
    let counts = told.at("Footman sessions");
    assert_eq!(counts.len(), 2, "{counts:?}");
    // What came again is not taken for a poll of which something is missing.
    assert_eq!(told.page()["servers"][0]["proxies"][0]["incomplete"], 0);
    let count = &counts[0]["payload"];
    assert_eq!((&count["listed"], &count["sessions"]), (&json!(2_406), &json!(2_505)));
    assert_eq!((&count["users"], &count["excludedSessions"]), (&json!(1_999), &json!(2)));
    assert_eq!(told.page()["servers"][0]["sessions"], 2_505);
    assert!(!told.0.to_string().contains("somebody"), "a user is named");
}

#[test]
fn a_poll_with_a_missing_part_gives_way_to_the_next() {
    let mut story = Story::begin();
    let topic = "sessions/sense1/hdr";
    let lost = story.event(topic, &part("sense1", "/hdr", 2, 2, 5));
    story.hears(topic, &part("sense1", "/hdr", 1, 2, 7));
    story.after(30);
    story.hears(topic, &part("sense1", "/hdr", 1, 1, 4));
    // Older than what is counted.
    story.step(lost);
    story.after(30);
    story.hears(topic, &part("sense1", "/hdr", 1, 1, 6));
    let told = story.told();
    let counts = told.at("Footman sessions");
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert_eq!(counts[0]["payload"]["listed"], 4);
    assert_eq!(told.page()["servers"][0]["proxies"][0]["incomplete"], 1);
}

#[test]
fn virtual_proxies_count_apart_and_add_up_for_their_server() {
    let mut story = Story::begin();
    for (token, prefix) in [("default", "/"), ("hdr", "/hdr"), ("%64efault", "/default")] {
        story.hears(&format!("sessions/sense1/{token}"), &part("sense1", prefix, 1, 1, 3));
    }
    let told = story.told();
    let topics: Vec<Value> =
        told.at("Footman sessions").iter().map(|message| message["topic"].clone()).collect();
    assert_eq!(topics, ["sense1 /", "sense1 /hdr", "sense1 /default"]);
    assert_eq!(told.page()["servers"][0]["sessions"], 3 * 2_505);
}
