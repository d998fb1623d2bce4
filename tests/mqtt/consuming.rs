//! Consuming: everything at least once, however the consumer or the broker ends.

use integration_tests::mosquitto::Mosquitto;
use shared::broker::{Consumer as _, DeliveryTag};

use crate::site::{
    Records, both, consumer, ids, ids_of, missing, publish_all, publisher, ready, receive,
    receive_all, tags_of,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_slots_bring_everything_once() {
    let mosquitto = Mosquitto::start().await;
    let mut broker = mosquitto.settings();
    broker.consumer_slots = 4;
    let (mut consumer, joined) = consumer(broker.clone());
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker.clone());
    ready(&may_publish).await;
    let all = ids(0..2_000);
    publish_all(&publisher, &all).await;
    assert_eq!(receive_all(&mut consumer, &all).await, all.len());
    for slot in 0..4 {
        assert_eq!(mosquitto.connections_of(&format!("qliksense-influxdb-slot-{slot}")), 1);
    }
    consumer.close().await.unwrap();

    // Nothing of it comes again, and what came meanwhile waits in all four sessions.
    let more = ids(2_000..2_400);
    publish_all(&publisher, &more).await;
    let (mut consumer, _) = crate::site::consumer(broker);
    assert_eq!(receive_all(&mut consumer, &more).await, more.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_says_that_it_is_there() {
    let mosquitto = Mosquitto::start().await;
    let (consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
    let records = Records::of(&mosquitto).await;
    let record = records.when("it is owned", 0, |record| record.owner.is_some()).await;
    let owner = record.owner.unwrap();
    assert_eq!((owner.process.as_str(), owner.instance.as_str()), ("writer", "test"));
    consumer.close().await.unwrap();
    let left = records.when("it was given up", 0, |record| record.owner.is_none()).await;
    assert_eq!((left.takeover, left.session), (record.takeover, record.session));
    assert!(left.released);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_consumer_held_comes_again() {
    let mosquitto = Mosquitto::start().await;
    let mut broker = mosquitto.settings();
    broker.consumer_slots = 3;
    let (mut dying, joined) = consumer(broker.clone());
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker.clone());
    ready(&may_publish).await;
    let all = ids(0..500);
    publish_all(&publisher, &all).await;
    assert_eq!(receive(&mut dying, all.len()).await.len(), all.len());
    drop(dying);

    let (mut consumer, _) = consumer(broker);
    let again = receive(&mut consumer, all.len()).await;
    assert_eq!(ids_of(&again).into_iter().collect::<std::collections::BTreeSet<_>>(), all);
    assert!(again.iter().all(|delivery| delivery.redelivered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_broker_repeats_what_was_not_acked() {
    let mut mosquitto = Mosquitto::start().await;
    let (mut consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
    let (publisher, may_publish) = publisher(mosquitto.settings());
    ready(&may_publish).await;
    publish_all(&publisher, &ids(0..100)).await;
    let mut before = receive(&mut consumer, 100).await;
    let held = before.split_off(40);
    consumer.ack(&tags_of(&before)).await.unwrap();
    // An event that is acked and one that is not, after which both acks have arrived.
    publish_all(&publisher, &ids(100..101)).await;
    receive(&mut consumer, 1).await;
    mosquitto.stop().await;
    // Acks of a connection that is gone are forgotten, whenever they come.
    consumer.ack(&tags_of(&held)).await.unwrap();
    mosquitto.restart().await;

    let again = receive(&mut consumer, held.len() + 1).await;
    let mut expected = ids_of(&held);
    expected.push("000100".to_owned());
    assert_eq!(ids_of(&again), expected);
    assert!(again.iter().all(|delivery| delivery.redelivered));
    assert!(again.first().map(|delivery| delivery.tag) > held.last().map(|delivery| delivery.tag));
    consumer.ack(&tags_of(&again)).await.unwrap();
    consumer.ack(&[DeliveryTag(u64::MAX)]).await.unwrap();
    // mosquitto forgot the shared subscriptions, so the slot gives its session another name, with a
    // connection of its own; what the one before it had not acked in time comes once more.
    ready(&joined).await;
    publish_all(&publisher, &ids(101..102)).await;
    receive_all(&mut consumer, &ids(101..102)).await;
    publish_all(&publisher, &ids(102..103)).await;
    assert_eq!(receive_all(&mut consumer, &ids(102..103)).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_hands_in_the_acks_of_all_slots() {
    let mosquitto = Mosquitto::start().await;
    let mut broker = mosquitto.settings();
    broker.consumer_slots = 4;
    let (mut first, joined) = consumer(broker.clone());
    ready(&joined).await;
    let (publisher, may_publish) = publisher(broker.clone());
    ready(&may_publish).await;
    let all = ids(0..1_000);
    publish_all(&publisher, &all).await;
    let deliveries = receive(&mut first, all.len()).await;
    let (acked, held) = deliveries.split_at(900);
    first.ack(&tags_of(acked)).await.unwrap();
    // At once: nothing but the close itself waits for the acks.
    first.close().await.unwrap();

    let (mut second, _) = consumer(broker);
    let again = receive(&mut second, held.len()).await;
    let mut expected = ids_of(held);
    let mut found = ids_of(&again);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_without_a_broker_does_not_wait() {
    let mut mosquitto = Mosquitto::start().await;
    let (_publisher, consumer) = both(&mosquitto).await;
    mosquitto.stop().await;
    let started = tokio::time::Instant::now();
    consumer.close().await.unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_broker_is_said_and_so_is_its_return() {
    let mut mosquitto = Mosquitto::start().await;
    let (_consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
    mosquitto.stop().await;
    missing(&joined, &format!("127.0.0.1:{}", mosquitto.port())).await;
    mosquitto.restart().await;
    ready(&joined).await;
}
