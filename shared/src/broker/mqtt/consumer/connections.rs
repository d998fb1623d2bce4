//! What is said over the connections of the slots: acks, and who owns them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
        self.client
            .try_publish_with_properties(&self.topic, QoS::AtLeastOnce, true, text, properties)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn ack(&self, packet_id: u16) {
        let publish = Publish { qos: QoS::AtLeastOnce, pkid: packet_id, ..Publish::default() };
        if packet_id != 0 && self.client.try_ack(&publish).is_err() {
            tracing::error!("An ack found no place in the queue; the broker delivers again.");
        }
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
