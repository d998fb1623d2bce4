//! Somebody else publishes where events are: what is no event, what is a newer one, what is absurd.
//!
//! Each lies in the dead letters with its reason, or the broker does not take it; the writer goes
//! on, and every true event around it is stored once.

use std::sync::Arc;

use integration_tests::influxd::Influxd;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::programs::House;
use serde_json::{Value, json};
use shared::broker::{Broker, DeadLetter, DeadLetters};
use shared::config;
use shared::readiness::Readiness;

use crate::brokers::{MqttBroker, NatsBroker, SharedBroker};
use crate::site;

/// Larger than NATS takes as it comes; mosquitto takes 268 MB.
const HUGE: usize = 5_000_000;
const GROUP: &str = "influxdb";

/// What becomes of something that somebody publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A letter whose reason holds these words.
    Letter(&'static str),
    /// It is an event: it is stored.
    Stored,
    /// The broker does not take it.
    Refused,
}

use Fate::{Letter, Refused, Stored};

struct Poison {
    topic: &'static str,
    payload: Vec<u8>,
    fate: Fate,
}

fn poison(topic: &'static str, payload: impl Into<Vec<u8>>, fate: Fate) -> Poison {
    Poison { topic, payload: payload.into(), fate }
}

/// An event of an app that somebody else made up, stored under the app's id.
fn foreign(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": "01JDAXQ5Y6V1V4M3Q2W1E0R9T8", "source": "/somebody/else",
        "type": "qliksense.app-names.v1", "subject": "x", "time": "2026-11-21T08:15:30.000000001Z",
        "data": {"repository": "foreign", "part": 1, "parts": 1, "full": false,
                 "poll": {"scheduled": "2026-11-21T08:15:30Z", "durationMs": 1, "intervalMs": 1000},
                 "apps": [{"id": id, "name": "x"}]},
    })
}

/// The same with another member, which is given as it stands in JSON.
fn with(pointer: &str, raw: &str) -> String {
    let mut event = foreign("never");
    event["id"] = "1".into();
    *event.pointer_mut(pointer).unwrap() = "PLACE".into();
    event.to_string().replace("\"PLACE\"", raw)
}

/// Sessions of a server with a tag of this length.
fn tagged(bytes: usize) -> String {
    let mut event = foreign("never");
    event["id"] = format!("sessions {bytes}").into();
    event["type"] = "qliksense.sessions.v1".into();
    event["data"] = json!({
        "server": {"name": "foreign", "host": "f:1", "tags": {"t": "x".repeat(bytes)}},
        "poll": event["data"]["poll"], "virtualProxy": "/", "host": "f:2", "part": 1, "parts": 1,
        "sessionCount": 0, "excludedSessionCount": 0, "userCount": 0, "sessions": [],
    });
    event.to_string()
}

/// The health of an engine whose line about its apps has 550 kB, at a time that InfluxDB refuses.
fn long_line() -> String {
    let mut event = foreign("never");
    event["type"] = "qliksense.health.v1".into();
    event["time"] = "2262-04-11T23:47:16.854775807Z".into();
    let docs = vec!["x".repeat(60_000)];
    let apps: Vec<Value> = ["SessionApp".to_owned() + &docs[0], docs[0].clone()]
        .iter()
        .map(|id| json!({"id": id}))
        .collect();
    event["data"] = json!({
        "server": {"name": "foreign", "host": "f:1"}, "poll": event["data"]["poll"],
        "health": {"apps": {"active_docs": docs, "loaded_docs": docs, "in_memory_docs": docs}},
        "apps": {"active": apps, "loaded": apps, "inMemory": apps},
    });
    event.to_string()
}

