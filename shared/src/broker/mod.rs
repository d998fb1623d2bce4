//! The seam to the brokers: publish with confirmation, consume with acks, keep dead letters.
//!
//! Drivers know nothing of events: they carry payloads under subjects.
//! A delivery is acked only when its points are stored or it lies in the dead letters; dropping a
//! consumer acks nothing, and what was not acked is delivered again.

mod connect;
mod dead_letter;
pub mod embedded;
pub mod forward;
mod life;
pub mod memory;
pub mod mqtt;
pub mod nats;
mod shrink;
mod subscription;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;
use tokio::sync::watch;

pub use connect::Broker;
pub use dead_letter::{
    DeadLetter, DeadLetterError, DeadLetters, LetterHeader, Look, id_from_bytes, stated_id,
};
pub use life::{Confirmed, Life, Remembers};
pub use subscription::{Published, Room, Subscription};

use crate::subject::Subject;

/// A payload on its way to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it is published.
    pub subject: Subject,
    /// The event's id, by which brokers that can recognise a repetition.
    pub id: String,
    /// The encoded event.
    pub payload: Bytes,
}

/// Publishes.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Returns once the broker has confirmed the payload.
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError>;

    /// The broker's life, which changes when what it confirmed before is not certain any more.
    /// Without a driver that can tell, it never does.
    fn life(&self) -> watch::Receiver<Life> {
        watch::channel(Life::default()).1
    }

    /// Everything that the outbox holds up to a position is confirmed, or beyond help. Gives what
    /// the outbox has to remember of the broker from now on, should it be another one after a
    /// restart of this program.
    fn confirmed_through(&self, _confirmed: Confirmed) -> Option<String> {
        None
    }

    /// Leaves the broker in a way that it and others notice.
    async fn close(&self) {}
}

/// Why the broker did not confirm.
#[derive(Debug, Error)]
pub enum PublishError {
    /// It may work later: no connection, no room, nobody subscribed. Wait and publish again.
    #[error("the broker did not take the event: {why}")]
    Unavailable {
        /// What the broker or the connection said.
        why: String,
    },
    /// It will never take this payload.
    #[error("the broker refuses the event: {why}")]
    Refused {
        /// What the broker said.
        why: String,
    },
}

/// Names a delivery when it is acked. Tags of one consumer rise in order of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryTag(pub u64);

/// A payload from the broker.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// By which it is acked.
    pub tag: DeliveryTag,
    /// Where it was published.
    pub subject: Subject,
    /// The encoded event, or whatever somebody published there.
    pub payload: Bytes,
    /// Whether it has, or may have, been delivered before.
    pub redelivered: bool,
    /// The queue it came through, where the broker has several for a group; 0 otherwise. Within
    /// one, deliveries come in the order of publishing, redeliveries apart.
    pub lane: u16,
}

/// Consumes as a member of a consumer group.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for deliveries, at most `limit` at once, in the broker's order.
    ///
    /// Reconnects by itself; an error means that no delivery will ever come.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError>;

    /// Acks deliveries, in order of receipt. An ack that gets lost means a redelivery.
    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError>;

    /// What still waits at the broker, where it can be told.
    fn backlog(&self) -> Option<u64>;

    /// Hands in the acks given so far and leaves the group.
    async fn close(self: Box<Self>) -> Result<(), ConsumeError>;
}

/// Why a consumer cannot go on.
#[derive(Debug, Error)]
pub enum ConsumeError {
    /// The broker's store cannot be read or written.
    #[error("the queue cannot be used: {why}")]
    Unusable {
        /// What is wrong.
        why: String,
    },
    /// The broker is gone for good.
    #[error("the consumer is closed")]
    Closed,
}
