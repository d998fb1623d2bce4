//! State topics over mosquitto, and over nats-server's MQTT listener.

use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::process::free_port;
use integration_tests::programs::House;
use serde_json::Value;
use simulator::{Endpoint, Fault, Site};

use super::ear::Ear;
use super::{file, is_as_served, site};

/// A directory with the site's file and the section `broker` and further lines of `collector`.
pub(super) fn house(site: &Site, influxd: &Influxd, broker: &str, collector: &str) -> House {
    House::new(|directory| {
        let outbox = directory.join("outbox");
        let more = format!(
            "  broker: {broker}\n  collector:\n    outbox: {{directory: \"{}\"}}\n{collector}",
            outbox.display()
        );
        file(site, influxd, more)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_retains_the_latest_of_every_server_and_program() {
    let (site, influxd) = (site().await, Influxd::start().await);
    let mut mosquitto = Mosquitto::start().await;
    let broker =
        format!("{{type: mqtt, mqtt: {{url: \"mqtt://127.0.0.1:{}\"}}}}", mosquitto.port());
    let house = house(&site, &influxd, &broker, "");
    let mut collector = house.collector("c");
    let instance = collector.instance().to_owned();
    // What an earlier run left: a server of ours, one of another collector, and a writer.
    let by = |instance: &str| format!(r#"{{"process":"collector","instance":"{instance}"}}"#);
    mosquitto.publish_retained("qliksense/v1/state/gone", &by(&instance));
    mosquitto.publish_retained("qliksense/v1/state/theirs", &by("other"));
    let minutes_ago =
        shared::timestamp::Timestamp::now().minus(std::time::Duration::from_mins(10)).to_seconds();
    let dead = format!(r#"{{"connected":true,"stored":7,"last_beat":"{minutes_ago}"}}"#);
    mosquitto.publish_retained("qliksense/v1/programs/writer/dead", &dead);

    let mut ear = Ear::at(mosquitto.port());
    let mut writer = house.writer("w");
    collector.start().await;
    writer.start().await;
    for server in 0..2 {
        let topic = format!("qliksense/v1/state/{}", site.servers()[server].name());
        let said = ear
            .json(&topic, |said| said["state"] == "ok" && !said["proxy_sessions"].is_null())
            .await;
        is_as_served(&site, server, &said);
        assert_eq!(said["instance"], instance.as_str());
    }
    ear.text("qliksense/v1/state/gone", "").await;
    let topic = format!("qliksense/v1/programs/writer/{}", writer.instance());
    ear.json(&topic, |said| said["connected"] == true).await;
    assert_eq!(collector.metric("collector_announcer_connected").await, Some(1.0));

    site.set_fault(1, Endpoint::Engine, Some(Fault::Refused)).await.unwrap();
    let failing = format!("qliksense/v1/state/{}", site.servers()[1].name());
    let said = ear.json(&failing, |said| said["state"] == "failing").await;
    assert_eq!(
        (&said["failing"], &said["failing_cause"]),
        (&Value::Bool(true), &"connection_refused".into())
    );
    site.clear_faults().await.unwrap();
    ear.json(&failing, |said| said["failing"] == false && said["failing_cause"].is_null()).await;

    // Everything is retained anew by a broker that forgot it.
    mosquitto.kill();
    mosquitto.lose_everything();
    mosquitto.restart().await;
    eventually("the broker again", || async {
        (collector.metric("collector_announcer_connected").await == Some(1.0)).then_some(())
    })
    .await;
    let mut late = Ear::at(mosquitto.port());
    late.json(&failing, |said| said["state"] == "ok").await;
    let dead = "qliksense/v1/programs/writer/dead";
    late.json(dead, |said| said["connected"] == false && said["stored"] == 7).await;
    assert!(!late.topics().contains(&"qliksense/v1/state/gone"));
    assert_eq!(ear.heard("qliksense/v1/state/theirs").len(), 1, "it is another collector's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_servers_mqtt_listener_retains_them_too() {
    let (site, influxd) = (site().await, Influxd::start().await);
    let port = free_port();
    let listener =
        format!("server_name: footman-test\nmqtt {{ host: \"127.0.0.1\", port: {port} }}");
    let nats = NatsServer::start_with(&listener).await;
    let broker =
        format!("{{type: nats, nats: {{servers: [\"nats://127.0.0.1:{}\"]}}}}", nats.port());
    let url = format!("    homeAssistant: {{enable: true, url: \"mqtt://127.0.0.1:{port}\"}}\n");
    let house = house(&site, &influxd, &broker, &url);
    let mut collector = house.collector("c");
    collector.start().await;
    let mut ear = Ear::at(port);
    let topic = format!("qliksense/v1/state/{}", site.servers()[0].name());
    let said = ear.json(&topic, |said| said["state"] == "ok").await;
    is_as_served(&site, 0, &said);
    // Who comes later finds it, and who is there; then the collector dies.
    let mut late = Ear::at(port);
    let status = format!("qliksense/v1/status/collector/{}", collector.instance());
    let (mut has_state, mut is_online) = (false, false);
    late.until("state and status", |heard, said| {
        has_state |= heard == topic;
        is_online |= heard == status && said == b"online";
        (has_state && is_online).then_some(())
    })
    .await;
    collector.kill();
    late.text(&status, "offline").await;
}
