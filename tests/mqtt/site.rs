//! A mosquitto with a publisher and a consumer of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use integration_tests::mosquitto::{Mosquitto, MqttSubscriber};
use integration_tests::patience::{PATIENCE, eventually, eventually_equal};
use shared::broker::mqtt::{
    MqttConsumer, MqttDeadLetters, MqttPublisher, MqttSettings, SlotRecord,
};
use shared::broker::{Consumer, Delivery, DeliveryTag, Outgoing, PublishError, Publisher};
use shared::config::Mqtt;
use shared::readiness::Readiness;
use shared::subject::{Subject, Token};
use tokio::time::timeout;

pub(crate) const PREFIX: &str = "qliksense";
pub(crate) const GROUP: &str = "influxdb";
/// Deliveries that the consumer may hold.
const WINDOW: usize = 8_000;
/// Publishes on their way at once, as a forwarder has them.
const AT_ONCE: usize = 50;

/// What one of our programs calls itself at this broker.
pub(crate) fn settings(broker: Mqtt, process: &str) -> MqttSettings {
    named(broker, process, "test")
}

fn named(broker: Mqtt, process: &str, instance: &str) -> MqttSettings {
    MqttSettings {
        topic_prefix: PREFIX.to_owned(),
        broker,
        process: process.to_owned(),
        instance: instance.to_owned(),
    }
}

/// One of several consumers of the group.
pub(crate) fn member(instance: &str, broker: Mqtt) -> (Box<MqttConsumer>, Readiness) {
    let readiness = Readiness::default();
    let dependency = readiness.dependency("broker");
    let settings = named(broker, "writer", instance);
    (Box::new(MqttConsumer::start(&settings, GROUP, WINDOW, dependency)), readiness)
}

/// The records of the group's slots, as anybody sees them.
pub(crate) struct Records {
    subscriber: MqttSubscriber,
}

impl Records {
    pub(crate) async fn of(mosquitto: &Mosquitto) -> Self {
        Self { subscriber: mosquitto.subscriber(&format!("{PREFIX}/v1/slots/{GROUP}/+")).await }
    }

    /// What the record of a slot says; nothing when there is none.
    pub(crate) fn of_slot(&self, slot: u16) -> Option<SlotRecord> {
        let text = self.subscriber.received(&format!("{PREFIX}/v1/slots/{GROUP}/{slot}")).pop()?;
        serde_json::from_str(&text).ok()
    }

    /// Waits for a record of a slot.
    pub(crate) async fn when(
        &self,
        what: &str,
        slot: u16,
        is_so: impl Fn(&SlotRecord) -> bool,
    ) -> SlotRecord {
        eventually(&format!("slot {slot}: {what}"), || async {
            self.of_slot(slot).filter(|record| is_so(record))
        })
        .await
    }

    /// How many of the first slots each instance owns.
    pub(crate) fn shares(&self, slots: u16) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for owner in (0..slots).filter_map(|slot| self.of_slot(slot)?.owner) {
            *shares.entry(owner.instance).or_default() += 1;
        }
        shares
    }

    /// Waits until the slots are shared so.
    pub(crate) async fn shared_so(&self, wanted: &[(&str, usize)]) {
        let slots = wanted.iter().map(|(_, count)| count).sum::<usize>();
        let slots = u16::try_from(slots).unwrap();
        let wanted = wanted.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        eventually_equal("the shares", wanted, || async { self.shares(slots) }).await;
    }
}

/// A publisher and what it says of the broker.
pub(crate) fn publisher(broker: Mqtt) -> (Arc<MqttPublisher>, Readiness) {
    let readiness = Readiness::default();
    let dependency = readiness.dependency("broker");
    let publisher = MqttPublisher::start(&settings(broker, "collector"), dependency);
    (Arc::new(publisher), readiness)
}

/// A consumer of a group and what it says of the broker.
pub(crate) fn consumer_of(group: &str, broker: Mqtt) -> (Box<MqttConsumer>, Readiness) {
    let readiness = Readiness::default();
    let dependency = readiness.dependency("broker");
    let consumer = MqttConsumer::start(&settings(broker, "writer"), group, WINDOW, dependency);
    (Box::new(consumer), readiness)
}

