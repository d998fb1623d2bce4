//! The contract, one function a clause.

use std::time::Duration;

use integration_tests::patience::PATIENCE;
use shared::broker::{Consumer, DeadLetter, Delivery, DeliveryTag};
use shared::envelope::{Envelope, MAX_EVENT_BYTES};
use tokio::time::timeout;

use crate::Broker;

/// Long enough for anything that is going to happen wrongly, most of the time.
const A_MOMENT: Duration = Duration::from_millis(100);

pub(crate) async fn delivers_in_order_and_unchanged(broker: impl Broker) {
    let names = publish(&broker, 0..50).await;
    let mut consumer = broker.consumer().await;
    let deliveries = receive(&mut *consumer, names.len()).await;
    assert_eq!(names_of(&deliveries), names);
    assert!(deliveries.iter().all(|delivery| !delivery.redelivered));
    assert!(deliveries.iter().all(|d| d.subject.as_topic().starts_with("qliksense/v1/app-names/")));
    assert!(deliveries.is_sorted_by_key(|delivery| delivery.tag));
}

pub(crate) async fn keeps_what_is_published_before_anybody_consumes(broker: impl Broker) {
    let names = publish(&broker, 0..10).await;
    let mut consumer = broker.consumer().await;
    assert_eq!(names_of(&receive(&mut *consumer, 10).await), names);
}

pub(crate) async fn waits_for_events_and_may_be_cancelled(broker: impl Broker) {
    let mut consumer = broker.consumer().await;
    for round in 0..5 {
        assert!(timeout(A_MOMENT, consumer.receive(10)).await.is_err());
        let names = publish(&broker, round..=round).await;
        let deliveries = receive(&mut *consumer, 1).await;
        assert_eq!(names_of(&deliveries), names);
        consumer.ack(&tags_of(&deliveries)).await.unwrap();
    }
}

pub(crate) async fn gives_no_more_than_asked_for(broker: impl Broker) {
    let names = publish(&broker, 0..10).await;
    let mut consumer = broker.consumer().await;
    let mut received = Vec::new();
    while received.len() < names.len() {
        let some = timeout(PATIENCE, consumer.receive(3)).await.unwrap().unwrap();
        assert!((1..=3).contains(&some.len()), "{}", some.len());
        received.extend(some);
    }
    assert_eq!(names_of(&received), names);
}

pub(crate) async fn delivers_again_what_was_not_acked(broker: impl Broker) {
    let names = publish(&broker, 0..20).await;
    let mut consumer = broker.consumer().await;
    let deliveries = receive(&mut *consumer, 20).await;
    consumer.ack(&tags_of(&deliveries[..5])).await.unwrap();
    consumer.close().await.unwrap();

    let mut consumer = broker.consumer().await;
    let again = receive(&mut *consumer, 15).await;
    assert_eq!(names_of(&again), names[5..]);
}

pub(crate) async fn never_delivers_again_what_was_acked(broker: impl Broker) {
    publish(&broker, 0..20).await;
    let mut consumer = broker.consumer().await;
    for _ in 0..4 {
        let deliveries = receive(&mut *consumer, 5).await;
        consumer.ack(&tags_of(&deliveries)).await.unwrap();
    }
    consumer.close().await.unwrap();

    let last = publish(&broker, 20..=20).await;
    let mut consumer = broker.consumer().await;
    assert_eq!(names_of(&receive(&mut *consumer, 1).await), last);
}

pub(crate) async fn survives_a_restart(broker: impl Broker) {
    let names = publish(&broker, 0..20).await;
    let mut consumer = broker.consumer().await;
    let deliveries = receive(&mut *consumer, 20).await;
    consumer.ack(&tags_of(&deliveries[..8])).await.unwrap();
    consumer.close().await.unwrap();
    broker.dead_letters().await.put(dead_letter("1")).await.unwrap();

    let Some(broker) = broker.restarted().await else {
        return;
    };
    let mut consumer = broker.consumer().await;
    let again = receive(&mut *consumer, 12).await;
    assert_eq!(names_of(&again), names[8..]);
    assert!(again.iter().all(|delivery| delivery.redelivered));
    assert_eq!(broker.dead_letters().await.list().await.unwrap().len(), 1);
}

pub(crate) async fn carries_the_largest_event(broker: impl Broker) {
    // The name is in the event twice: as its subject and in its data.
    let name = "x".repeat((MAX_EVENT_BYTES - 1_024) / 2);
    broker.publish(&name).await;
    let mut consumer = broker.consumer().await;
    let deliveries = receive(&mut *consumer, 1).await;
    assert!(deliveries[0].payload.len() > MAX_EVENT_BYTES - 1_024);
    assert_eq!(names_of(&deliveries), [name]);
}

