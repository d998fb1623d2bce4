//! Publishes on their way over one connection, each confirmed by its own PUBACK.
//!
//! The client library tells nobody what became of a publish, so this follows it: requests enter the
//! event loop's queue in the order of a list, each one that leaves it takes the next packet id, and
//! the PUBACK of that id is the confirmation. Packet ids wrap at the broker's receive maximum, so
//! the span from the oldest unconfirmed to the newest stays within it: no id is ever used twice,
//! even when the broker confirms out of order. All of it ends with the connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rumqttc::Outgoing as Sent;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Packet, PubAck, PubAckReason, Publish, PublishProperties,
};
use rumqttc::v5::{AsyncClient, Event};
use tokio::sync::{Semaphore, oneshot};

use super::failure::{Cause, Failure};
use crate::broker::PublishError;

/// Unconfirmed publishes at most, even when the broker would take more: what a lost connection
/// makes us send again.
pub(super) const MAX_IN_FLIGHT: u16 = 1_000;
/// What a packet id adds to the size that the client library computes without one.
const PACKET_ID_BYTES: usize = 3;
/// The largest packet of MQTT.
const MAX_PACKET_BYTES: usize = 268_435_455;
/// What the length of a large packet takes beyond that of an empty one.
const LENGTH_BYTES: usize = 3;
/// Longest topic: MQTT counts its bytes with 16 bits.
const MAX_TOPIC_BYTES: usize = 65_535;

/// The broker's word on one publish.
type Answer = Result<PubAckReason, PublishError>;

/// What is published: always QoS 1.
#[derive(Clone, Debug)]
pub(super) struct Publication {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) retain: bool,
    /// How long the broker keeps it; for ever when none.
    pub(super) expiry_seconds: Option<u32>,
}

impl Publication {
    /// Neither retained nor ever too old.
    pub(super) fn new(topic: String, payload: Bytes) -> Self {
        Self { topic, payload, retain: false, expiry_seconds: None }
    }

    fn properties(&self) -> PublishProperties {
        PublishProperties {
            message_expiry_interval: self.expiry_seconds,
            ..PublishProperties::default()
        }
    }
}

/// The publishes of one connection.
#[derive(Debug)]
pub(super) struct Flight {
    client: AsyncClient,
    /// A permit for each publish between the oldest unconfirmed one and the newest.
    span: Semaphore,
    max_packet_bytes: Option<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Handed to the event loop, which has not sent them yet.
    queued: VecDeque<Pending>,
    /// Sent, in the order of their packet ids; confirmed ones stay until the oldest is.
    sent: VecDeque<(u16, Option<Pending>)>,
    /// Why the connection is over.
    over: Option<String>,
}

#[derive(Debug)]
struct Pending {
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

impl Flight {
    /// For a connection that has just begun. Subscriptions take packet ids too: none may be open
    /// when the first publish starts.
    pub(super) fn new(client: AsyncClient, connack: &ConnAck) -> Self {
        let properties = connack.properties.as_ref();
        let receive_max = properties.and_then(|properties| properties.receive_max);
        let max_packet = properties.and_then(|properties| properties.max_packet_size);
        let span = receive_max.unwrap_or(u16::MAX).clamp(1, MAX_IN_FLIGHT);
        Self {
            client,
            span: Semaphore::new(usize::from(span)),
            max_packet_bytes: max_packet.and_then(|bytes| usize::try_from(bytes).ok()),
            state: Mutex::default(),
        }
    }

    /// Publishes, and waits for the broker's word.
    pub(super) async fn publish(&self, publication: Publication) -> Answer {
        self.check(&publication)?;
        let permit = self.span.acquire().await.map_err(|_closed| self.why_over())?;
        let answer = self.start(publication)?;
        // The permit comes back when everything up to this publish is confirmed.
        permit.forget();
        answer.await.map_err(|_gone| unavailable("the connection was lost"))?
    }

    /// How large a payload on this topic may be, as far as the broker has said it.
    pub(super) fn max_payload(&self, topic: &str) -> usize {
        let publication = Publication::new(topic.to_owned(), Bytes::new());
        let around = size(&publication) + LENGTH_BYTES;
        self.max_packet_bytes.unwrap_or(MAX_PACKET_BYTES).saturating_sub(around)
    }

