//! Anybody who speaks the broker's language can watch: the lines of the README, for real.

use std::process::Command;

use futures::StreamExt as _;
use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{PATIENCE, eventually};
use integration_tests::process::{Process, free_port};
use serde_json::Value;

use crate::brokers::{MqttBroker, NatsBroker};
use crate::site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_and_its_mqtt_listener_show_every_kind() {
    let port = free_port();
    let configuration =
        format!("server_name: footman-test\nmqtt {{ host: \"127.0.0.1\", port: {port} }}");
    let server = NatsServer::start_with(&configuration).await;
    let (site, influxd) = (site::start().await, Influxd::start().await);
    let mut subscription = server.client().await.subscribe("qliksense.v1.>").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("mosquitto_sub");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "qliksense/v1/health/+"]);
    let subscriber = Process::start(&mut command, &directory.path().join("events"));

    let house = site::house(&site, &influxd, &NatsBroker::of(&server));
    let mut collector = house.collector("c");
    collector.start().await;
    let mut kinds = std::collections::BTreeSet::new();
    let every = ["app-names", "health", "heartbeats", "sessions"];
    while !every.iter().all(|kind| kinds.contains(*kind)) {
        let message = tokio::time::timeout(PATIENCE, subscription.next()).await;
        let message = message.expect("nothing more was published").unwrap();
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(event["specversion"], "1.0");
        kinds.insert(message.subject.split('.').nth(2).unwrap().to_owned());
    }
    eventually("health over the MQTT listener", || async {
        subscriber.printed().contains("\"type\":\"qliksense.health.v1\"").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_shows_events_and_who_is_online() {
    let mosquitto = Mosquitto::start().await;
    let (site, influxd) = (site::start().await, Influxd::start().await);
    let health = mosquitto.subscriber("qliksense/v1/health/+").await;
    let house = site::house(&site, &influxd, &MqttBroker::of(&mosquitto));
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    writer.start().await;
    collector.start().await;
    eventually("health from both servers", || async {
        let seen = |server| !health.received(&format!("qliksense/v1/health/{server}")).is_empty();
        (seen("sense1") && seen("sense2")).then_some(())
    })
    .await;
    let status = mosquitto.subscriber("qliksense/v1/status/#").await;
    for (process, instance) in [("collector", collector.instance()), ("writer", writer.instance())]
    {
        status.receives(&format!("qliksense/v1/status/{process}/{instance}"), "online").await;
    }
    collector.kill();
    let topic = format!("qliksense/v1/status/collector/{}", collector.instance());
    status.receives(&topic, "offline").await;
    writer.process().terminate().await;
    let topic = format!("qliksense/v1/status/writer/{}", writer.instance());
    status.receives(&topic, "offline").await;
}
