//! `footman tap` with the shipped users: `subscriber` hears everything, the others what they need,
//! and who may not hear something is told so.

use std::process::{Command, Stdio};

use integration_tests::patience::eventually;
use integration_tests::process::Process;
use integration_tests::programs::program;

use super::mosquitto_roles::Client;
use super::nats_roles::Role;
use super::shipped::Shipped;

/// Every kind, with a server whose name stands in the subject alone: the payload is no event.
const TOPICS: [&str; 5] = [
    "qliksense/v1/health/sense1",
    "qliksense/v1/sessions/sense1/default",
    "qliksense/v1/app-names/qrs",
    "qliksense/v1/failed-polls/sense1/health",
    "qliksense/v1/heartbeats/collector/host",
];

/// A tap as a user of the broker, which hears from now on.
async fn tap(shipped: &Shipped, scheme: &str, role: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(program("footman"));
    command
        .args(["tap", "--url", &format!("{scheme}://localhost:{}", shipped.tls_port)])
        .args(["--username", role, "--password-file"])
        .arg(shipped.secret(&format!("broker-{role}-password")))
        .arg("--ca")
        .arg(shipped.secret("broker-ca.pem"))
        .args(arguments)
        .stdin(Stdio::null());
    let tap = Process::start(&mut command, &shipped.path(&format!("tap-{scheme}-{role}")));
    eventually("the tap to listen", || async {
        let printed = tap.printed();
        assert!(!printed.contains("never reached"), "{printed}");
        (printed.contains("listening at") || printed.contains("does not let")).then_some(())
    })
    .await;
    tap
}

/// The kinds that a tap has heard of.
fn heard(tap: &Process) -> Vec<&'static str> {
    let printed = tap.printed();
    let is_heard = |topic: &&str| printed.contains(&format!("undecodable   {topic}  "));
    TOPICS.into_iter().filter(is_heard).collect()
}

async fn over_mosquitto(file: &str) {
    let shipped = Shipped::new();
    let _mosquitto = shipped.mosquitto(file).await;
    let mut subscriber = tap(&shipped, "mqtts", "subscriber", &[]).await;
    eventually("all kinds", || async {
        for topic in TOPICS {
            assert!(Client::of(&shipped, "collector").await.publish(topic, "test").await);
        }
        (heard(&subscriber) == TOPICS).then_some(())
    })
    .await;
    assert!(!subscriber.printed().contains("does not let"), "{}", subscriber.printed());
    assert_eq!(subscriber.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subscriber_of_mosquitto_hears_everything() {
    over_mosquitto("mosquitto.conf").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subscriber_of_strict_mosquitto_does_too() {
    over_mosquitto("mosquitto-strict.conf").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_nats_each_user_hears_what_it_may_and_is_told_the_rest() {
    let shipped = Shipped::new();
    let _server = shipped.nats("nats.conf").await;
    let mut subscriber = tap(&shipped, "tls", "subscriber", &[]).await;
    // It hears heartbeats alone.
    let mut collector = tap(&shipped, "tls", "collector", &[]).await;
    let publisher = Role::of(&shipped, "collector").await;
    eventually("all kinds, and the heartbeats", || async {
        for topic in TOPICS {
            publisher.client.publish(topic.replace('/', "."), "test".into()).await.unwrap();
        }
        publisher.client.flush().await.unwrap();
        (heard(&subscriber) == TOPICS && heard(&collector) == TOPICS[4..]).then_some(())
    })
    .await;
    assert!(!subscriber.printed().contains("does not let"), "{}", subscriber.printed());
    // The server refuses one by one.
    let kinds = ["health", "sessions", "app-names", "failed-polls"];
    eventually("a word about the rest", || async {
        let printed = collector.printed();
        let refused = printed.lines().filter(|line| line.contains("does not let"));
        let refused = refused.collect::<String>();
        kinds.iter().all(|kind| refused.contains(kind)).then_some(())
    })
    .await;
    for tap in [&mut subscriber, &mut collector] {
        assert_eq!(tap.terminate().await.code(), Some(0), "{}", tap.printed());
    }
    // A writer consumes, and may not listen.
    let mut writer = tap(&shipped, "tls", "writer", &["--kind", "health"]).await;
    assert_eq!(writer.ended().await.code(), Some(1), "{}", writer.printed());
    let printed = writer.printed();
    assert!(printed.contains("hear health: ") && printed.contains("`subscriber`"), "{printed}");
}