pub(crate) async fn keeps_dead_letters(broker: impl Broker) {
    let dead = broker.dead_letters().await;
    dead.put(dead_letter("1")).await.unwrap();
    dead.put(dead_letter("2")).await.unwrap();
    dead.put(DeadLetter { reason: "again".to_owned(), ..dead_letter("1") }).await.unwrap();

    let mut letters = dead.list().await.unwrap();
    letters.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    let [first, second] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((first.event_id.as_str(), first.count, first.reason.as_str()), ("1", 2, "again"));
    assert!(first.first_time < first.last_time);
    assert_eq!((second.event_id.as_str(), second.count), ("2", 1));
    assert_eq!(second.payload().unwrap(), br#"{"id":  "2"}"#);

    dead.remove("1").await.unwrap();
    dead.remove("1").await.unwrap();
    assert_eq!(dead.list().await.unwrap().len(), 1);
}

pub(crate) async fn tells_of_one_dead_letter_and_of_all(broker: impl Broker) {
    let dead = broker.dead_letters().await;
    assert!(dead.headers().await.unwrap().is_empty());
    assert!(dead.get("1").await.unwrap().is_none());
    // Ids need not fit into subjects.
    let odd = "an id/with. spaces, #+>*";
    for id in ["2", odd, "1"] {
        let letter = DeadLetter {
            http_status: Some(400),
            lines: vec!["m f=1 2".to_owned()],
            ..dead_letter(id)
        };
        dead.put(letter).await.unwrap();
    }
    dead.put(DeadLetter { reason: "again".to_owned(), ..dead_letter("2") }).await.unwrap();

    let headers = dead.headers().await.unwrap();
    let told: Vec<_> = headers.iter().map(|h| (h.event_id.as_str(), h.count)).collect();
    assert_eq!(told, [("2", 2), (odd, 1), ("1", 1)], "the oldest first");
    assert_eq!((headers[0].reason.as_str(), headers[0].http_status), ("again", None));
    assert_eq!((headers[1].reason.as_str(), headers[1].http_status), ("refused", Some(400)));
    assert!(headers[0].first_time < headers[0].last_time);
    let whole = dead.get(odd).await.unwrap().unwrap();
    assert_eq!((whole.event_id.as_str(), &*whole.lines), (odd, &["m f=1 2".to_owned()][..]));
    assert_eq!(whole.payload().unwrap(), format!(r#"{{"id":  "{odd}"}}"#).as_bytes());
    assert_eq!(headers[1].bytes, serde_json::to_vec(&whole).unwrap().len() as u64);

    assert_eq!(dead.count("2").await.unwrap(), Some(2));
    assert_eq!(dead.count("3").await.unwrap(), None);
    dead.remove("2").await.unwrap();
    assert_eq!(dead.count("2").await.unwrap(), None);
    assert!(dead.get("2").await.unwrap().is_none());
    // Another client sees the same.
    let other = broker.dead_letters().await;
    assert_eq!(other.count(odd).await.unwrap(), Some(1));
    assert_eq!(other.headers().await.unwrap(), headers[1..]);
}

pub(crate) async fn delivers_what_is_put_back(broker: impl Broker) {
    broker.publish("once").await;
    let mut consumer = broker.consumer().await;
    let first = receive(&mut *consumer, 1).await.remove(0);
    consumer.ack(&[first.tag]).await.unwrap();
    broker.put_back(&first).await;
    let again = receive(&mut *consumer, 1).await.remove(0);
    assert_eq!(again.payload, first.payload);
    assert_eq!(again.subject, first.subject.for_replay().unwrap());
    assert_eq!(again.subject.before_replay().unwrap(), first.subject);
}

async fn publish(broker: &impl Broker, numbers: impl Iterator<Item = u32>) -> Vec<String> {
    let names: Vec<String> = numbers.map(|number| format!("event {number}")).collect();
    for name in &names {
        broker.publish(name).await;
    }
    names
}

async fn receive(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut received = Vec::new();
    while received.len() < count {
        let wanted = count - received.len();
        let some = timeout(PATIENCE, consumer.receive(wanted)).await;
        received.extend(some.expect("nothing more was delivered").unwrap());
    }
    received
}

fn names_of(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|d| Envelope::decode(&d.payload).unwrap().subject).collect()
}

fn tags_of(deliveries: &[Delivery]) -> Vec<DeliveryTag> {
    deliveries.iter().map(|delivery| delivery.tag).collect()
}

fn dead_letter(id: &str) -> DeadLetter {
    let payload = format!(r#"{{"id":  "{id}"}}"#);
    let subject = "qliksense/v1/health/a".to_owned();
    DeadLetter::new(id.to_owned(), subject, payload.as_bytes(), "refused".to_owned())
}
