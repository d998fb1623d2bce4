//! nats-server with the shipped files.

use std::fs;
use std::process::Command;

use futures::StreamExt as _;
use integration_tests::patience::{PATIENCE, eventually};
use integration_tests::process::Process;

use super::nats_roles::{Role, surprises};
use super::shipped::Shipped;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_has_its_subjects_and_no_other() {
    let shipped = Shipped::new();
    let _server = shipped.nats("nats.conf").await;
    assert_eq!(surprises(&shipped).await, Vec::<String>::new());
    for (user, password) in [("subscriber", ""), ("subscriber", "wrong"), ("nobody", "wrong")] {
        assert!(Role::connect(&shipped, user, password).await.is_err(), "{user}");
    }
    let another = shipped.password("writer");
    assert!(Role::connect(&shipped, "collector", another.expose()).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_right_too_many_is_found() {
    for (line, loose) in [
        ("\"qliksense.v1.replay.>\"", "\"qliksense.v1.replay.>\", \"$JS.API.STREAM.>\""),
        ("\"_INBOX.writer.>\"", "\"_INBOX.>\""),
        (
            "\"homeassistant.status\"\n        ]\n        subscribe",
            "\"qliksense.v1.>\"\n        ]\n        subscribe",
        ),
    ] {
        let shipped = Shipped::edited(|_name, text| text.replace(line, loose));
        let _server = shipped.nats("nats.conf").await;
        assert_ne!(surprises(&shipped).await, Vec::<String>::new(), "{loose}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subscriber_hears_over_nats_and_mqtt() {
    let shipped = Shipped::new();
    let _server = shipped.nats("nats.conf").await;
    let subscriber = Role::of(&shipped, "subscriber").await;
    let mut health = subscriber.client.subscribe("qliksense.v1.health.>").await.unwrap();
    subscriber.client.flush().await.unwrap();
    let port = shipped.mqtt_port.to_string();
    let listen = |qos: &str, topic: &str| {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-u", "subscriber", "-q", qos, "-t", topic]);
        command.args(["-P", shipped.password("subscriber").expose()]);
        Process::start(&mut command, &shipped.path(&format!("subscriber-{qos}")))
    };
    let subscribers = [listen("0", "qliksense/v1/health/+"), listen("1", "qliksense/v1/health/+")];
    let collector = Role::of(&shipped, "collector").await;
    collector.client.publish("qliksense.v1.health.sense1", "an event".into()).await.unwrap();
    let heard = tokio::time::timeout(PATIENCE, health.next()).await.unwrap().unwrap();
    assert_eq!(&*heard.payload, b"an event");
    // What is published before a subscription stands does not reach it.
    eventually("an event for each MQTT client", || async {
        collector.client.publish("qliksense.v1.health.sense1", "an event".into()).await.unwrap();
        let hear = |subscriber: &Process| subscriber.printed().contains("an event");
        subscribers.iter().all(hear).then_some(())
    })
    .await;
}

/// Whether the server takes the file, and what it says.
fn is_taken(shipped: &Shipped, file: &str) -> (bool, String) {
    let output = shipped.nats_command(file).arg("-t").output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(words).unwrap())
}

#[test]
fn every_file_is_loaded_and_the_durable_one_by_servers_that_know_it() {
    let shipped = Shipped::new();
    for file in ["nats.conf", "nats-cluster.conf"] {
        let (is_taken, words) = is_taken(&shipped, file);
        assert!(is_taken, "{file}: {words}");
    }
    let version = Command::new("nats-server").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let minor: u32 = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap();
    let (is_as_shipped, words) = is_taken(&shipped, "nats-durable.conf");
    assert_eq!(is_as_shipped, minor >= 10, "{version}: {words}");
    if !is_as_shipped {
        assert!(words.contains("unknown field \"sync_interval\""), "{words}");
    }
    let path = shipped.path("etc/footman/nats-durable.conf");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("sync_interval: always", "")).unwrap();
    let (is_taken, words) = is_taken(&shipped, "nats-durable.conf");
    assert!(is_taken, "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_find_each_other_over_tls() {
    let mut all = Vec::new();
    for number in 1..=3 {
        // One set of secrets for all three.
        let shipped = Shipped::edited(|_name, text| {
            text.replace("server_name: footman-1", &format!("server_name: footman-{number}"))
        });
        all.push(shipped);
    }
    let mut servers = Vec::new();
    for shipped in &all {
        for secret in fs::read_dir(all[0].path("run/secrets")).unwrap() {
            let secret = secret.unwrap();
            let text = fs::read(secret.path()).unwrap();
            fs::write(shipped.path("run/secrets").join(secret.file_name()), text).unwrap();
        }
        let path = shipped.path("etc/footman/nats-cluster.conf");
        let mut text = fs::read_to_string(&path).unwrap();
        for (number, other) in all.iter().enumerate() {
            let route = format!("nats-{}.example.com:6222", number + 1);
            text = text.replace(&route, &format!("localhost:{}", other.cluster_port));
        }
        fs::write(&path, text).unwrap();
        servers.push(shipped.nats("nats-cluster.conf").await);
    }
    let subscriber = Role::of(&all[0], "subscriber").await;
    let mut health = subscriber.client.subscribe("qliksense.v1.health.>").await.unwrap();
    let collector = Role::of(&all[2], "collector").await;
    // What is published before the routes stand nobody hears.
    let publishing = eventually("an event from another server", || async {
        collector.client.publish("qliksense.v1.health.a", "".into()).await.unwrap();
        None::<()>
    });
    tokio::select! {
        heard = health.next() => assert!(heard.is_some()),
        () = publishing => {}
    }
}