fn poisons(takes_huge: bool) -> Vec<Poison> {
    let no_event = Letter("no CloudEvents event");
    let huge = if takes_huge { Letter("only the first") } else { Refused };
    let bad_data = Letter("cannot be read");
    let health = "qliksense/v1/health/foreign";
    let names = "qliksense/v1/app-names/foreign";
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut deep_member = foreign("deep").to_string();
    deep_member.insert_str(1, &format!("\"deep\":{deep},"));
    vec![
        poison(health, b"\xff\xfe\x00no event", no_event),
        poison(health, "", no_event),
        poison(health, r#"{"id": 1, "temperature": 21.5}"#, no_event),
        poison(health, r#"{"id": "1", "temperature": 21.5}"#, no_event),
        poison(health, r#"{"id": "1", "temperature": 22.5}"#, no_event),
        poison(names, with("/specversion", "\"0.3\""), Letter("specversion")),
        poison(names, with("/type", "\"com.example.invoice\""), Letter("com.example.invoice")),
        poison(health, with("/type", "\"qliksense.health.v2\""), Letter("qliksense.health.v2")),
        poison(names, with("/type", &format!("\"{}\"", "t".repeat(800_000))), Letter("ttt")),
        poison(names, with("/type", &format!("\"{}\"", "\\u0001".repeat(100_000))), Letter("{1}")),
        poison(names, with("/time", "\"1969-12-31T23:59:59Z\""), no_event),
        poison(names, with("/time", "1732176930"), no_event),
        poison(names, with("/data/poll/durationMs", "1e400"), bad_data),
        poison(names, with("/data/poll/durationMs", "-1"), bad_data),
        poison(names, with("/data/poll/durationMs", "18446744073709551616"), bad_data),
        poison(names, with("/data/poll/durationMs", "\"12\""), bad_data),
        poison(names, with("/data/apps", "{}"), bad_data),
        poison(names, deep.clone(), no_event),
        poison(names, with("/data", &deep), bad_data),
        // Accepted by us, and not by InfluxDB.
        poison(names, with("/time", "\"2262-04-11T23:47:16.854775807Z\""), Letter("time outside")),
        poison(health, long_line(), Letter("time outside")),
        poison(health, tagged(65_450), Letter("max key length exceeded")),
        poison(health, tagged(300_000), Letter("InfluxDB takes")),
        // Events all the same, wherever they come.
        poison(names, foreign("plain").to_string(), Stored),
        poison("qliksense/v1/sessions/a/b/c", foreign("elsewhere").to_string(), Stored),
        poison(names, deep_member, Stored),
        poison(health, vec![b'!'; HUGE], huge),
        poison(health, format!("\"{}\"", "x".repeat(HUGE)), huge),
    ]
}

async fn poison_stops_nobody(mut broker: impl SharedBroker, takes_huge: bool) {
    let (site, influxd) = (site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    writer.start().await;
    collector.start().await;
    collector.ready().await;
    site::serves(&site, 1).await;
    let poisons = poisons(takes_huge);
    for (number, poison) in poisons.iter().enumerate() {
        let taken = broker.publish(poison.topic, &poison.payload).await;
        assert_eq!(taken, poison.fate != Refused, "{number}: {}", poison.topic);
        if number % 7 == 0 {
            site::serves(&site, 1).await;
        }
    }
    letters_are(&house, &poisons).await;
    for app in ["plain", "elsewhere", "deep"] {
        let query = format!("SELECT \"name\" FROM app_names WHERE app_id = '{app}'");
        let what = format!("the foreign event {app}");
        eventually(&what, || async { influxd.value("senseops", &query, "name").await }).await;
    }
    site::serves(&site, 1).await;
    site::everything_is_stored(&site, &influxd).await;
    let ended = writer.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", writer.printed());
}

/// Waits until each poison lies in a letter of its own, with its reason.
async fn letters_are(house: &House, poisons: &[Poison]) {
    let letters = letters_of(house).await;
    let found = |found: Vec<DeadLetter>| {
        let words = poisons.iter().filter_map(|poison| match poison.fate {
            Letter(words) => Some((words, poison.topic, &poison.payload)),
            Stored | Refused => None,
        });
        let missing = words.filter(|(words, topic, payload)| {
            !found.iter().any(|letter| {
                let kept = letter.payload().unwrap_or_default();
                let whole = kept.len() == payload.len() || letter.reason.contains("only the first");
                whole
                    && payload.starts_with(&kept)
                    && letter.subject == *topic
                    && letter.reason.contains(words)
            })
        });
        missing.map(|(words, ..)| words).collect::<Vec<_>>()
    };
    eventually_equal("a letter for each poison", Vec::new(), || async {
        letters.list().await.map_or_else(|_unavailable| vec!["all"], found)
    })
    .await;
    let letters = letters.list().await.unwrap();
    assert_eq!(letters.len(), poisons.iter().filter(|poison| is_letter(poison)).count());
    for letter in letters {
        assert!(
            letter.event_id.len() <= 120 && letter.reason.len() < 20_000,
            "{}",
            letter.event_id
        );
    }
}

fn is_letter(poison: &Poison) -> bool {
    matches!(poison.fate, Letter(_))
}

async fn letters_of(house: &House) -> Arc<dyn DeadLetters> {
    let loaded = config::load(&house.directory().join("footman.yaml"), []).unwrap();
    let (broker, readiness) = (loaded.config.broker, Readiness::default());
    let broker = Broker::connect(&broker, "test", "letters", &readiness).await.unwrap().unwrap();
    broker.dead_letters(GROUP)
}

mod nats {
    use crate::brokers::SharedBroker as _;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn poison_stops_nobody() {
        super::poison_stops_nobody(super::NatsBroker::prepare(), false).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn poison_of_any_size_stops_nobody() {
        super::poison_stops_nobody(super::NatsBroker::roomy(), true).await;
    }
}

mod mqtt {
    use crate::brokers::SharedBroker as _;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn poison_stops_nobody() {
        super::poison_stops_nobody(super::MqttBroker::prepare(), true).await;
    }
}
