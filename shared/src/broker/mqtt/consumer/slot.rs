//! One slot that is ours: a persistent session with a fixed client id, its subscriptions and its
//! record.
//!
//! The record is published over this connection alone, the last will included: so nobody who has
//! lost the slot can write its record any more, and the broker keeps the records of all owners in
//! the order of their connections.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, LastWill, LastWillProperties, Packet, PubAck, Publish, SubAck, UnsubAck,
    UnsubAckReason,
};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::sync::watch;
use tokio::time::Instant;
use ulid::Ulid;

use super::Shared;
use super::connections::{Connection, seconds};
use super::council::Opening;
use super::intake::Arrived;
use super::ledger::Origin;
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::link::Role;
use crate::broker::mqtt::slot_record::SlotRecord;
use crate::broker::mqtt::{confirm, subscribed};
use crate::timestamp::Timestamp;

/// Longer than that of other clients: while a slot is full it does not even ping, and the broker
/// gives up on it after one and a half times this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How often a record is published again within its life: as its session lives on, so must it.
const RECORD_REFRESHES: u32 = 10;

/// Whether the slot may be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// Not before more is known.
    Wait,
    /// Whenever there is no connection.
    Go,
    /// Never again: it was given up.
    End,
}

/// The subscription that shows whether the broker still has those to the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Witness {
    #[default]
    Missing,
    Asked,
    Stands,
    /// This broker will not have it, and is not asked again.
    Refused,
}

/// The slot's side of the event loop.
pub(super) struct SlotRole {
    shared: Arc<Shared>,
    opening: Opening,
    permit: watch::Receiver<Permit>,
    record: SlotRecord,
    /// The session had its name before we came, or got it from us.
    is_named: bool,
    /// What says that everything which was in the session before it has come; new for each
    /// connection.
    end: String,
    connection: Option<Connection>,
    /// When the record is due again.
    due: Option<Instant>,
    /// The last will holds the name of a session that is lost.
    is_will_outdated: bool,
    witness: Witness,
    /// How many of the filters a session that is retired has left.
    unsubscribed: usize,
}

impl SlotRole {
    pub(super) fn new(
        shared: Arc<Shared>,
        opening: Opening,
        permit: watch::Receiver<Permit>,
    ) -> Self {
        let record = SlotRecord {
            owner: Some(shared.owner.clone()),
            since: Timestamp::now(),
            takeover: opening.takeover,
            session: Some(opening.session.clone().unwrap_or_else(name)),
            released: false,
        };
        Self {
            is_named: opening.session.is_some(),
            shared,
            opening,
            permit,
            record,
            end: String::new(),
            connection: None,
            due: None,
            is_will_outdated: false,
            witness: Witness::default(),
            unsubscribed: 0,
        }
    }

    fn number(&self) -> u16 {
        self.opening.slot
    }

    /// What the broker keeps for the session is a new one when there was none; its name says so.
    fn name_session(&mut self, is_present: bool) {
        self.is_will_outdated = false;
        if !is_present && self.is_named {
            self.is_lost("The broker has lost a session and what it kept for it.");
        }
        self.is_named = true;
    }

    /// Events may have been confirmed that the session does not have: by its new name collectors
    /// know.
    fn is_lost(&mut self, what: &str) {
        tracing::warn!(slot = self.number(), "{what}");
        self.record.session = Some(name());
        self.is_will_outdated = true;
    }

