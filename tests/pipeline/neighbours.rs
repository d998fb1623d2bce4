//! The programs beside others: ports that are taken, MQTT clients.

use std::process::Command;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use integration_tests::process::{Process, free_port};
use integration_tests::programs::program;
use serde_json::Value;
use simulator::Endpoint;

use crate::site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_said_with_its_key() {
    let (site, influxd) = (site::start(1).await, Influxd::start().await);
    let mut first = site::footman(&site, &influxd, Duration::from_secs(5), |_| {});
    first.start().await;
    let mut second = first.command(&[]);
    let output = second.output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("cannot listen on 127.0.0.1"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_mqtt_port_ends_the_program_before_anything_is_polled() {
    let (site, influxd) = (site::start(1).await, Influxd::start().await);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut footman = site::footman(&site, &influxd, Duration::from_secs(1), |options| {
        let listener = format!("embedded: {{mqttListener: \"127.0.0.1:{port}\", ");
        options.more = options.more.replace("embedded: {", &listener);
    });
    footman.launch();
    let ended = footman.process().ended().await;
    let printed = footman.printed();
    assert_eq!(ended.code(), Some(1), "{printed}");
    assert!(printed.contains("broker.embedded.mqttListener"), "{printed}");
    assert!(!printed.contains("Polling begins"), "{printed}");
    assert_eq!(site.ledger().recorded(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mqtt_clients_see_every_event_and_cannot_publish() {
    let (site, influxd, port) = (site::start(1).await, Influxd::start().await, free_port());
    let mut footman = site::footman(&site, &influxd, Duration::from_secs(1), |options| {
        let listener = format!("embedded: {{mqttListener: \"127.0.0.1:{port}\", ");
        options.more = options.more.replace("embedded: {", &listener);
    });
    footman.launch();
    footman.process().listens(port).await;
    let directory = tempfile::tempdir().unwrap();
    let mut subscribe = Command::new("mosquitto_sub");
    let port = port.to_string();
    subscribe.args(["-h", "127.0.0.1", "-p", &port, "-V", "5", "-t", "qliksense/v1/#"]);
    let subscriber = Process::start(&mut subscribe, &directory.path().join("events"));
    let kinds = ["qliksense.health.v1", "qliksense.sessions.v1", "qliksense.app-names.v1"];
    let tap = ["tap", "--config", "footman.yaml", "--server", "SENSE1", "--count", "3"];
    let mut tap_command = Command::new(program("footman"));
    tap_command.current_dir(footman.directory()).args(tap);
    let mut tap = Process::start(&mut tap_command, &directory.path().join("tap"));
    eventually("events of every kind", || async {
        let seen = subscriber.printed();
        kinds.iter().all(|kind| seen.contains(kind)).then_some(())
    })
    .await;

    assert_eq!(tap.ended().await.code(), Some(0), "{}", tap.printed());
    assert_eq!(tap.printed().matches("Z  ").count(), 3, "{}", tap.printed());

    // What a client publishes is refused and reaches no subscriber.
    let publish = [
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-V",
        "5",
        "-q",
        "1",
        "-t",
        "qliksense/v1/health/x",
        "-m",
        "forged",
    ];
    let published = Command::new("mosquitto_pub").args(publish).output().unwrap();
    let said = String::from_utf8_lossy(&published.stderr).to_lowercase();
    assert!(said.contains("not authorized") || !published.status.success(), "{said}");
    let seen = site.ledger().count(0, Endpoint::Engine);
    site.ledger().wait_for_count(0, Endpoint::Engine, seen + 2).await;
    let printed = subscriber.printed();
    assert!(!printed.contains("forged"));

    // What was seen is what is stored: the last event's calls are in InfluxDB.
    let health: Value = printed
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .rfind(|event: &Value| event["type"] == kinds[0])
        .unwrap();
    let id = ("sense1".to_owned(), health["data"]["health"]["apps"]["calls"].as_i64().unwrap());
    eventually("the seen event in InfluxDB", || async {
        site::stored_health(&influxd).await.remove(&id)
    })
    .await;
}
