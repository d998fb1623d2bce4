//! The whole mapping: what is known of a site, and the messages that come of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shared::config::HomeAssistantDiscovery::{Component, Device as AsDevice};
use shared::event::{
    AppLists, Counters, EngineHealth, Health, Heartbeat, ProcessMemory, Server, Source,
};
use shared::heartbeat::HeardProgram;

use super::announced::Entry;
use super::device::{Device, Message};
use super::names::slug;
use super::*;
use crate::latest::{EndpointState, LastAnswer, LastPoll, Said, ServerState};

const PREFIX: &str = "homeassistant";
const INTERVAL: Duration = Duration::from_secs(30);

fn by() -> By {
    By { process: "collector".to_owned(), instance: "host.a".to_owned() }
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T08:15:30Z").unwrap()
}

fn server(name: &str, virtual_proxies: &[&str]) -> ServerState {
    let server = Arc::new(Server { name: name.to_owned(), ..Server::default() });
    let endpoint = |source, virtual_proxy: Option<&str>| EndpointState {
        server: Arc::clone(&server),
        source,
        virtual_proxy: virtual_proxy.map(str::to_owned),
        interval: INTERVAL,
        last: Some(LastPoll { time: now(), duration: INTERVAL }),
        answer: None,
        failing: None,
    };
    let mut engine = endpoint(Source::Health, None);
    let said = EngineHealth { version: Some("12.2054.4".to_owned()), ..EngineHealth::default() };
    let poll =
        shared::event::Poll { scheduled: now(), duration_ms: 1, interval_ms: 30_000, bytes: None };
    let health =
        Health { server: (*server).clone(), poll, health: said, apps: AppLists::default() };
    engine.answer = Some(LastAnswer::now(Said::Health(Arc::new(health)), now(), INTERVAL));
    ServerState {
        token: shared::subject::Token::new(name).as_str().to_owned(),
        health: Some(engine),
        sessions: virtual_proxies.iter().map(|vp| endpoint(Source::Sessions, Some(vp))).collect(),
        server,
    }
}

fn program(process: &str, instance: &str) -> HeardProgram {
    let beat = Heartbeat {
        process: process.to_owned(),
        instance: instance.to_owned(),
        version: "1.2.3".to_owned(),
        started: now(),
        uptime_s: 60,
        honest: true,
        why: None,
        memory: ProcessMemory::default(),
        counters: Counters::default(),
        uptime_monitor: false,
        settlements: None,
        publications: None,
    };
    HeardProgram { beat, time: now(), age: Duration::ZERO }
}

fn known(servers: &[ServerState], programs: &[HeardProgram]) -> Vec<Known> {
    site::known("qliksense", &Topics::new("qliksense"), &by(), servers, programs)
}

fn devices(known: Vec<Known>) -> Vec<Device> {
    known.into_iter().map(|one| one.device).collect()
}

/// Messages as a person reads them: topic, then the payload over several lines, without the version
/// of this program.
fn shown(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let mut payload: Value =
            serde_json::from_slice(&message.payload(&BTreeMap::new())).unwrap();
        payload["origin"]["sw_version"] = "(this version)".into();
        let payload = serde_json::to_string_pretty(&payload).unwrap();
        text.extend([message.topic.as_str(), "\n", &payload, "\n"]);
    }
    text
}

/// Compares with a file in `golden`; a difference is written to the folder of temporary files.
fn is_golden(name: &str, golden: &str, found: &str) {
    if golden != found {
        let written = std::env::temp_dir().join(name);
        std::fs::write(&written, found).unwrap();
        panic!("{name} differs; what was found is in {}", written.display());
    }
}

#[test]
fn a_server_in_the_form_of_a_device() {
    let [device] = &devices(known(&[server("sense1.corp.com", &["/", "/hdr"])], &[]))[..] else {
        panic!("one device")
    };
    let found = shown(&device.messages(PREFIX, AsDevice));
    is_golden("server-device.txt", include_str!("golden/server-device.txt"), &found);
}

#[test]
fn programs_in_the_form_of_devices() {
    let programs = [program("collector", "host.a"), program("writer", "w")];
    let devices = devices(known(&[], &programs));
    let messages: Vec<Message> =
        devices.iter().flat_map(|device| device.messages(PREFIX, AsDevice)).collect();
    is_golden("program-devices.txt", include_str!("golden/program-devices.txt"), &shown(&messages));
}

