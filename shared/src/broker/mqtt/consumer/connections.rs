//! What is said over the connections of the slots: acks, and who owns them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};

use super::ledger::Origin;
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::slot_record::SlotRecord;
use crate::timestamp::Timestamp;

/// The longest session that MQTT can express: one more never ends.
const LONGEST_SESSION: u32 = u32::MAX - 1;

/// Acks in the client library's queue at most. It takes ten deliveries from the network for each
/// request of ours, so under load acks wait; a request costs some 300 bytes there, and the queue
/// never gives its room back: 100 MB after a backlog of 800,000 events. A packet id has two bytes.
const ACKS_AT_CLIENT: usize = 200;

/// A connection as a slot, as long as it lasts.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// Which of this consumer's connections.
    pub(super) epoch: u64,
    pub(super) client: AsyncClient,
    /// Where the slot's record is retained.
    pub(super) topic: String,
    /// That we own it.
    pub(super) record: SlotRecord,
    /// As long as the session, so that the record stands for one.
    pub(super) life: Duration,
    /// What is to be acked, and is not yet on its way.
    pub(super) acks: Arc<Mutex<Acks>>,
}

/// The acks of a connection, in order.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Packet ids: 16 bits, so never more than 65,535.
    waiting: VecDeque<u16>,
    at_client: usize,
}

impl Connection {
    /// Publishes that the slot is ours and its session keeps what is published.
    pub(super) fn claim(&self) -> Result<(), Failure> {
        self.publish(&self.record)
    }

    fn release(&self) -> Result<(), Failure> {
        let record = SlotRecord {
            owner: None,
            since: Timestamp::now(),
            released: true,
            ..self.record.clone()
        };
        self.publish(&record)
    }

    fn publish(&self, record: &SlotRecord) -> Result<(), Failure> {
        let properties = PublishProperties {
            message_expiry_interval: Some(seconds(self.life)),
            ..PublishProperties::default()
        };
        let text =
            serde_json::to_string(record).map_err(|error| Failure::new(error.to_string()))?;
        // Whoever takes the slot over finds acked what is.
        self.hand_on(usize::MAX);
        self.client
            .try_publish_with_properties(&self.topic, QoS::AtLeastOnce, true, text, properties)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn ack(&self, packet_id: u16) {
        if packet_id != 0 {
            self.acks().waiting.push_back(packet_id);
            self.hand_on(ACKS_AT_CLIENT);
        }
    }

    /// The client has sent an ack.
    pub(super) fn ack_left(&self) {
        let mut acks = self.acks();
        acks.at_client = acks.at_client.saturating_sub(1);
        drop(acks);
        self.hand_on(ACKS_AT_CLIENT);
    }

    /// Gives the client acks until it has this many.
    fn hand_on(&self, most: usize) {
        let mut acks = self.acks();
        while acks.at_client < most
            && let Some(&packet_id) = acks.waiting.front()
        {
            let publish = Publish { qos: QoS::AtLeastOnce, pkid: packet_id, ..Publish::default() };
            // A queue that is full belongs to a connection that is stuck or gone.
            if self.client.try_ack(&publish).is_err() {
                return;
            }
            acks.waiting.pop_front();
            acks.at_client += 1;
        }
    }

    fn acks(&self) -> MutexGuard<'_, Acks> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of all slots that are ours.
#[derive(Debug, Default)]
pub(super) struct Connections {
    by_slot: Mutex<BTreeMap<u16, Connection>>,
}

impl Connections {
    /// A connection stands.
    pub(super) fn set(&self, slot: u16, connection: Connection) {
        self.lock().insert(slot, connection);
    }

    /// A connection is gone; a later one may have taken its place already.
    pub(super) fn clear(&self, slot: u16, epoch: u64) {
        let mut connections = self.lock();
        if connections.get(&slot).is_some_and(|connection| connection.epoch == epoch) {
            connections.remove(&slot);
        }
    }

    /// Acks, unless the connection that brought the delivery is gone: its packet id may by now
    /// stand for another delivery.
    pub(super) fn ack(&self, origins: &[Origin]) {
        let connections = self.lock();
        for Origin { slot, epoch, packet_id } in origins {
            let connection = connections.get(slot).filter(|connection| connection.epoch == *epoch);
            if let Some(connection) = connection {
                connection.ack(*packet_id);
            }
        }
    }

    /// Publishes once more that a slot is ours.
    pub(super) fn claim(&self, slot: u16) -> Result<(), Failure> {
        self.lock().get(&slot).map_or(Ok(()), Connection::claim)
    }

    /// Publishes that a slot is nobody's any more, after the acks that were given.
    pub(super) fn release(&self, slot: u16) -> Result<(), Failure> {
        self.lock().get(&slot).map_or(Ok(()), Connection::release)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Connection>> {
        self.by_slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A duration as MQTT counts it.
pub(super) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(LONGEST_SESSION).min(LONGEST_SESSION)
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::{AsyncClient, MqttOptions};

    use super::*;

    /// Whose client takes so many requests; nothing is ever sent.
    fn connection(requests: usize) -> (Connection, rumqttc::v5::EventLoop) {
        let (client, event_loop) = AsyncClient::new(MqttOptions::new("t", "h", 1), requests);
        let record = SlotRecord {
            owner: None,
            since: Timestamp::from_nanos(0),
            takeover: 0,
            session: None,
            released: false,
        };
        let (topic, life) = ("t".to_owned(), Duration::from_mins(1));
        (Connection { epoch: 1, client, topic, record, life, acks: Arc::default() }, event_loop)
    }

    fn waiting(connection: &Connection) -> Vec<u16> {
        connection.acks().waiting.iter().copied().collect()
    }

    #[test]
    fn few_acks_are_at_the_client_and_the_others_follow_in_order() {
        let most = u16::try_from(ACKS_AT_CLIENT).unwrap();
        let (connection, _event_loop) = connection(2 * ACKS_AT_CLIENT);
        (1..=most + 3).for_each(|packet_id| connection.ack(packet_id));
        connection.ack(0);
        assert_eq!(waiting(&connection), [most + 1, most + 2, most + 3]);
        connection.ack_left();
        assert_eq!(waiting(&connection), [most + 2, most + 3]);
        // All of them leave before the slot does.
        connection.release().unwrap();
        assert!(waiting(&connection).is_empty());
    }

    #[test]
    fn an_ack_that_finds_no_place_waits_for_one() {
        let (connection, _event_loop) = connection(2);
        (1..=3).for_each(|packet_id| connection.ack(packet_id));
        connection.ack_left();
        assert_eq!(waiting(&connection), [3]);
    }
}
