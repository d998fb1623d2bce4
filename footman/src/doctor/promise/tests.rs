//! The promise of each broker, as texts: they are what an operator relies on.

use std::path::Path;

use shared::config::Config;

use super::*;
use crate::doctor::report::Survives;

const INFLUXDB: &str = "  influxdbConfig: {enable: true, host: a, port: 8086, version: 1, v1Config: \
                        {auth: {enable: false}, dbName: d, retentionPolicy: {name: p, duration: 10d}}}\n";

fn config(broker: &str) -> Config {
    let text = format!("Butler-SOS:\n  broker: {broker}\n{INFLUXDB}");
    shared::config::from_text(&text, Path::new("f.yaml"), []).unwrap().config
}

fn told(config: &Config, broker: BrokerSeen) -> Vec<(&'static str, Survives, String)> {
    // 14,400 answers of 8,800 bytes, with their envelopes, and the beats: 155.52 MB a day.
    let rate = Rate::of(8_800, Duration::from_secs(6));
    let seen = Seen { broker, rate, outbox_free: Some(100 << 30), outbox_used: 0 };
    let promises = promise(config, &seen).into_iter();
    promises.map(|promise| (promise.trouble, promise.survives, promise.text)).collect()
}

fn of<'a>(told: &'a [(&'static str, Survives, String)], trouble: &str) -> (Survives, &'a str) {
    let (_, survives, text) = told.iter().find(|(key, _, _)| *key == trouble).unwrap();
    (*survives, text)
}

fn queue() -> EmbeddedSeen {
    EmbeddedSeen {
        max_bytes: 1 << 30,
        max_age: Duration::from_hours(7 * 24),
        used: 0,
        free: Some(50 << 30),
    }
}

fn stream() -> StreamSeen {
    StreamSeen {
        on_disk: true,
        replicas: 1,
        refuses_when_full: true,
        work_queue: true,
        max_bytes: Some(10 << 30),
        max_age: Some(Duration::from_hours(7 * 24)),
        bytes: 0,
    }
}

#[test]
fn every_trouble_has_its_promise() {
    let config = config("{type: embedded}");
    let told = told(&config, BrokerSeen::Embedded(queue()));
    let troubles: Vec<_> = told.iter().map(|(trouble, _, _)| *trouble).collect();
    let all =
        ["processKilled", "hostCrash", "influxdbAway", "brokerAway", "brokerKilled", "diskFull"];
    assert_eq!(troubles, all);
}

#[test]
fn embedded() {
    let config = config("{type: embedded}");
    let told = told(&config, BrokerSeen::Embedded(queue()));
    assert_eq!(
        of(&told, "influxdbAway"),
        (Survives::Yes, "for about 6 d 21 h: the queue has 1 GiB of room at the rate seen now")
    );
    assert_eq!(of(&told, "brokerAway").0, Survives::Yes);
    let (survives, text) = of(&told, "diskFull");
    assert_eq!(survives, Survives::Partly);
    assert!(text.ends_with("Free now: 50 GiB."), "{text}");

    // What the disk does not have is not promised, nor what is older than maxAge.
    let small = EmbeddedSeen { free: Some(64 << 20), ..queue() };
    let told_small = self::told(&config, BrokerSeen::Embedded(small));
    let (_, text) = of(&told_small, "influxdbAway");
    assert!(text.starts_with("for about 10 h 21 min: the queue has 64 MiB"), "{text}");
    let old = EmbeddedSeen { max_age: Duration::from_hours(24), ..queue() };
    let told_old = self::told(&config, BrokerSeen::Embedded(old));
    let (_, text) = of(&told_old, "influxdbAway");
    assert!(text.starts_with("for 1 d (maxAge)"), "{text}");
}

#[test]
fn nats() {
    let config = config("{type: nats}");
    let told_of = |stream| told(&config, BrokerSeen::Nats(Some(NatsSeen { stream })));
    let one = told_of(Some(stream()));
    let (survives, text) = of(&one, "hostCrash");
    assert_eq!(survives, Survives::Yes);
    assert!(text.contains("published again from the outbox, which keeps 5 min"), "{text}");
    let (_, text) = of(&one, "influxdbAway");
    assert!(text.starts_with("for 7 d (maxAge): the stream has 10 GiB"), "{text}");
    assert!(text.contains("waits in the outbox (1 GiB, about 6 d 21 h more)"), "{text}");
    assert_eq!(of(&one, "brokerKilled").0, Survives::Yes);
    let (_, text) = of(&one, "brokerAway");
    assert!(text.starts_with("for about 6 d 21 h: the outbox has 1 GiB"), "{text}");

    let three = told_of(Some(StreamSeen { replicas: 3, ..stream() }));
    assert!(of(&three, "hostCrash").1.contains("3 servers have the stream"));
    let memory = told_of(Some(StreamSeen { on_disk: false, ..stream() }));
    assert_eq!(of(&memory, "hostCrash").0, Survives::No);
    assert_eq!(of(&memory, "brokerKilled").0, Survives::No);
    let dropping = told_of(Some(StreamSeen { refuses_when_full: false, ..stream() }));
    assert_eq!(of(&dropping, "influxdbAway").0, Survives::Partly);
    let limits = told_of(Some(StreamSeen { work_queue: false, ..stream() }));
    assert!(of(&limits, "influxdbAway").1.contains("Acked events count as well"));
    let unseen = told(&config, BrokerSeen::Nats(None));
    assert_eq!(of(&unseen, "brokerKilled").0, Survives::Unseen);
    assert!(of(&unseen, "influxdbAway").1.starts_with("as configured, "));
}

#[test]
fn a_short_replay_window_covers_less() {
    let text = "Butler-SOS:\n  broker: {type: nats}\n  collector: {outbox: {replayWindow: 30s}}\n";
    let config = shared::config::from_text(text, Path::new("f.yaml"), []).unwrap().config;
    let told = told(&config, BrokerSeen::Nats(Some(NatsSeen { stream: Some(stream()) })));
    let (survives, text) = of(&told, "hostCrash");
    assert_eq!(survives, Survives::Partly);
    assert!(text.contains("keeps only 30 s"), "{text}");
    assert_eq!(of(&told, "influxdbAway"), (Survives::Yes, "no InfluxDB is configured"));
}

#[test]
fn mqtt() {
    let config = config("{type: mqtt, mqtt: {sessionExpiry: 3d}}");
    let seen = MqttSeen { groups_without_slots: vec!["influxdb".to_owned()] };
    let told = told(&config, BrokerSeen::Mqtt(Some(seen)));
    let (survives, text) = of(&told, "brokerKilled");
    assert_eq!(survives, Survives::Unseen);
    assert!(text.contains("autosave_interval has to be below that"), "{text}");
    let (_, text) = of(&told, "influxdbAway");
    assert!(text.starts_with("the group influxdb has no slot yet"), "{text}");
    assert!(text.contains("a slot without a writer for 3 d (sessionExpiry)"), "{text}");
    assert!(of(&told, "processKilled").1.contains("for 3 d"));
}

#[test]
fn without_answers_no_time_is_made_up() {
    let config = config("{type: embedded}");
    let seen = Seen {
        broker: BrokerSeen::Embedded(queue()),
        rate: Rate::default(),
        outbox_free: None,
        outbox_used: 0,
    };
    let told = promise(&config, &seen);
    let away = told.iter().find(|promise| promise.trouble == "influxdbAway").unwrap();
    assert!(away.text.contains("no answer was seen to reckon with"), "{}", away.text);
}
