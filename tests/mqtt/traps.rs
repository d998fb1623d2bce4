//! What the client library and the broker do silently, one test each; without its guard each fails.

use std::collections::BTreeSet;
use std::time::Duration;

use integration_tests::mosquitto::Mosquitto;
use integration_tests::patience::{PATIENCE, eventually};
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use shared::broker::{Consumer as _, PublishError, Publisher as _};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::scripted::Scripted;
use crate::site::{
    both, consumer, consumer_with, ids, ids_of, outgoing, publish_all, publisher, ready, receive,
    receive_all, tags_of,
};

/// Long enough for anything that is going to happen wrongly, most of the time.
const A_MOMENT: Duration = Duration::from_millis(100);

/// 1: the library tells nobody what became of a publish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_confirmation_belongs_to_its_event() {
    const EVENTS: usize = 60;
    let broker = Scripted::start().await;
    let (publisher, readiness) = publisher(broker.settings());
    let mut connection = broker.accept_publisher(5).await;
    ready(&readiness).await;
    let mut on_their_way = JoinSet::new();
    for number in 0..EVENTS {
        let publisher = publisher.clone();
        on_their_way.spawn(async move {
            (number, publisher.publish(outgoing(&number.to_string(), 0)).await)
        });
    }
    // Every third is refused, and each group of five is answered backwards.
    for _ in 0..EVENTS / 5 {
        let mut five = Vec::new();
        for _ in 0..5 {
            five.push(connection.publish().await);
        }
        for publish in five.iter().rev() {
            let number: usize = std::str::from_utf8(&publish.payload).unwrap().parse().unwrap();
            let reason = if number.is_multiple_of(3) {
                PubAckReason::QuotaExceeded
            } else {
                PubAckReason::Success
            };
            connection.answer(publish, reason).await;
        }
    }
    while let Some(published) = timeout(PATIENCE, on_their_way.join_next()).await.unwrap() {
        let (number, result) = published.unwrap();
        assert_eq!(result.is_err(), number % 3 == 0, "{number}: {result:?}");
    }
}

/// 2: the library throws away what it had not sent when a connection breaks, and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_an_error_for_everything_unconfirmed() {
    let broker = Scripted::start().await;
    let (publisher, readiness) = publisher(broker.settings());
    let mut connection = broker.accept_publisher(10).await;
    ready(&readiness).await;
    let mut on_their_way = JoinSet::new();
    for number in 0..100 {
        let publisher = publisher.clone();
        on_their_way
            .spawn(async move { publisher.publish(outgoing(&number.to_string(), 0)).await });
    }
    for _ in 0..10 {
        connection.publish().await;
    }
    drop(connection);
    while let Some(published) = timeout(PATIENCE, on_their_way.join_next()).await.unwrap() {
        assert!(matches!(published.unwrap(), Err(PublishError::Unavailable { .. })));
    }
    // The next connection takes the same events, from the first packet id on.
    let mut connection = broker.accept_publisher(10).await;
    ready(&readiness).await;
    let again = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish(outgoing("again", 0)).await }
    });
    let publish = connection.publish().await;
    assert_eq!(publish.payload, "again", "nothing of the old connection was sent on the new one");
    connection.answer(&publish, PubAckReason::Success).await;
    again.await.unwrap().unwrap();
}

/// 3: a packet larger than the other side takes ends the connection, and so does every repetition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_for_the_broker_is_refused_once() {
    for limit in ["max_packet_size 20000\n", "message_size_limit 20000\n"] {
        let mosquitto = Mosquitto::start_with(|_| limit.to_owned()).await;
        let (publisher, mut consumer) = both(&mosquitto).await;
        let large = publisher.publish(outgoing("large", 30_000)).await;
        assert!(matches!(large, Err(PublishError::Refused { .. })), "{limit}: {large:?}");
        let small = ids(0..50);
        publish_all(&publisher, &small).await;
        receive_all(&mut consumer, &small).await;
        // The size limit is only told by refusing, which costs the one connection.
        let connections = mosquitto.connections_of("qliksense-collector-test");
        assert!(connections <= 2, "{limit}: {connections} connections");
    }
}