#[test]
fn a_server_in_the_form_of_components() {
    let mut one = server("sense1", &["/"]);
    one.health = None;
    let devices = devices(known(&[one], &[]));
    let found = shown(&devices[0].messages(PREFIX, Component));
    is_golden("server-components.txt", include_str!("golden/server-components.txt"), &found);
}

#[test]
fn both_forms_say_the_same_of_each_entity() {
    let known = known(&[server("a b", &["/", "/x"])], &[program("footman", "f")]);
    for device in devices(known) {
        let whole = &device.messages(PREFIX, AsDevice)[0];
        let whole: Value = serde_json::from_slice(&whole.payload(&BTreeMap::new())).unwrap();
        let apart = device.messages(PREFIX, Component);
        assert_eq!(apart.len(), whole["components"].as_object().unwrap().len());
        for (message, entity) in apart.iter().zip(&device.entities) {
            let mut alone: Value =
                serde_json::from_slice(&message.payload(&BTreeMap::new())).unwrap();
            let mut part = whole["components"][&entity.key].clone();
            let platform = part.as_object_mut().unwrap().remove("platform").unwrap();
            assert!(
                message.topic.starts_with(&format!("{PREFIX}/{}/", platform.as_str().unwrap()))
            );
            // What the device says for all of them.
            for shared in ["state_topic", "availability", "availability_mode", "device", "origin"] {
                if part.get(shared).is_none() {
                    part[shared] = whole[shared].clone();
                }
            }
            assert_eq!(part.take(), alone.take(), "{}", message.topic);
        }
    }
}