    /// Each time: a session that is there may have lost its subscription.
    fn subscribe(&self, client: &AsyncClient, is_present: bool) -> Result<(), Failure> {
        let filters = self.shared.topics.shared(&self.shared.group).into_iter();
        if !self.opening.retiring {
            if is_present && self.witness != Witness::Refused {
                let witness = self.shared.topics.witness(&self.shared.group);
                client.try_unsubscribe(witness).map_err(|error| Failure::new(error.to_string()))?;
            }
            return client
                .try_subscribe_many(filters.map(|filter| Filter::new(filter, QoS::AtLeastOnce)))
                .map_err(|error| Failure::new(error.to_string()));
        }
        for filter in filters {
            client.try_unsubscribe(filter).map_err(|error| Failure::new(error.to_string()))?;
        }
        client
            .try_subscribe(self.shared.end_of(self.number()), QoS::AtLeastOnce)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn subscribed(&mut self, suback: &SubAck) -> Result<(), Failure> {
        if self.witness == Witness::Asked {
            let topic = self.shared.topics.witness(&self.shared.group);
            self.witness = match subscribed::check(suback, &topic) {
                Ok(()) => Witness::Stands,
                Err(refused) => {
                    tracing::debug!(slot = self.number(), "{}", refused.why);
                    Witness::Refused
                }
            };
            self.stands();
            return Ok(());
        }
        subscribed::check(suback, "the events")?;
        self.claim()?;
        if !self.opening.retiring {
            return Ok(());
        }
        // Anything that still came after the end would be lost with the session.
        if self.unsubscribed < self.shared.topics.shared(&self.shared.group).len() {
            return Err(Failure::new("the broker has not ended all subscriptions of a session"));
        }
        let Some(Connection { client, .. }) = &self.connection else { return Ok(()) };
        let topic = self.shared.end_of(self.number());
        client
            .try_publish(topic, QoS::AtLeastOnce, false, self.end.clone())
            .map_err(|error| Failure::new(error.to_string()))
    }

    /// The answer to the end of the witness' subscription, before it is subscribed to again:
    /// mosquitto 2.0 forgets shared subscriptions when it restarts, sessions and all else it keeps.
    /// Until they are subscribed to again it keeps no events for the session, and confirms them if
    /// somebody else subscribes to them.
    fn witnessed(&mut self, unsuback: &UnsubAck) {
        if !unsuback.reasons.contains(&UnsubAckReason::NoSubscriptionExisted) {
            return;
        }
        self.is_lost("The broker has forgotten the subscriptions of a session.");
        if let Some(connection) = &mut self.connection {
            connection.record = self.record.clone();
            self.shared.connections.set(self.opening.slot, connection.clone());
        }
    }

    fn unsubscribed(&mut self, unsuback: &UnsubAck) -> Result<(), Failure> {
        if !self.opening.retiring {
            self.witnessed(unsuback);
            return Ok(());
        }
        for reason in &unsuback.reasons {
            match reason {
                UnsubAckReason::Success | UnsubAckReason::NoSubscriptionExisted => {
                    self.unsubscribed += 1;
                }
                other => {
                    let why = format!("the broker does not end a subscription: {other:?}");
                    return Err(Failure::new(why));
                }
            }
        }
        Ok(())
    }

    fn arrive(&self, publish: Publish) {
        let Some(Connection { epoch, .. }) = &self.connection else { return };
        let (slot, opening) = (self.number(), self.opening.number);
        let is_end = publish.topic == self.shared.end_of(slot).as_bytes();
        let is_our_end = is_end && publish.payload == self.end.as_bytes();
        self.shared.intake.push(Arrived {
            origin: Origin { slot, epoch: *epoch, packet_id: publish.pkid },
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload,
            redelivered: publish.dup,
            is_end,
        });
        // An earlier attempt at retiring may have left an end of its own.
        if is_our_end {
            self.shared.tell(|council, _now| council.drained(slot, opening));
        }
    }

    /// Tells collectors that this session keeps what they publish, for as long as it will, and the
    /// group whose it is.
    fn claim(&mut self) -> Result<(), Failure> {
        let Some(connection) = &self.connection else { return Ok(()) };
        self.due = Some(Instant::now() + connection.life / RECORD_REFRESHES);
        connection.claim()
    }

    fn confirmed(&mut self, puback: &PubAck) -> Result<(), Failure> {
        let Some(Connection { topic, client, .. }) = &self.connection else { return Ok(()) };
        confirm::retained(puback.reason, topic).map_err(|error| Failure::new(error.to_string()))?;
        if self.opening.retiring {
            self.stands();
            return Ok(());
        }
        match self.witness {
            // Not before collectors know of a loss: until then whoever comes next has to find it.
            Witness::Missing => {
                self.witness = Witness::Asked;
                let witness = self.shared.topics.witness(&self.shared.group);
                client
                    .try_subscribe(witness, QoS::AtLeastOnce)
                    .map_err(|error| Failure::new(error.to_string()))?;
                if !self.is_will_outdated {
                    // The answer may come behind thousands of events.
                    self.stands();
                }
                Ok(())
            }
            Witness::Asked => Ok(()),
            Witness::Stands | Witness::Refused => {
                self.stands();
                Ok(())
            }
        }
    }

    /// The record is retained, and everything is subscribed to.
    fn stands(&self) {
        let Some(Connection { client, .. }) = &self.connection else { return };
        if self.is_will_outdated {
            // Collectors know of the loss now. The next connection has the right last will.
            let _queued = client.try_disconnect();
            return;
        }
        let (slot, opening) = (self.number(), self.opening.number);
        self.shared.report.up(connection_of(slot));
        self.shared.tell(|council, _now| council.up(slot, opening));
    }

    fn refresh(&mut self) -> Result<(), Failure> {
        match self.due {
            Some(due) if Instant::now() >= due => self.claim(),
            _ => Ok(()),
        }
    }

    fn is_given_up(&self) -> bool {
        *self.permit.borrow() == Permit::End
    }

    fn disconnected(&mut self) {
        if let Some(Connection { epoch, .. }) = self.connection.take() {
            self.shared.connections.clear(self.number(), epoch);
        }
    }
}

/// The place of a slot's connection in the report.
pub(super) fn connection_of(slot: u16) -> usize {
    usize::from(slot) + 1
}

/// A name that nothing else has.
fn name() -> String {
    Ulid::generate().to_string()
}

impl Role for SlotRole {
    fn client_id(&mut self) -> String {
        self.shared.client_id_of(self.number())
    }

