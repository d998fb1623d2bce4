//! State topics at the MQTT listener of the embedded broker, and what its clients may not do.

use integration_tests::influxd::Influxd;
use integration_tests::process::free_port;
use integration_tests::programs::FootmanRun;
use simulator::Site;

use super::ear::Ear;
use super::{file, is_as_served, site};

const BIRTH: &str = "homeassistant/status";

fn footman(site: &Site, influxd: &Influxd, port: u16) -> FootmanRun {
    FootmanRun::prepare(|broker| {
        let listener = format!("embedded: {{mqttListener: \"127.0.0.1:{port}\", ");
        let broker = broker.replace("embedded: {", &listener);
        let collector = "  collector:\n    homeAssistant: {enable: true}\n";
        file(site, influxd, format!("{broker}{collector}"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_listener_retains_what_footman_says_and_nothing_of_others() {
    let (site, influxd, port) = (site().await, Influxd::start().await, free_port());
    let mut footman = footman(&site, &influxd, port);
    footman.start().await;
    let mut ear = Ear::at(port);
    let topic = format!("qliksense/v1/state/{}", site.servers()[0].name());
    let said =
        ear.json(&topic, |said| said["state"] == "ok" && !said["proxy_sessions"].is_null()).await;
    is_as_served(&site, 0, &said);
    let process = said["process"].as_str().unwrap();
    assert_eq!(process, "footman");

    // A client that publishes what it may not, by word and by will, stays connected.
    let forger = Ear::with_will(port, Some((&topic, "forged by will")));
    forger.client.keep("qliksense/v1/state/forged".to_owned(), "forged");
    forger.client.tell(topic.clone(), "forged", true);
    forger.client.is_true().await;
    forger.client.tell(BIRTH.to_owned(), "online", true);
    ear.text(BIRTH, "online").await;
    drop(forger);
    // Home Assistant's will comes through.
    drop({
        let mut birth = Ear::with_will(port, Some((BIRTH, "offline")));
        birth.json(&topic, |_any| true).await;
        birth
    });
    ear.text(BIRTH, "offline").await;
    ear.json(&topic, |said| said["state"] == "ok").await;

    // Who comes later finds what footman says, whom it is from, and nothing else.
    let mut late = Ear::at(port);
    let program = format!("qliksense/v1/programs/footman/{}", token(&said["instance"]));
    let status = program.replace("programs", "status");
    late.text(&status, "online").await;
    let beat = late.json(&program, |beat| beat["connected"] == true).await;
    assert_eq!(beat["instance"], said["instance"]);
    late.json(&topic, |said| said["state"] == "ok").await;
    for ear in [&ear, &late] {
        assert!(!ear.topics().iter().any(|topic| topic.contains("forged")));
        assert!(!ear.heard(&topic).iter().any(|said| said.contains("forged")));
    }
    assert!(!late.topics().contains(&BIRTH), "a birth is not retained");
    footman.process().terminate().await;
    late.text(&status, "offline").await;
}

fn token(instance: &serde_json::Value) -> shared::subject::Token {
    shared::subject::Token::new(instance.as_str().unwrap())
}
