//! One slot: a persistent session, its subscriptions, its record, and the acks of one connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, Packet, PubAck, Publish, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::time::Instant;

use super::intake::{Arrived, Intake};
use super::ledger::Origin;
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::link::Role;
use crate::broker::mqtt::report::Report;
use crate::broker::mqtt::slot_record::{SlotOwner, SlotRecord};
use crate::broker::mqtt::topics::Topics;
use crate::broker::mqtt::{MqttSettings, confirm, subscribed};
use crate::timestamp::Timestamp;

/// Longer than that of other clients: while a slot is full it does not even ping, and the broker
/// gives up on it after one and a half times this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How often a record is published again within its life: as its session lives on, so must it.
const RECORD_REFRESHES: u32 = 10;
/// The longest session that MQTT can express: one more never ends.
const LONGEST_SESSION: u32 = u32::MAX - 1;

/// Acks over the slot's connection, while it lasts.
#[derive(Debug, Default)]
pub(super) struct Acks {
    connection: Mutex<Option<(u64, AsyncClient)>>,
}

impl Acks {
    /// Acks, unless the connection that brought the delivery is gone: its packet id may by now
    /// stand for another delivery.
    pub(super) fn ack(&self, epoch: u64, packet_id: u16) {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, client)) = connection.as_ref().filter(|(current, _)| *current == epoch) else {
            return;
        };
        let publish = Publish { qos: QoS::AtLeastOnce, pkid: packet_id, ..Publish::default() };
        if packet_id != 0 && client.try_ack(&publish).is_err() {
            tracing::error!("An ack found no place in the queue; the broker delivers again.");
        }
    }

    fn set(&self, connection: Option<(u64, AsyncClient)>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

/// The slot's side of the event loop.
pub(super) struct SlotRole {
    number: usize,
    client_id: String,
    receive_maximum: u16,
    session_expiry: u32,
    filters: Vec<Filter>,
    record: Record,
    acks: Arc<Acks>,
    intake: Arc<Intake>,
    report: Arc<Report>,
    /// Counts the connections.
    epoch: u64,
    client: Option<AsyncClient>,
    /// A connection of ours left a session at the broker.
    has_session: bool,
}

/// The slot's record, and when it is due again.
struct Record {
    topic: String,
    text: String,
    life: Duration,
    due: Option<Instant>,
}

impl SlotRole {
    pub(super) fn new(
        settings: &MqttSettings,
        group: &str,
        number: u16,
        receive_maximum: u16,
        acks: Arc<Acks>,
        intake: Arc<Intake>,
        report: Arc<Report>,
    ) -> Self {
        let MqttSettings { topic_prefix, broker, process, instance } = settings;
        let topics = Topics::new(topic_prefix);
        let owner = SlotOwner { process: process.clone(), instance: instance.clone() };
        let record = SlotRecord {
            owner: Some(owner),
            since: Timestamp::now(),
            takeover: 0,
            session: None,
            released: false,
        };
        let filters = topics.shared(group).into_iter();
        Self {
            number: usize::from(number),
            client_id: format!("{topic_prefix}-{group}-slot-{number}"),
            receive_maximum,
            session_expiry: seconds(broker.session_expiry),
            filters: filters.map(|filter| Filter::new(filter, QoS::AtLeastOnce)).collect(),
            record: Record {
                topic: topics.slot(group, number),
                text: serde_json::to_string(&record).unwrap_or_default(),
                life: broker.session_expiry,
                due: None,
            },
            acks,
            intake,
            report,
            epoch: 0,
            client: None,
            has_session: false,
        }
    }

    fn arrive(&self, publish: Publish) {
        self.intake.push(Arrived {
            origin: Origin { slot: self.number, epoch: self.epoch, packet_id: publish.pkid },
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload,
            redelivered: publish.dup,
        });
    }

    /// Tells collectors that this session keeps what they publish, for as long as it will.
    fn publish_record(&mut self) -> Result<(), Failure> {
        let Some(client) = &self.client else { return Ok(()) };
        let Record { topic, text, life, due } = &mut self.record;
        *due = Some(Instant::now() + *life / RECORD_REFRESHES);
        let properties = PublishProperties {
            message_expiry_interval: Some(seconds(*life)),
            ..PublishProperties::default()
        };
        let qos = QoS::AtLeastOnce;
        client
            .try_publish_with_properties(topic.as_str(), qos, true, text.clone(), properties)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn record_confirmed(&self, puback: &PubAck) -> Result<(), Failure> {
        match confirm::retained(puback.reason, &self.record.topic) {
            Ok(()) => {
                self.report.up(self.number);
                Ok(())
            }
            Err(error) => Err(Failure::new(error.to_string())),
        }
    }

    fn refresh(&mut self) -> Result<(), Failure> {
        match self.record.due {
            Some(due) if Instant::now() >= due => self.publish_record(),
            _ => Ok(()),
        }
    }
}

/// A duration as MQTT counts it.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(LONGEST_SESSION).min(LONGEST_SESSION)
}

impl Role for SlotRole {
    fn client_id(&mut self) -> String {
        self.client_id.clone()
    }

    fn prepare(&self, options: &mut MqttOptions) {
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(self.session_expiry))
            .set_receive_maximum(Some(self.receive_maximum))
            .set_keep_alive(KEEP_ALIVE)
            .set_manual_acks(true);
    }

    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure> {
        if self.has_session && !connack.session_present {
            tracing::warn!(
                slot = self.number,
                "The broker has lost a session and what it kept for it."
            );
        }
        self.has_session = true;
        let granted = connack.properties.as_ref().and_then(|p| p.session_expiry_interval);
        if let Some(granted) = granted {
            self.record.life = Duration::from_secs(granted.into());
        }
        self.epoch += 1;
        self.client = Some(client.clone());
        self.acks.set(Some((self.epoch, client.clone())));
        // Each time: a session that is there may have lost its subscription.
        client
            .try_subscribe_many(self.filters.clone())
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Incoming(Packet::Publish(publish)) => self.arrive(publish),
            Event::Incoming(Packet::SubAck(suback)) => {
                subscribed::check(&suback, "the events")?;
                self.publish_record()?;
            }
            Event::Incoming(Packet::PubAck(puback)) => self.record_confirmed(&puback)?,
            Event::Outgoing(Outgoing::PingReq) => self.refresh()?,
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, failure: &Failure) {
        self.acks.set(None);
        self.client = None;
        self.report.down(self.number, &failure.why);
    }

    async fn room(&self) {
        self.intake.room(self.number).await;
    }
}

impl Drop for SlotRole {
    /// A stream that misses a slot is no stream: the caller learns of it.
    fn drop(&mut self) {
        self.acks.set(None);
        self.intake.close();
    }
}
