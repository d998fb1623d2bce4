//! Everything that comes over the bus while much fails is what the documents say.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::programs::{House, Running};
use serde_json::Value;
use simulator::{Endpoint, Fault, Site};

use super::schemas::{Judge, Separator};
use crate::brokers::{MqttBroker, NatsBroker};
use crate::site;

/// What somebody publishes where events are.
const POISON: &str = "no event";
/// What comes over any broker, as the document calls it.
const EVERYWHERE: [&str; 6] =
    ["appNames", "deadLetter", "failedPoll", "health", "heartbeat", "sessions"];
/// What comes over MQTT besides.
const OVER_MQTT: [&str; 6] = ["mark", "member", "program", "slot", "state", "status"];

type Captured = Vec<(String, String)>;

/// Lets the site fail in many ways, InfluxDB refuse, and programs die; those that live at the end
/// come back, the one that polls first.
async fn much_fails(
    house: &House,
    site: &Site,
    influxd: &Influxd,
    causes: impl Fn() -> BTreeSet<String>,
) -> [Running; 2] {
    influxd.execute("", "CREATE DATABASE senseops").await;
    influxd.write("senseops", "apps,host=somebody calls=\"a text\"").await;
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    writer.start().await;
    collector.start().await;
    site::serves(site, 1).await;
    let faults = [
        (0, Endpoint::Engine, Fault::Status(503)),
        (1, Endpoint::Engine, Fault::ExpiredCertificate),
        (0, Endpoint::Proxy, Fault::LoginPage),
        (1, Endpoint::Proxy, Fault::Refused),
        (0, Endpoint::Repository, Fault::TruncatedJson),
    ];
    for (server, endpoint, fault) in faults {
        site.set_fault(server, endpoint, Some(fault)).await.unwrap();
    }
    eventually("failed polls of each cause", || async { (causes().len() > 3).then_some(()) }).await;
    // Killed while a poll is open.
    site.set_fault(0, Endpoint::Engine, Some(Fault::Hang)).await.unwrap();
    eventually("a poll that hangs", || async { causes().contains("timeout").then_some(()) }).await;
    collector.kill();
    for (server, endpoint, _) in faults {
        site.set_fault(server, endpoint, None).await.unwrap();
    }
    collector.start().await;
    site::serves(site, 1).await;
    [collector, writer]
}

async fn end(programs: [Running; 2]) {
    for mut program in programs {
        program.process().terminate().await;
    }
}

/// Judges all that came; gives the messages and the causes of failed polls.
fn judged(separator: Separator, captured: &Captured) -> (BTreeSet<String>, BTreeSet<String>) {
    let judge = Judge::new();
    let (mut messages, mut causes, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (address, payload) in captured {
        // What takes back something retained is empty.
        if payload == POISON || payload.is_empty() {
            continue;
        }
        match judge.judge(separator, address, payload) {
            Ok(message) => drop(messages.insert(message.to_owned())),
            Err(error) => wrong.push(error),
        }
        if let Ok(value) = serde_json::from_str::<Value>(payload)
            && let Some(category) = value["data"]["category"].as_str()
        {
            causes.insert(category.to_owned());
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), captured.len(), wrong.join("\n"));
    (messages, causes)
}

fn missing(found: &BTreeSet<String>, wanted: &[&str]) -> Vec<String> {
    let wanted = wanted.iter().filter(|name| !found.contains(**name));
    wanted.map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_over_mosquitto_fits_its_schema() {
    let mosquitto = Mosquitto::start().await;
    let (site, influxd) = (site::start().await, Influxd::start().await);
    let subscriber = mosquitto.subscriber("qliksense/#").await;
    let house = site::house(&site, &influxd, &MqttBroker::of(&mosquitto));
    mosquitto.publish("qliksense/v1/health/nobody", POISON.as_bytes(), &[]);
    let causes = || judged(Separator::Slash, &subscriber.everything()).1;
    let programs = much_fails(&house, &site, &influxd, causes).await;
    // While they live: what is retained is said once a second at most, and beats come when they do.
    let wanted = [&EVERYWHERE[..], &OVER_MQTT].concat();
    eventually_equal("every message of the document", Vec::<String>::new(), || async {
        missing(&judged(Separator::Slash, &subscriber.everything()).0, &wanted)
    })
    .await;
    end(programs).await;
    // What they say at their end is judged too.
    judged(Separator::Slash, &subscriber.everything());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_over_nats_fits_its_schema() {
    let server = NatsServer::start().await;
    let (site, influxd) = (site::start().await, Influxd::start().await);
    let client = server.client().await;
    let mut subscription = client.subscribe("qliksense.>").await.unwrap();
    client.flush().await.unwrap();
    let captured = Arc::new(Mutex::new(Captured::new()));
    let keep = captured.clone();
    let listening = tokio::spawn(async move {
        while let Some(message) = subscription.next().await {
            let payload = String::from_utf8(message.payload.to_vec()).unwrap();
            keep.lock().unwrap().push((message.subject.to_string(), payload));
        }
    });
    let house = site::house(&site, &influxd, &NatsBroker::of(&server));
    let all = || captured.lock().unwrap().clone();
    let programs = much_fails(&house, &site, &influxd, || judged(Separator::Dot, &all()).1).await;
    end(programs).await;
    eventually_equal("every message of the document", Vec::<String>::new(), || async {
        missing(&judged(Separator::Dot, &all()).0, &EVERYWHERE)
    })
    .await;
    listening.abort();
}