    /// Refuses what would make the broker drop the connection, and again at every repetition.
    fn check(&self, publication: &Publication) -> Result<(), PublishError> {
        let Publication { topic, payload, .. } = publication;
        if topic.is_empty() || topic.len() > MAX_TOPIC_BYTES || topic.contains(['+', '#', '\0']) {
            return Err(PublishError::Refused { why: "its topic is no MQTT topic".to_owned() });
        }
        let bytes = size(publication);
        match self.max_packet_bytes {
            Some(max) if bytes > max => Err(PublishError::Refused {
                why: format!(
                    "its packet has {bytes} bytes ({} of them the event) and the broker takes \
                     {max}: raise max_packet_size there",
                    payload.len()
                ),
            }),
            _ => Ok(()),
        }
    }

    fn start(&self, publication: Publication) -> Result<oneshot::Receiver<Answer>, PublishError> {
        let bytes = size(&publication);
        let properties = publication.properties();
        let Publication { topic, payload, retain, .. } = publication;
        let (answer, answered) = oneshot::channel();
        let mut state = self.lock();
        if let Some(why) = &state.over {
            return Err(unavailable(why.clone()));
        }
        // Under the lock, so that both queues have the same order.
        self.client
            .try_publish_with_properties(topic, QoS::AtLeastOnce, retain, payload, properties)
            .map_err(|_full| unavailable("the queue to the broker is full"))?;
        state.queued.push_back(Pending { bytes, answer });
        Ok(answered)
    }

    /// Publishes as soon as the connection begins, from where nothing can wait.
    pub(super) fn publish_first(&self, publication: Publication) {
        if let Ok(permit) = self.span.try_acquire()
            && self.start(publication).is_ok()
        {
            permit.forget();
        }
    }

    /// Follows the event loop.
    pub(super) fn observe(&self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Outgoing(Sent::Publish(packet_id)) => self.left(*packet_id),
            Event::Incoming(Packet::PubAck(puback)) => self.confirm(puback),
            // Cannot happen within the span; the event loop would never recover from it.
            Event::Outgoing(Sent::AwaitAck(_)) => {
                return Err(Failure::new("a packet id was about to be used twice"));
            }
            _ => {}
        }
        Ok(())
    }

    fn left(&self, packet_id: u16) {
        let mut state = self.lock();
        if let Some(pending) = state.queued.pop_front() {
            state.sent.push_back((packet_id, Some(pending)));
        }
    }

    fn confirm(&self, puback: &PubAck) {
        let mut state = self.lock();
        let found = state
            .sent
            .iter_mut()
            .find(|(packet_id, pending)| *packet_id == puback.pkid && pending.is_some());
        if let Some(pending) = found.and_then(|(_, pending)| pending.take()) {
            // Nobody waits when the caller has given up.
            let _given_up = pending.answer.send(Ok(puback.reason));
        }
        let confirmed = state.sent.iter().take_while(|(_, pending)| pending.is_none()).count();
        state.sent.drain(..confirmed);
        self.span.add_permits(confirmed);
    }

    /// The connection is over: whatever it has not confirmed has to be published again.
    pub(super) fn fail(&self, failure: &Failure) {
        let mut state = self.lock();
        state.over.get_or_insert_with(|| failure.why.clone());
        self.span.close();
        let sent = std::mem::take(&mut state.sent).into_iter().filter_map(|(_, pending)| pending);
        let mut unconfirmed: Vec<Pending> = sent.collect();
        // Whatever the broker found too large, the largest is.
        let poison = (failure.cause == Cause::TooLarge)
            .then(|| (0..unconfirmed.len()).max_by_key(|&at| unconfirmed.get(at).map(|p| p.bytes)))
            .flatten()
            .map(|largest| unconfirmed.swap_remove(largest));
        if let Some(pending) = poison {
            let why = format!("{} ({} bytes)", failure.why, pending.bytes);
            let _given_up = pending.answer.send(Err(PublishError::Refused { why }));
        }
        for pending in unconfirmed.into_iter().chain(state.queued.drain(..)) {
            let _given_up = pending.answer.send(Err(unavailable(failure.why.clone())));
        }
    }

    fn why_over(&self) -> PublishError {
        unavailable(self.lock().over.clone().unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(publication: &Publication) -> usize {
    let Publication { topic, payload, .. } = publication;
    let properties = Some(publication.properties());
    let publish = Publish::new(topic.as_str(), QoS::AtLeastOnce, payload.clone(), properties);
    publish.size() + PACKET_ID_BYTES
}

fn unavailable(why: impl Into<String>) -> PublishError {
    PublishError::Unavailable { why: why.into() }
}

#[cfg(test)]
mod tests;