/// 3: unless it is told otherwise, the library takes 10 KiB, and loops over anything larger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_event_is_received_over_the_first_connection() {
    let mosquitto = Mosquitto::start().await;
    let (publisher, mut consumer) = both(&mosquitto).await;
    publisher.publish(outgoing("large", 900 * 1024)).await.unwrap();
    let deliveries = receive(&mut consumer, 1).await;
    assert_eq!(deliveries[0].payload.len(), 900 * 1024);
    assert_eq!(mosquitto.connections_of("qliksense-influxdb-slot-0"), 1);
}

/// 4: packet ids begin anew with each session, and an ack of the old one would take a new delivery.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_of_a_lost_session_acks_nothing_of_the_next() {
    let mut mosquitto = Mosquitto::start().await;
    let (publisher, mut consumer) = both(&mosquitto).await;
    publish_all(&publisher, &ids(0..1)).await;
    let old = receive(&mut consumer, 1).await;
    mosquitto.kill();
    mosquitto.restart().await;
    publish_all(&publisher, &ids(1..2)).await;
    let new = receive(&mut consumer, 1).await;
    assert_eq!(ids_of(&new), ["000001"], "the broker forgot the first, as it does when killed");
    consumer.ack(&tags_of(&old)).await.unwrap();
    consumer.close().await.unwrap();

    let (mut consumer, _) = crate::site::consumer(mosquitto.settings());
    let again = receive(&mut consumer, 1).await;
    assert_eq!(ids_of(&again), ["000001"]);
    assert!(again[0].redelivered);
}

/// 5: acks wait in the same bounded queue as publishes; one that finds no place is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_acks_at_once_all_arrive() {
    const EVENTS: u32 = 6_000;
    let mosquitto = Mosquitto::start().await;
    let (publisher, mut consumer) = both(&mosquitto).await;
    let all = ids(0..EVENTS);
    publish_all(&publisher, &all).await;
    let deliveries = receive(&mut consumer, all.len()).await;
    consumer.ack(&tags_of(&deliveries)).await.unwrap();
    consumer.close().await.unwrap();

    publish_all(&publisher, &ids(EVENTS..EVENTS + 1)).await;
    let (mut consumer, _) = crate::site::consumer(mosquitto.settings());
    assert_eq!(ids_of(&receive(&mut consumer, 1).await), [format!("{EVENTS:06}")]);
}

/// 6: an event loop takes 14 MB unless it is told how much may be on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_slots_take_little_memory() {
    let mosquitto = Mosquitto::start().await;
    let before = resident_mb();
    let mut broker = mosquitto.settings();
    broker.consumer_slots = 40;
    let (_consumer, joined) = consumer(broker);
    ready(&joined).await;
    // Other tests of this process take some too; 40 slots would take 550.
    let taken = resident_mb().saturating_sub(before);
    assert!(taken < 200, "{taken} MB");
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// 7: packet ids wrap at the broker's receive maximum. Should the next one still be unconfirmed, the
/// library waits for it for ever, even over the next connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_packet_id_is_used_again_before_it_is_confirmed() {
    let broker = Scripted::start().await;
    let (publisher, readiness) = publisher(broker.settings());
    let mut connection = broker.accept_publisher(4).await;
    ready(&readiness).await;
    let mut on_their_way = JoinSet::new();
    for number in 0..12 {
        let publisher = publisher.clone();
        on_their_way
            .spawn(async move { publisher.publish(outgoing(&number.to_string(), 0)).await });
    }
    let withheld = connection.publish().await;
    for _ in 0..3 {
        let publish = connection.publish().await;
        connection.answer(&publish, PubAckReason::Success).await;
    }
    // There is room for more, but the next packet id is the one that is withheld.
    assert!(timeout(A_MOMENT, connection.publish()).await.is_err());
    connection.answer(&withheld, PubAckReason::Success).await;
    for _ in 0..8 {
        let publish = connection.publish().await;
        connection.answer(&publish, PubAckReason::Success).await;
    }
    while let Some(published) = timeout(PATIENCE, on_their_way.join_next()).await.unwrap() {
        published.unwrap().unwrap();
    }
}

