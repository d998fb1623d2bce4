//! The predecessor's topics at a broker of their own, each compared with what the site served.

use std::collections::BTreeSet;

use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::{Mosquitto, password_file};
use integration_tests::patience::eventually;
use integration_tests::programs::FootmanRun;
use serde_json::Value;
use shared::secret::Secret;
use simulator::{HealthFacts, Site};

use super::ear::Ear;
use super::{file, served, site};

const PASSWORD: &str = "MARKER-password";
const USER: &str = "MARKER-user";

/// `footman run` with the predecessor's topics at this port, as a user who needs a password.
fn footman(site: &Site, influxd: &Influxd, port: u16) -> FootmanRun {
    FootmanRun::prepare(|broker| {
        let login = format!("username: \"{USER}\", password: \"{PASSWORD}\"");
        let collector = format!("  collector:\n    predecessorTopics: {{{login}}}\n");
        let mqtt = format!(
            "mqttConfig: {{enable: true, brokerHost: 127.0.0.1, brokerPort: {port}, baseTopic: \
             butler-sos/}}"
        );
        file(site, influxd, format!("{broker}{collector}"))
            .replace("mqttConfig: {enable: false}", &mqtt)
    })
}

/// The texts of an answer by the ends of their topics, but for the documents, of which the ledger
/// has the numbers.
fn texts(facts: &HealthFacts) -> Vec<(&'static str, String)> {
    let ratio = (facts.cache_hits as f64 / facts.cache_lookups as f64 * 100.0).floor();
    vec![
        ("version", facts.version.clone()),
        ("started", facts.started.clone()),
        ("mem/comitted", facts.committed.to_string()),
        ("mem/allocated", facts.allocated.to_string()),
        ("mem/free", facts.free.to_string()),
        ("cpu/total", facts.cpu_total.to_string()),
        ("session/active", facts.session_active.to_string()),
        ("session/total", facts.session_total.to_string()),
        ("apps/selections", facts.selections.to_string()),
        ("users/active", facts.users_active.to_string()),
        ("users/total", facts.users_total.to_string()),
        ("cache/hits", facts.cache_hits.to_string()),
        ("cache/lookups", facts.cache_lookups.to_string()),
        ("cache/added", facts.cache_added.to_string()),
        ("cache/replaced", facts.cache_replaced.to_string()),
        ("cache/bytes_added", facts.cache_bytes_added.to_string()),
        ("saturated", facts.saturated.to_string()),
        ("cache/hit_ratio", ratio.to_string()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_is_on_the_predecessors_topics() {
    let (site, influxd) = (site().await, Influxd::start().await);
    let mut mosquitto = Mosquitto::start_with(|directory| {
        let file = directory.join("passwords");
        password_file(&file, USER, &Secret::new(PASSWORD));
        format!("allow_anonymous true\npassword_file {}\n", file.display())
    })
    .await;
    let mut ear = Ear::at(mosquitto.port());
    eventually("the ear", || async { ear.client.standing().borrow().is_connected().then_some(()) })
        .await;
    let mut footman = footman(&site, &influxd, mosquitto.port());
    footman.start().await;
    let root = format!("butler-sos/{}", site.servers()[0].address());
    let last = format!("{root}/cache/hit_ratio");
    ear.until("a whole answer", |topic, _| (topic == last).then_some(())).await;
    let calls = ear.heard(&format!("{root}/apps/calls"))[0].parse().unwrap();
    let facts = served(&site, 0, calls).unwrap();
    for (end, text) in texts(&facts) {
        assert_eq!(ear.heard(&format!("{root}/{end}"))[0], text, "{end}");
    }
    for (list, length) in [
        ("active_docs", facts.active_docs),
        ("loaded_docs", facts.loaded_docs),
        ("in_memory_docs", facts.in_memory_docs),
    ] {
        let documents = &ear.heard(&format!("{root}/apps/{list}"))[0];
        let count = documents.split(',').filter(|id| !id.is_empty()).count();
        assert_eq!(count, length, "{list}: {documents}");
    }
    let prefix = format!("{root}/usersession/");
    let sessions = ear
        .until("sessions", |topic, said| {
            topic.starts_with(&prefix).then(|| String::from_utf8(said.to_vec()).unwrap())
        })
        .await;
    assert!(sessions == "[]" || sessions.starts_with("[\n  {\n    \""), "{sessions}");
    let ids = |list: &[Value]| -> BTreeSet<String> {
        list.iter().map(|one| one["SessionId"].as_str().unwrap().to_owned()).collect()
    };
    let told = ids(&serde_json::from_str::<Vec<Value>>(&sessions).unwrap());
    let entries = site.ledger().entries();
    let mut lists = entries.iter().filter(|entry| entry.server == 0).filter_map(|entry| {
        let sessions = entry.facts.sessions()?.iter();
        Some(sessions.map(|session| session.session_id.to_string()).collect::<BTreeSet<_>>())
    });
    assert!(lists.any(|list| list == told), "{sessions}");

    // A broker that is away makes nothing unready; back again, it is told what is new.
    mosquitto.kill();
    let connected = "collector_announcer_connected";
    eventually("the broker to be missed", || async {
        (footman.metric(connected).await == Some(0.0)).then_some(())
    })
    .await;
    footman.ready().await;
    mosquitto.restart().await;
    let before = ear.heard(&last).len();
    ear.until("an answer again", |topic, _| (topic == last).then_some(())).await;
    assert!(ear.heard(&last).len() > before);
    footman.process().terminate().await;
    // Nothing of it was retained.
    let mut late = Ear::at(mosquitto.port());
    late.client.tell("fence".to_owned(), "1", false);
    late.text("fence", "1").await;
    assert_eq!(late.topics(), ["fence"]);
    let printed = footman.printed();
    assert!(printed.contains("The broker of the predecessor's topics is missing"), "{printed}");
    assert!(!printed.contains("MARKER"), "{printed}");
}
