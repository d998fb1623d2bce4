//! Each example goes over real brokers and comes back as it was, an event of its kind.

use std::time::Duration;

use boon::{Compiler, Schemas};
use futures::StreamExt as _;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{PATIENCE, eventually};
use serde_json::Value;
use shared::envelope::Envelope;

use super::schemas::{Judge, Separator};
use super::{docs, document};

/// What is published where.
struct Sample {
    address: String,
    payload: String,
}

/// Every example of every channel; those of replays are the same again.
fn samples(judge: &Judge, separator: Separator) -> Vec<Sample> {
    let mut samples = Vec::new();
    for channel in &judge.channels {
        let address = channel.an_address();
        let is_here = address.contains(separator.text());
        if !is_here || channel.name.starts_with("replay") {
            continue;
        }
        let message = &judge.document["components"]["messages"][&channel.message];
        let examples = message["examples"].as_array().into_iter().flatten();
        for example in examples.map(|example| example["payload"].to_string()) {
            samples.push(Sample { address: address.clone(), payload: example });
        }
    }
    samples
}

/// What came back is what was published, fits its schema, and is an event where it should be.
fn come_back(judge: &Judge, separator: Separator, samples: &[Sample], came: &[(String, String)]) {
    for (sample, (address, payload)) in samples.iter().zip(came) {
        assert_eq!((&sample.address, &sample.payload), (address, payload));
        judge.judge(separator, address, payload).unwrap();
        let value: Value = serde_json::from_str(payload).unwrap();
        if value.get("specversion").is_some() {
            let envelope = Envelope::decode(payload.as_bytes()).unwrap();
            let kind = address.split(separator.text()).nth(2).unwrap();
            assert_eq!(envelope.event.kind().name(), kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_over_mosquitto() {
    let judge = Judge::new();
    let mosquitto = Mosquitto::start().await;
    let subscriber = mosquitto.subscriber("qliksense/#").await;
    let samples = samples(&judge, Separator::Slash);
    assert!(samples.len() > 15, "{}", samples.len());
    for sample in &samples {
        assert!(mosquitto.publish(&sample.address, sample.payload.as_bytes(), &[]));
    }
    let came = eventually("every example", || async {
        let came = subscriber.everything();
        (came.len() == samples.len()).then_some(came)
    })
    .await;
    come_back(&judge, Separator::Slash, &samples, &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_over_nats() {
    let judge = Judge::new();
    let server = NatsServer::start().await;
    let client = server.client().await;
    let mut subscription = client.subscribe("qliksense.>").await.unwrap();
    let samples = samples(&judge, Separator::Dot);
    assert!(samples.len() > 10, "{}", samples.len());
    for sample in &samples {
        client.publish(sample.address.clone(), sample.payload.clone().into()).await.unwrap();
    }
    client.flush().await.unwrap();
    let mut came = Vec::new();
    while came.len() < samples.len() {
        let message = tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
        let payload = String::from_utf8(message.payload.to_vec()).unwrap();
        came.push((message.subject.to_string(), payload));
    }
    let more = tokio::time::timeout(Duration::ZERO, subscription.next()).await;
    assert!(more.is_err(), "{more:?}");
    come_back(&judge, Separator::Dot, &samples, &came);
}

/// The schemas that stand alone judge as those of the document do.
#[test]
fn each_example_fits_its_file() {
    for file in std::fs::read_dir(docs().join("contract/examples")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let example = document(&format!("examples/{name}"));
        let (schema, _) = name.split_once('.').unwrap();
        let names = [schema, "envelope"];
        let is_event = example.get("specversion").is_some();
        for schema in &names[..if is_event { 2 } else { 1 }] {
            let place = format!("http://footman.invalid/{schema}.json");
            let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
            compiler.enable_format_assertions();
            let schema = document(&format!("schemas/{schema}.json"));
            compiler.add_resource(&place, schema).unwrap();
            let schema = compiler.compile(&place, &mut schemas).unwrap();
            let judged = schemas.validate(&example, schema).map_err(|error| error.to_string());
            assert_eq!(judged, Ok(()), "{name}");
            schemas.validate(&Value::Null, schema).expect_err(&name);
        }
    }
}