#[test]
fn topics_and_ids_fit_whatever_the_names_are() {
    let names = ["sense1", "sense1.corp.com", "a/b", "a b", "a_b", "Zürich", "服务器", "", "A\"#+"];
    let servers: Vec<ServerState> = names.iter().map(|name| server(name, &["/", "/x.y"])).collect();
    let programs =
        [program("writer", "host.b"), program("writer", "ho st"), program("footman", "f")];
    let (mut topics, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let devices = devices(known(&servers, &programs));
    for form in [AsDevice, Component] {
        for message in devices.iter().flat_map(|device| device.messages(PREFIX, form)) {
            let fits = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
            assert!(message.topic.chars().all(fits), "{}", message.topic);
            let levels: Vec<&str> = message.topic.split('/').collect();
            assert!(levels.len() == 5 && !levels.contains(&""), "{}", message.topic);
            assert!(topics.insert(message.topic.clone()), "{} is there twice", message.topic);
            if form == Component {
                let said: Value =
                    serde_json::from_slice(&message.payload(&BTreeMap::new())).unwrap();
                assert!(ids.insert(said["unique_id"].to_string()), "{said}");
                assert!(
                    said.get("object_id").is_none() && said["device"]["identifiers"].is_array()
                );
                if let Some(id) = said.get("default_entity_id") {
                    let platform = levels[1];
                    assert!(id.as_str().unwrap().starts_with(&format!("{platform}.")), "{id}");
                }
            }
        }
    }
}

#[test]
fn entities_are_found_under_the_names_that_people_see() {
    let known = known(&[server("sense1", &["/", "/hdr"])], &[program("footman", "f")]);
    for device in devices(known) {
        for entity in &device.entities {
            assert_eq!(slug(&entity.name).as_deref(), Some(entity.key.as_str()));
            assert!(!entity.name.contains(&device.name));
        }
    }
}

#[test]
fn every_member_of_a_template_is_one_of_the_state_topics() {
    let servers = [server("sense1", &["/", "/a-b", "/a_b"])];
    let said = crate::state_topics::server_payload(&servers[0], &by());
    let said: serde_json::Map<String, Value> = serde_json::from_slice(&said).unwrap();
    let members: BTreeSet<String> = said.keys().cloned().collect();
    let device = &devices(known(&servers, &[]))[0];
    let text = shown(&device.messages(PREFIX, AsDevice));
    let used: BTreeSet<String> = text
        .split(".get('")
        .skip(1)
        .filter_map(|rest| rest.split_once('\'').map(|(member, _)| member.to_owned()))
        .collect();
    assert!(used.len() > 20 && used.contains("proxy_sessions_a_b_2"), "{used:?}");
    assert_eq!(used.difference(&members).collect::<Vec<_>>(), Vec::<&String>::new());
}

fn judgement(knows_servers: bool) -> Judgement {
    Judgement { knows_servers, now: now() }
}

/// The topics that a step clears, and those that it keeps.
fn topics_of(step: &Step) -> (Vec<&str>, Vec<&str>) {
    let keep = step.keep.iter().map(|(topic, _)| topic.as_str()).collect();
    (step.clear.iter().map(String::as_str).collect(), keep)
}

#[test]
fn what_leaves_is_taken_back_once_it_is_known_who_is_there() {
    let both = known(&[server("a", &[]), server("b", &[])], &[]);
    let (one, other) =
        ("homeassistant/device/qliksense/a/config", "homeassistant/device/qliksense/b/config");
    let step = Announced::default().step(&both, PREFIX, AsDevice, judgement(true));
    assert_eq!(topics_of(&step), (vec![], vec![one, other]));
    let unsure = step.told.step(&both[..1], PREFIX, AsDevice, judgement(false));
    assert!(topics_of(&unsure) == (vec![], vec![one]) && unsure.waits);
    assert!(unsure.after.0.contains_key(other));
    let sure = unsure.told.step(&both[..1], PREFIX, AsDevice, judgement(true));
    assert!(topics_of(&sure) == (vec![other], vec![one]) && !sure.waits);
    assert!(!sure.after.0.contains_key(other) && !sure.told.0.contains_key(other));
}

#[test]
fn a_server_that_was_never_polled_is_neither_announced_nor_taken_back() {
    let mut polled = known(&[server("a", &[])], &[]);
    let before = Announced::default().step(&polled, PREFIX, AsDevice, judgement(true));
    polled[0].is_ready = false;
    let first = Announced::default().step(&polled, PREFIX, AsDevice, judgement(true));
    assert_eq!((topics_of(&first), first.after.0.len()), ((vec![], vec![]), 0));
    let again = before.after.step(&polled, PREFIX, AsDevice, judgement(true));
    assert_eq!(topics_of(&again), (vec![], vec![]));
    assert_eq!(again.after, before.after);
}

#[test]
fn a_component_that_leaves_is_dropped_by_name_for_as_long_as_the_program_runs() {
    let two = known(&[server("a", &["/", "/x"])], &[]);
    let one = known(&[server("a", &["/"])], &[]);
    let before = Announced::default().step(&two, PREFIX, AsDevice, judgement(true));
    let said = |step: &Step| -> Value { serde_json::from_slice(&step.keep[0].1).unwrap() };
    let dropping = before.after.step(&one, PREFIX, AsDevice, judgement(true));
    let dropped = serde_json::json!({ "platform": "sensor" });
    assert_eq!(said(&dropping)["components"]["sessions_x"], dropped);
    let still = dropping.told.step(&one, PREFIX, AsDevice, judgement(true));
    assert_eq!(said(&still)["components"]["sessions_x"], dropped);
    // The next run has done with it.
    let next = dropping.after.step(&one, PREFIX, AsDevice, judgement(true));
    assert!(said(&next)["components"].get("sessions_x").is_none());
    let back = still.told.step(&two, PREFIX, AsDevice, judgement(true));
    assert!(said(&back)["components"]["sessions_x"]["unique_id"].is_string());
}

#[test]
fn a_program_is_forgotten_after_a_day() {
    let announced = |hours| {
        let last_beat = Some(now().minus(Duration::from_hours(hours)));
        Announced([("t".to_owned(), Entry { last_beat, ..Entry::default() })].into())
    };
    let step = |hours| announced(hours).step(&[], PREFIX, AsDevice, judgement(true));
    assert!(step(23).clear.is_empty() && step(23).waits);
    assert_eq!(step(25).clear, ["t"]);
}

#[test]
fn another_form_and_another_prefix_are_told_apart() {
    let topics = ["ha/device/q/a/config", "ha/sensor/q_a-1/cpu/config", "old/device/q/a/config"];
    let announced =
        Announced(topics.iter().map(|topic| ((*topic).to_owned(), Entry::default())).collect());
    assert_eq!(announced.of_another("ha", AsDevice), [topics[1], topics[2]]);
    assert_eq!(announced.of_another("ha", Component), [topics[0], topics[2]]);
}
