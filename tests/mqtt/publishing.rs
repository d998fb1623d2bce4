//! Publishing: only what somebody keeps, through every restart of the broker.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use integration_tests::mosquitto::Mosquitto;
use integration_tests::patience::{eventually, eventually_equal};
use shared::broker::{Consumer as _, PublishError, Publisher as _};

use crate::site::{
    GROUP, both, consumer, consumer_of, ids, ids_of, missing, outgoing, publish_all, publisher,
    ready, receive_all, tags_of,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_published_before_every_group_has_a_slot() {
    let mosquitto = Mosquitto::start().await;
    let mut broker = mosquitto.settings();
    broker.groups.push("archive".to_owned());
    let (publisher, readiness) = publisher(broker);
    missing(&readiness, "`archive`").await;
    let early = publisher.publish(outgoing("early", 0)).await;
    assert!(matches!(early, Err(PublishError::Unavailable { why }) if why.contains("archive")));

    let (mut archive, _) = consumer_of("archive", mosquitto.settings());
    missing(&readiness, "`influxdb`").await;
    let (mut influxdb, _) = consumer_of(GROUP, mosquitto.settings());
    ready(&readiness).await;
    let all = ids(0..20);
    publish_all(&publisher, &all).await;
    assert_eq!(receive_all(&mut archive, &all).await, 20);
    assert_eq!(receive_all(&mut influxdb, &all).await, 20);

    // A session that nobody is connected to keeps events all the same.
    influxdb.close().await.unwrap();
    assert!(readiness.report().ready);
    let more = ids(20..40);
    publish_all(&publisher, &more).await;
    let (mut influxdb, _) = consumer_of(GROUP, mosquitto.settings());
    assert_eq!(receive_all(&mut influxdb, &more).await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_nobody_keeps_is_not_confirmed() {
    let mosquitto = Mosquitto::start().await;
    // A record without its session, as after a session was deleted by hand.
    mosquitto.publish_retained("qliksense/v1/slots/influxdb/0", "{}");
    let (publisher, readiness) = publisher(mosquitto.settings());
    ready(&readiness).await;
    let unheard = publisher.publish(outgoing("unheard", 0)).await;
    assert!(matches!(unheard, Err(PublishError::Unavailable { why }) if why.contains("nobody")));
    missing(&readiness, "nobody").await;

    let (mut consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
    let all = ids(0..1);
    publish_all(&publisher, &all).await;
    ready(&readiness).await;
    assert_eq!(receive_all(&mut consumer, &all).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_start_before_their_broker() {
    let mut mosquitto = Mosquitto::prepare(|_| String::new());
    let (publisher, may_publish) = publisher(mosquitto.settings());
    let (mut consumer, joined) = consumer(mosquitto.settings());
    let address = format!("127.0.0.1:{} does not answer", mosquitto.port());
    missing(&may_publish, &address).await;
    missing(&joined, &address).await;
    assert!(publisher.publish(outgoing("early", 0)).await.is_err());
    mosquitto.restart().await;
    ready(&may_publish).await;
    let all = ids(0..10);
    publish_all(&publisher, &all).await;
    assert_eq!(receive_all(&mut consumer, &all).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_confirmed_is_delivered_when_the_broker_restarts_meanwhile() {
    let mut mosquitto = Mosquitto::start().await;
    let (publisher, mut consumer) = both(&mosquitto).await;
    let all = ids(0..4_000);
    let publishing = tokio::spawn({
        let (publisher, all) = (publisher.clone(), all.clone());
        async move { publish_all(&publisher, &all).await }
    });
    let received = Arc::new(Mutex::new(BTreeSet::new()));
    let consuming = tokio::spawn({
        let received = Arc::clone(&received);
        async move {
            loop {
                let some = consumer.receive(100).await.unwrap();
                consumer.ack(&tags_of(&some)).await.unwrap();
                received.lock().unwrap().extend(ids_of(&some));
            }
        }
    });
    let count = || received.lock().unwrap().len();
    for enough in [200, 2_000] {
        eventually("some events", || async { (count() >= enough).then_some(()) }).await;
        mosquitto.stop().await;
        mosquitto.restart().await;
    }
    publishing.await.unwrap();
    eventually_equal("every confirmed event", all.len(), || async { count() }).await;
    consuming.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_says_whether_we_are_there() {
    const STATUS: &str = "qliksense/v1/status/collector/test";
    let mosquitto = Mosquitto::start().await;
    let subscriber = mosquitto.subscriber("qliksense/v1/status/#").await;
    let (first, _) = publisher(mosquitto.settings());
    subscriber.receives(STATUS, "online").await;
    first.close().await;
    subscriber.receives(STATUS, "offline").await;
    assert_eq!(subscriber.received(STATUS), ["online", "offline"], "a clean end is said once");

    let (second, _) = publisher(mosquitto.settings());
    subscriber.receives(STATUS, "online").await;
    // Without a goodbye: the broker says it in our place.
    drop(second);
    subscriber.receives(STATUS, "offline").await;
    let late = mosquitto.subscriber(STATUS).await;
    late.receives(STATUS, "offline").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_publisher_publishes_no_more() {
    let mosquitto = Mosquitto::start().await;
    let (publisher, consumer) = both(&mosquitto).await;
    publisher.close().await;
    let late = publisher.publish(outgoing("late", 0)).await;
    assert!(matches!(late, Err(PublishError::Unavailable { .. })));
    consumer.close().await.unwrap();
    eventually("the publisher to be gone", || async {
        (mosquitto.connections_of("qliksense-collector-test") == 1).then_some(())
    })
    .await;
}
