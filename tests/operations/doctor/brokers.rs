//! NATS and mosquitto as they are found: empty, used, closed, and not as the programs want them.

use async_nats::jetstream::stream::{Config, StorageType};
use integration_tests::mosquitto::{Mosquitto, password_file};
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::broker::nats::{Nats, NatsSettings, Timing};
use shared::readiness::Readiness;
use shared::secret::Secret;

use super::doctor;

const USERS: &str = r#"
authorization {
  users = [
    { user: everything, password: "EVERYTHING-MARKER" }
    { user: collector-user, password: "COLLECTOR-MARKER", permissions: {
      publish: [ "qliksense.v1.health.>" ], subscribe: [ "_INBOX.>" ] } }
  ]
}
"#;
const MARKERS: [&str; 4] =
    ["EVERYTHING-MARKER", "COLLECTOR-MARKER", "WRONG-MARKER", "collector-user"];

/// A configuration with a broker and nothing else, whose pages take any port.
fn config(broker: &str) -> String {
    format!(
        "Butler-SOS:\n  broker: {broker}\n  collector: {{http: {{listen: \"127.0.0.1:0\"}}}}\n  writer: \
         {{http: {{listen: \"127.0.0.1:0\"}}}}\n"
    )
}

fn nats(server: &NatsServer, user: &str, password: &str, stream: &str) -> String {
    let port = server.port();
    config(&format!(
        "{{type: nats, nats: {{servers: [\"nats://127.0.0.1:{port}\"], username: {user}, password: \
         {password}, stream: {stream}, maxBytes: 256MiB}}, deadLetters: {{maxBytes: 64MiB}}}}"
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_streams_of_nats_are_read_and_not_made() {
    let server = NatsServer::start_with(USERS).await;
    let all = |stream: &str| nats(&server, "everything", "EVERYTHING-MARKER", stream);
    let looked = doctor(&all("QLIKSENSE")).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.hides(&MARKERS);
    looked
        .has(["broker", "NATS at", "server", "ok"], &["nats-server 2.", "with JetStream", "1 MiB"]);
    looked.has(["broker", "QLIKSENSE", "stream", "note"], &["does not exist yet"]);
    looked.has(["broker", "QLIKSENSE", "dead-letters", "note"], &["does not exist yet"]);
    looked.has(["broker", "QLIKSENSE", "consumer", "note"], &["does not exist yet"]);

    let options = async_nats::ConnectOptions::with_user_and_password(
        "everything".to_owned(),
        "EVERYTHING-MARKER".to_owned(),
    );
    let client = options.connect(format!("127.0.0.1:{}", server.port())).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    assert!(jetstream.get_stream("QLIKSENSE").await.is_err(), "a stream was made");
    let memory = Config {
        name: "VOLATILE".to_owned(),
        subjects: vec!["qliksense.v1.health.>".to_owned()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    jetstream.create_stream(memory).await.unwrap();
    let looked = doctor(&all("VOLATILE")).await;
    assert_eq!(looked.code, Some(1), "{}", looked.printed);
    looked.has(["broker", "VOLATILE", "stream", "fault"], &["in memory by 1 server"]);
    looked.has(["broker", "VOLATILE", "stream", "warning"], &["retention", "WorkQueue"]);
    assert_eq!(looked.promise("brokerKilled").0, "no");
    jetstream.delete_stream("VOLATILE").await.unwrap();

    // As a program makes them.
    let readiness = Readiness::default();
    let settings = NatsSettings {
        name: "test".to_owned(),
        topic_prefix: "qliksense".to_owned(),
        dead_letters_max_bytes: 64 << 20,
        timing: Timing::default(),
    };
    let program = server.config_of("everything", "EVERYTHING-MARKER");
    let program =
        shared::config::Nats { max_age: std::time::Duration::from_hours(7 * 24), ..program };
    let program = Nats::connect(&program, &settings, readiness.dependency("broker")).await.unwrap();
    let _consumer = program.consumer("influxdb");
    eventually("the consumer", || async {
        let stream = jetstream.get_stream("QLIKSENSE").await.ok()?;
        stream.consumer_info("influxdb").await.ok()
    })
    .await;
    let looked = doctor(&all("QLIKSENSE")).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.has(
        ["broker", "QLIKSENSE", "stream", "ok"],
        &["0 messages", "256 MiB", "for 7 d on disk by 1 server"],
    );
    looked.has(["broker", "QLIKSENSE", "consumer", "ok"], &["0 messages wait"]);
    // The password in the file is warned of elsewhere.
    let sections = looked.report["sections"].as_array().unwrap().iter();
    let of_broker = sections.filter(|section| section["area"] == "broker");
    let mut findings = of_broker.flat_map(|section| section["findings"].as_array().unwrap());
    assert!(findings.all(|finding| finding["verdict"] != "warning"), "{}", looked.printed);
    assert_eq!(looked.promise("brokerKilled").0, "yes");

    // Who may see little is told so, and nothing is wrong with that.
    let few = doctor(&nats(&server, "collector-user", "COLLECTOR-MARKER", "QLIKSENSE")).await;
    assert_eq!(few.code, Some(0), "{}", few.printed);
    few.hides(&MARKERS);
    few.has(["broker", "QLIKSENSE", "stream", "note"], &["$JS.API.STREAM.INFO.QLIKSENSE"]);
    let wrong = doctor(&nats(&server, "collector-user", "WRONG-MARKER", "QLIKSENSE")).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.printed);
    wrong.hides(&MARKERS);
    wrong.has(["broker", "QLIKSENSE", "login", "fault"], &["broker.nats.password"]);
}

fn mqtt(mosquitto: &Mosquitto, credentials: &str) -> String {
    let port = mosquitto.port();
    config(&format!("{{type: mqtt, mqtt: {{url: \"mqtt://127.0.0.1:{port}\"{credentials}}}}}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_records_of_mosquitto_are_read() {
    let mosquitto = Mosquitto::start().await;
    let looked = doctor(&mqtt(&mosquitto, "")).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.has(["broker", "MQTT", "login", "ok"], &["mosquitto version 2."]);
    looked.has(["broker", "MQTT", "slots", "note"], &["influxdb has no slot"]);
    looked.has(["broker", "MQTT", "durability", "note"], &["autosave_interval 60"]);
    looked.has(["broker", "MQTT", "limits", "ok"], &["unconfirmed"]);
    assert!(looked.promise("influxdbAway").1.contains("InfluxDB is configured"));

    let slot =
        |owner: &str| format!("{{{owner}\"since\":\"2026-11-21T08:15:30Z\",\"takeover\":1}}");
    let owned = slot("\"owner\":{\"process\":\"writer\",\"instance\":\"a\"},");
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/0", &owned);
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/1", &slot(""));
    let member = r#"{"process":"writer","instance":"a","start":"01JC","slots":4,"beat":7}"#;
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/members/writer-a", member);
    mosquitto.publish_retained("qliksense/v1/status/writer/a", "online");
    mosquitto.publish_retained("qliksense/v1/status/collector/b", "offline");
    let looked = doctor(&mqtt(&mosquitto, "")).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.has(
        ["broker", "MQTT", "slots", "warning"],
        &["2 of 4 slots, 1 of them owned", "writer a", "nobody owns"],
    );
    looked.has(["broker", "MQTT", "programs", "ok"], &["online: writer a; offline: collector b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_by_mosquitto_is_told_why() {
    let mosquitto = Mosquitto::start_with(|directory| {
        let passwords = directory.join("passwords");
        password_file(&passwords, "mqtt-user", &Secret::new("RIGHT-MARKER"));
        let acl = directory.join("acl");
        std::fs::write(&acl, "user mqtt-user\ntopic write qliksense/v1/health/#\n").unwrap();
        format!(
            "allow_anonymous false\npassword_file {}\nacl_file {}\n",
            passwords.display(),
            acl.display()
        )
    })
    .await;
    let markers = ["mqtt-user", "RIGHT-MARKER", "WRONG-MARKER"];
    let wrong = doctor(&mqtt(&mosquitto, ", username: mqtt-user, password: WRONG-MARKER")).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.printed);
    wrong.hides(&markers);
    wrong.has(["broker", "MQTT", "login", "fault"], &["broker.mqtt.password"]);
    let few = doctor(&mqtt(&mosquitto, ", username: mqtt-user, password: RIGHT-MARKER")).await;
    assert_eq!(few.code, Some(0), "{}", few.printed);
    few.hides(&markers);
    few.has(["broker", "MQTT", "login", "ok"], &["let in"]);
    few.has(["broker", "MQTT", "slots", "note"], &["no slot"]);
}
