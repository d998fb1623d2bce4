//! Streams and consumers that somebody else made, and servers that cannot have them.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{self, RetentionPolicy};
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::config;

use crate::house::{GROUP, Program, names, receive_all, timing};

fn settings_of(program: &Program, object: &str) -> Vec<&'static str> {
    let differences = program.nats.differences();
    let of_it = differences.iter().filter(|difference| difference.object == object);
    of_it.map(|difference| difference.setting).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_footman_makes_is_as_it_should_be() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let mut consumer = program.consumer();
    program.publish(&names("event", 1)).await;
    receive_all(&mut *consumer, &names("event", 1)).await;
    assert_eq!(program.nats.differences(), []);
    consumer.close().await.unwrap();
    // Looked at again by somebody else, after the server read it back from its disk.
    server.restart().await;
    let other = Program::ready(&server).await;
    let mut consumer = other.consumer();
    other.publish(&names("second", 1)).await;
    receive_all(&mut *consumer, &names("second", 1)).await;
    assert_eq!(other.nats.differences(), []);

    let jetstream = jetstream::new(server.client().await);
    let stream = jetstream.get_stream("QLIKSENSE").await.unwrap();
    let config = &stream.cached_info().config;
    assert_eq!(config.retention, RetentionPolicy::WorkQueue);
    let kinds = ["health", "sessions", "app-names", "failed-polls", "heartbeats", "replay"];
    assert_eq!(config.subjects, kinds.map(|kind| format!("qliksense.v1.{kind}.>")));
    let dead = jetstream.get_stream("QLIKSENSE_DEAD").await.unwrap();
    assert_eq!(dead.cached_info().config.subjects, ["qliksense.v1.dead-letters.>"]);
    assert_eq!(dead.cached_info().config.max_messages_per_subject, 1);
    assert_eq!(dead.cached_info().config.max_age, Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_are_reported_and_left() {
    let server = NatsServer::start().await;
    let jetstream = jetstream::new(server.client().await);
    let theirs = stream::Config {
        name: "QLIKSENSE".to_owned(),
        subjects: vec!["qliksense.v1.health.>".to_owned()],
        max_bytes: 1 << 20,
        ..stream::Config::default()
    };
    let made = jetstream.create_stream(theirs).await.unwrap().cached_info().config.clone();
    let consumer = pull::Config {
        durable_name: Some(GROUP.to_owned()),
        ack_wait: Duration::from_secs(77),
        max_deliver: 3,
        max_ack_pending: 10,
        filter_subject: "qliksense.v1.health.a".to_owned(),
        ..pull::Config::default()
    };
    jetstream.create_consumer_on_stream(consumer, "QLIKSENSE").await.unwrap();

    let program = Program::ready(&server).await;
    let expected = ["subjects", "retention", "discard", "max_bytes", "max_age"];
    assert_eq!(settings_of(&program, "the stream QLIKSENSE"), expected);
    let words: Vec<String> = program.nats.differences().iter().map(ToString::to_string).collect();
    assert!(
        words[1].contains("QLIKSENSE has retention Limits where Footman wants WorkQueue"),
        "{words:?}"
    );
    let mut joined = program.consumer();
    let object = format!("the consumer {GROUP}");
    eventually("the consumer's differences", || async {
        let expected = ["ack_wait", "max_deliver", "max_ack_pending", "filter_subject"];
        (settings_of(&program, &object) == expected).then_some(())
    })
    .await;
    // It goes on with what there is.
    program.publish(&["a".to_owned(), "b".to_owned()]).await;
    receive_all(&mut *joined, &["a".to_owned()]).await;
    let left = jetstream.get_stream("QLIKSENSE").await.unwrap().cached_info().config.clone();
    assert_eq!(left, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_group_is_told_to_have_a_stream_of_its_own() {
    let server = NatsServer::start().await;
    let (first, second) = (Program::ready(&server).await, Program::ready(&server).await);
    let mut consumer = first.consumer();
    first.publish(&names("event", 1)).await;
    receive_all(&mut *consumer, &names("event", 1)).await;
    let refused = second.nats.consumer("archive");
    second.is_missing(&["archive", "a stream of its own"]).await;
    assert!(first.readiness.report().ready);
    drop(refused);
    second.is_ready().await;

    let own = config::Nats { stream: "ARCHIVE".to_owned(), ..server.config() };
    let third = Program::with(&own, timing()).await;
    // The subjects are taken: streams of one prefix do not share events.
    third.is_missing(&["ARCHIVE", "overlap"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_cannot_have_is_said() {
    let server = NatsServer::start().await;
    let replicated = config::Nats { replicas: 3, ..server.config() };
    let program = Program::with(&replicated, timing()).await;
    program.is_missing(&["QLIKSENSE", "replicas"]).await;

    let accounts = "accounts { A: { users: [ { user: a, password: a } ] } }";
    let without = NatsServer::start_with(accounts).await;
    let program = Program::with(&without.config_of("a", "a"), timing()).await;
    program.is_missing(&["JetStream"]).await;
}

/// Small disks are common, and the limit is the first thing that somebody meets there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_room_for_the_stream_is_told() {
    let mut server = NatsServer::prepare("");
    server.configure_jetstream("max_file_store: 100MB");
    server.restart().await;
    let program = Program::with(&server.config(), timing()).await;
    program.is_missing(&["QLIKSENSE ", "no room for 256 MiB", "Lower broker.nats.maxBytes"]).await;
    server.configure_jetstream("max_file_store: 258MB");
    server.restart().await;
    program
        .is_missing(&["QLIKSENSE_DEAD ", "no room for ", "Lower broker.deadLetters.maxBytes"])
        .await;
    server.configure_jetstream("max_file_store: 2GB");
    server.restart().await;
    program.is_ready().await;
}