    fn prepare(&self, options: &mut MqttOptions) {
        let Shared { topics, group, session_expiry, receive_maximum, .. } = &*self.shared;
        let free = SlotRecord { owner: None, ..self.record.clone() };
        let text = serde_json::to_string(&free).unwrap_or_default();
        let properties = LastWillProperties {
            delay_interval: None,
            payload_format_indicator: None,
            message_expiry_interval: Some(seconds(*session_expiry)),
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: vec![],
        };
        let topic = topics.slot(group, self.number());
        let will = LastWill::new(topic, text, QoS::AtLeastOnce, true, Some(properties));
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(seconds(*session_expiry)))
            .set_receive_maximum(Some(*receive_maximum))
            .set_keep_alive(KEEP_ALIVE)
            .set_manual_acks(true)
            .set_last_will(will);
    }

    async fn turn(&self) {
        let mut permit = self.permit.clone();
        if permit.wait_for(|permit| *permit == Permit::Go).await.is_err() {
            // Whoever gives permits is gone, and this role will be soon.
            std::future::pending::<()>().await;
        }
    }

    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure> {
        self.name_session(connack.session_present);
        if self.witness != Witness::Refused {
            self.witness = Witness::Missing;
        }
        (self.end, self.unsubscribed) = (name(), 0);
        let granted = connack.properties.as_ref().and_then(|p| p.session_expiry_interval);
        let life = granted.map_or(self.shared.session_expiry, |s| Duration::from_secs(s.into()));
        let connection = Connection {
            epoch: self.shared.next_epoch(),
            client: client.clone(),
            topic: self.shared.topics.slot(&self.shared.group, self.number()),
            record: self.record.clone(),
            life,
            acks: Arc::default(),
        };
        self.shared.intake.begin(self.number(), connection.epoch);
        self.shared.connections.set(self.number(), connection.clone());
        self.connection = Some(connection);
        self.subscribe(client, connack.session_present)
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Incoming(Packet::Publish(publish)) => self.arrive(publish),
            Event::Incoming(Packet::SubAck(suback)) => self.subscribed(&suback)?,
            Event::Incoming(Packet::UnsubAck(unsuback)) => self.unsubscribed(&unsuback)?,
            Event::Incoming(Packet::PubAck(puback)) => self.confirmed(&puback)?,
            Event::Outgoing(Outgoing::PubAck(_)) => {
                if let Some(connection) = &self.connection {
                    connection.ack_left();
                }
            }
            Event::Outgoing(Outgoing::PingReq) => self.refresh()?,
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, failure: &Failure) {
        self.disconnected();
        if self.is_given_up() {
            return;
        }
        let (slot, opening) = (self.number(), self.opening.number);
        self.shared.report.down(connection_of(slot), &failure.why);
        self.shared.tell(|council, now| council.down(now, slot, opening));
    }

    async fn room(&self) {
        self.shared.intake.room(self.number()).await;
    }
}

impl Drop for SlotRole {
    /// A stream that misses a slot which is ours is no stream: the caller learns of it.
    fn drop(&mut self) {
        self.disconnected();
        if !self.is_given_up() {
            self.shared.intake.close();
        }
    }
}
