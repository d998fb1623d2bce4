//! MQTT 5: QoS 1, publishes confirmed one by one, manual acks, sessions that outlive their writer.
//!
//! Every client is one task that owns one event loop for as long as one connection lives; with the
//! connection goes the event loop, so that no packet id, no queued request and no ack of an old
//! connection can reach a new one. What has to survive survives elsewhere: unconfirmed events in
//! the outbox, unacked deliveries in the broker's session. Publishing and consuming never share a
//! client, because acks would wait behind publishes.
//!
//! ```text
//! MqttPublisher ── Flight ──┐                    ┌── Slot ── Intake ── Ledger ── MqttConsumer
//! MqttDeadLetters ─ Flight ─┼── Link (one task) ─┤
//!                           └── endpoint, failure, report
//! ```

mod confirm;
mod consumer;
mod courier;
mod dead_letters;
mod endpoint;
mod failure;
mod flight;
mod link;
pub mod look;
mod member_record;
mod publisher;
mod registry;
mod report;
mod slot_record;
mod subscribed;
pub(super) mod subscription;
mod topics;

use crate::config::Mqtt;

#[cfg(test)]
pub(crate) use self::{member_record::MemberRecord, publisher::Mark};

pub use consumer::MqttConsumer;
pub use courier::MqttCourier;
pub use dead_letters::MqttDeadLetters;
pub use publisher::MqttPublisher;
pub use slot_record::{SlotOwner, SlotRecord};

/// Where the broker is, and which program of ours speaks to it.
#[derive(Clone, Debug)]
pub struct MqttSettings {
    /// The first part of every topic.
    pub topic_prefix: String,
    /// The section `broker.mqtt`.
    pub broker: Mqtt,
    /// The program: `collector`, `writer`, `footman`.
    pub process: String,
    /// Which one of them. Two with the same name would drive each other off the broker.
    pub instance: String,
}
