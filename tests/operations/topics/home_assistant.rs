//! Home Assistant's discovery: retained, said again when Home Assistant starts, and taken back.

use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::process::free_port;
use serde_json::{Value, json};
use simulator::{Endpoint, Site};

use super::brokers::house;
use super::ear::Ear;
use super::site;

const BIRTH: &str = "homeassistant/status";
const ENABLED: &str = "    homeAssistant: {enable: true}\n";
/// Variables that change the file for one start.
const SERVERS: &str = "FOOTMAN__SERVERS_TO_MONITOR__SERVERS";
const FORM: &str = "FOOTMAN__COLLECTOR__HOME_ASSISTANT__DISCOVERY";
const ENABLE: &str = "FOOTMAN__COLLECTOR__HOME_ASSISTANT__ENABLE";

fn device(site: &Site, server: usize) -> String {
    format!("homeassistant/device/qliksense/{}/config", site.servers()[server].name())
}

fn is_whole(said: &Value) -> bool {
    said["components"]["cpu"]["unique_id"].is_string() && said["device"]["sw_version"].is_string()
}

/// The first server alone, with one virtual proxy.
fn one_server(site: &Site) -> String {
    let server = &site.servers()[0];
    let (engine, proxy) = (server.host(Endpoint::Engine), server.host(Endpoint::Proxy));
    json!([{
        "host": engine.unwrap(), "serverName": server.name(), "serverDescription": "",
        "userSessions": {
            "enable": true, "host": proxy.unwrap(), "virtualProxies": [{ "virtualProxy": "/" }],
        },
        "serverTags": {},
    }])
    .to_string()
}

/// Waits for a message of the form with a topic for each entity.
async fn cpu(ear: &mut Ear, wanted: impl Fn(&[u8]) -> bool) -> String {
    ear.until("the entity of the CPU", |topic, said| {
        let is_it =
            topic.starts_with("homeassistant/sensor/qliksense_") && topic.ends_with("/cpu/config");
        (is_it && wanted(said)).then(|| topic.to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_come_are_said_again_and_go() {
    let (site, influxd, mosquitto) =
        (site().await, Influxd::start().await, Mosquitto::start().await);
    let broker =
        format!("{{type: mqtt, mqtt: {{url: \"mqtt://127.0.0.1:{}\"}}}}", mosquitto.port());
    let house = house(&site, &influxd, &broker, ENABLED);
    let mut collector = house.collector("c");
    collector.start().await;
    let mut ear = Ear::at(mosquitto.port());
    let mut late = Ear::at(mosquitto.port());
    let (first, second) = (device(&site, 0), device(&site, 1));
    let said = ear.json(&first, is_whole).await;
    ear.json(&second, is_whole).await;
    let status = format!("qliksense/v1/status/collector/{}", collector.instance());
    assert_eq!(said["availability"][0]["topic"], status.as_str());
    let state = said["state_topic"].as_str().unwrap().to_owned();
    late.json(&state, |said| said["state"] == "ok").await;
    assert!(said["components"]["users_hdr"].is_object(), "{said}");

    // Home Assistant starts: devices and states come again.
    ear.client.tell(BIRTH.to_owned(), "online", false);
    ear.text(BIRTH, "online").await;
    ear.json(&first, is_whole).await;
    ear.json(&state, |said| said["state"] == "ok").await;

    // A server and a virtual proxy leave while the collector is down.
    collector.process().terminate().await;
    collector.start_with(&[(SERVERS, &one_server(&site))]).await;
    ear.text(&second, "").await;
    let dropped = json!({ "platform": "sensor" });
    late.json(&first, |said| said["components"]["users_hdr"] == dropped).await;

    // The other form takes the place of this one, which goes first.
    collector.process().terminate().await;
    collector.start_with(&[(SERVERS, &one_server(&site)), (FORM, "component")]).await;
    ear.text(&first, "").await;
    let topic = cpu(&mut ear, |said| !said.is_empty()).await;
    let said: Value = serde_json::from_str(ear.heard(&topic).last().unwrap()).unwrap();
    assert_eq!(said["state_topic"], state.as_str());

    // Switched off: nothing is left.
    collector.process().terminate().await;
    collector.start_with(&[(ENABLE, "false")]).await;
    assert_eq!(cpu(&mut ear, <[u8]>::is_empty).await, topic);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_nats_home_assistant_is_told_at_the_servers_mqtt_listener() {
    let (site, influxd, port) = (site().await, Influxd::start().await, free_port());
    let listener =
        format!("server_name: footman-test\nmqtt {{ host: \"127.0.0.1\", port: {port} }}");
    let nats = NatsServer::start_with(&listener).await;
    let broker =
        format!("{{type: nats, nats: {{servers: [\"nats://127.0.0.1:{}\"]}}}}", nats.port());
    let url = format!("    homeAssistant: {{enable: true, url: \"mqtt://127.0.0.1:{port}\"}}\n");
    let house = house(&site, &influxd, &broker, &url);
    let mut collector = house.collector("c");
    collector.start().await;
    let first = device(&site, 0);
    Ear::at(port).json(&first, is_whole).await;
    // Retained: who comes later finds it, and is answered when it says that it has started.
    let mut late = Ear::at(port);
    late.json(&first, is_whole).await;
    late.client.tell(BIRTH.to_owned(), "online", false);
    late.text(BIRTH, "online").await;
    late.json(&first, is_whole).await;
}