/// A consumer of the one group that holds this many deliveries at most.
pub(crate) fn consumer_with(broker: Mqtt, window: usize) -> (Box<MqttConsumer>, Readiness) {
    let readiness = Readiness::default();
    let dependency = readiness.dependency("broker");
    let consumer = MqttConsumer::start(&settings(broker, "writer"), GROUP, window, dependency);
    (Box::new(consumer), readiness)
}

/// The consumer of the one group.
pub(crate) fn consumer(broker: Mqtt) -> (Box<MqttConsumer>, Readiness) {
    consumer_of(GROUP, broker)
}

/// A consumer that has joined, and a publisher that may publish.
pub(crate) async fn both(mosquitto: &Mosquitto) -> (Arc<MqttPublisher>, Box<MqttConsumer>) {
    let (consumer, joined) = consumer(mosquitto.settings());
    ready(&joined).await;
    let (publisher, may_publish) = publisher(mosquitto.settings());
    ready(&may_publish).await;
    (publisher, consumer)
}

/// The dead letters of the group, with room for `max_bytes`.
pub(crate) fn dead_letters(broker: Mqtt, max_bytes: u64) -> MqttDeadLetters {
    MqttDeadLetters::start(&settings(broker, "writer"), GROUP, max_bytes)
}

/// Waits until every dependency is up.
pub(crate) async fn ready(readiness: &Readiness) {
    eventually("the broker to be there", || async { readiness.report().ready.then_some(()) }).await;
}

/// Waits until the broker is missing for a reason that holds `words`.
pub(crate) async fn missing(readiness: &Readiness, words: &str) -> String {
    eventually(&format!("the broker to be missing: {words}"), || async {
        why(readiness).filter(|why| why.contains(words))
    })
    .await
}

/// Why the broker is missing.
pub(crate) fn why(readiness: &Readiness) -> Option<String> {
    readiness.report().dependencies["broker"].why.clone()
}

/// Something published about `id`, of at least this size.
pub(crate) fn outgoing(id: &str, bytes: usize) -> Outgoing {
    let subject = Subject::health(PREFIX, &Token::new(id));
    let filling = " ".repeat(bytes.saturating_sub(id.len()));
    Outgoing { subject, id: id.to_owned(), payload: format!("{id}{filling}").into() }
}

pub(crate) fn ids(numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    numbers.map(|number| format!("{number:06}")).collect()
}

/// Publishes, several at once, each until it is confirmed.
pub(crate) async fn publish_all(publisher: &Arc<MqttPublisher>, ids: &BTreeSet<String>) {
    stream::iter(ids)
        .for_each_concurrent(AT_ONCE, async |id| {
            eventually("a confirmation", || async {
                match publisher.publish(outgoing(id, 0)).await {
                    Ok(()) => Some(()),
                    Err(PublishError::Unavailable { .. }) => None,
                    Err(refused) => panic!("{refused}"),
                }
            })
            .await;
        })
        .await;
}

/// Receives this many deliveries, repetitions included.
pub(crate) async fn receive(consumer: &mut MqttConsumer, count: usize) -> Vec<Delivery> {
    let mut received = Vec::new();
    while received.len() < count {
        let some = timeout(PATIENCE, consumer.receive(count - received.len())).await;
        received.extend(some.unwrap_or_else(|_| panic!("{} of {count}", received.len())).unwrap());
    }
    received
}

/// Receives until every id has come, acking all of it; gives how many deliveries that took.
pub(crate) async fn receive_all(consumer: &mut MqttConsumer, ids: &BTreeSet<String>) -> usize {
    let mut missing = ids.clone();
    let mut count = 0;
    while !missing.is_empty() {
        let some = timeout(PATIENCE, consumer.receive(1_000)).await;
        let some = some.unwrap_or_else(|_| panic!("these did not come: {missing:?}")).unwrap();
        count += some.len();
        consumer.ack(&tags_of(&some)).await.unwrap();
        for id in ids_of(&some) {
            missing.remove(&id);
        }
    }
    count
}

pub(crate) fn ids_of(deliveries: &[Delivery]) -> Vec<String> {
    let id = |delivery: &Delivery| String::from_utf8_lossy(&delivery.payload).trim().to_owned();
    deliveries.iter().map(id).collect()
}

pub(crate) fn tags_of(deliveries: &[Delivery]) -> Vec<DeliveryTag> {
    deliveries.iter().map(|delivery| delivery.tag).collect()
}