/// 3: a broker leaves out what is larger than a client says it takes; mosquitto counts that as unacked
/// as long as the connection lives, and after as many as may be unacked nothing comes any more. So
/// our clients take everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_messages_of_any_size_stop_nothing() {
    const WINDOW: usize = 2;
    let mosquitto = Mosquitto::start().await;
    let publish = |end: &str| {
        for byte in [b'1', b'2', b'3', b'4', b'5'] {
            assert!(mosquitto.publish("qliksense/v1/health/a", &vec![byte; 1_500_000], &[]));
        }
        assert!(mosquitto.publish("qliksense/v1/health/a", end.as_bytes(), &[]));
    };
    let (consumer, joined) = consumer_with(mosquitto.settings(), WINDOW);
    ready(&joined).await;
    consumer.close().await.unwrap();
    publish("while we are away");
    let (mut consumer, joined) = consumer_with(mosquitto.settings(), WINDOW);
    ready(&joined).await;
    for end in ["while we are away", "while we are there"] {
        if end == "while we are there" {
            publish(end);
        }
        let end = BTreeSet::from([end.to_owned()]);
        assert_eq!(receive_all(&mut consumer, &end).await, 6);
    }
    assert_eq!(mosquitto.connections_of("qliksense-influxdb-slot-0"), 2);
}

/// 3: whatever properties a foreign message has, the library reads them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_properties_end_no_connection() {
    let mosquitto = Mosquitto::start().await;
    let (mut consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
    let long = "x".repeat(60_000);
    for properties in [
        ["payload-format-indicator", "1"].as_slice(),
        &["content-type", &long],
        &["response-topic", "a/b"],
        &["correlation-data", &long],
        &["message-expiry-interval", "4294967295"],
        &["user-property", "", ""],
        &["user-property", &long, &long],
    ] {
        let arguments = [&["-D", "publish"], properties].concat();
        assert!(mosquitto.publish("qliksense/v1/health/a", b"\xff\xfe", &arguments));
        assert_eq!(receive(&mut consumer, 1).await[0].payload, &b"\xff\xfe"[..]);
    }
    for topic in ["qliksense/v1/health", "qliksense/v1/health/", "qliksense/v1/health/ä \"\\//"] {
        assert!(mosquitto.publish(topic, b"", &["-r"]));
        assert_eq!(receive(&mut consumer, 1).await[0].subject.as_topic(), topic);
    }
    assert_eq!(mosquitto.connections_of("qliksense-influxdb-slot-0"), 1);
}

/// And: the same client id twice drives both off the broker, in turn and without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consumers_of_one_name_are_told_so() {
    let mosquitto = Mosquitto::start().await;
    let (mut elder, first) = consumer(mosquitto.settings());
    ready(&first).await;
    let (_younger, second) = consumer(mosquitto.settings());
    eventually("both to be told", || async {
        let told = [&first, &second].map(|readiness| {
            crate::site::why(readiness).is_some_and(|why| why.contains("instance name"))
        });
        (told == [true, true]).then_some(())
    })
    .await;
    let connections = mosquitto.connections_of("qliksense-influxdb-member-writer-test");
    assert!(connections < 20, "they back off: {connections} connections");
    // Meanwhile the one that was there first does the work, undisturbed.
    let (publisher, _) = publisher(mosquitto.settings());
    let all = ids(0..100);
    publish_all(&publisher, &all).await;
    assert_eq!(receive_all(&mut elder, &all).await, all.len());
    assert_eq!(mosquitto.connections_of("qliksense-influxdb-slot-0"), 1);
}
