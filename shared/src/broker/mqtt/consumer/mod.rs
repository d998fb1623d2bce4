//! Consumes as the owner of a group's slots: persistent sessions with fixed client ids.
//!
//! A broker hands each event to one of the sessions, whether somebody is connected to it or not, so
//! all slots of a group are always owned. Deliveries of all slots come as one stream; an ack goes
//! to the connection that brought the delivery, and to no other: packet ids begin anew with each.

mod intake;
mod ledger;
mod slot;

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;

use self::intake::Intake;
use self::ledger::Ledger;
use self::slot::{Acks, SlotRole};
use super::MqttSettings;
use super::endpoint::Endpoint;
use super::link::Link;
use super::report::Report;
use crate::broker::{ConsumeError, Consumer, Delivery, DeliveryTag};
use crate::readiness::Dependency;

/// Consumes from all slots of a group.
#[derive(Debug)]
pub struct MqttConsumer {
    intake: Arc<Intake>,
    ledger: Ledger,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    acks: Arc<Acks>,
    link: Link,
}

impl MqttConsumer {
    /// Starts to connect as every slot of `group`, and goes on for as long as it lives;
    /// `dependency` says how that goes. `window` is how many deliveries the caller holds at most.
    pub fn start(
        settings: &MqttSettings,
        group: &str,
        window: usize,
        dependency: Dependency,
    ) -> Self {
        let count = settings.broker.consumer_slots.max(1);
        let intake = Arc::new(Intake::new(usize::from(count)));
        let report = Arc::new(Report::new(dependency, usize::from(count)));
        let endpoint = Endpoint::new(&settings.broker);
        let slots = (0..count).map(|number| {
            let acks = Arc::<Acks>::default();
            let role = SlotRole::new(
                settings,
                group,
                number,
                share_of(window, count),
                Arc::clone(&acks),
                Arc::clone(&intake),
                Arc::clone(&report),
            );
            Slot { acks, link: Link::start(endpoint.clone(), role) }
        });
        Self { slots: slots.collect(), intake, ledger: Ledger::default() }
    }
}

/// What one slot may have unacked, so that together they fill the window.
fn share_of(window: usize, slots: u16) -> u16 {
    u16::try_from(window.div_ceil(usize::from(slots))).unwrap_or(u16::MAX).max(1)
}

#[async_trait]
impl Consumer for MqttConsumer {
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError> {
        let arrived = self.intake.take(limit.max(1)).await.ok_or(ConsumeError::Closed)?;
        Ok(arrived.into_iter().map(|arrived| self.ledger.hand_out(arrived)).collect())
    }

    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError> {
        for origin in self.ledger.ack(tags) {
            if let Some(slot) = self.slots.get(origin.slot) {
                slot.acks.ack(origin.epoch, origin.packet_id);
            }
        }
        Ok(())
    }

    /// MQTT cannot tell.
    fn backlog(&self) -> Option<u64> {
        None
    }

    async fn close(self: Box<Self>) -> Result<(), ConsumeError> {
        let closed = join_all(self.slots.iter().map(|slot| slot.link.close())).await;
        if closed.contains(&false) {
            tracing::warn!("The broker did not take the last acks in time; it delivers again.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_share_the_window() {
        assert_eq!(share_of(25_000, 4), 6_250);
        assert_eq!(share_of(10, 4), 3);
        assert_eq!(share_of(1, 4), 1);
        assert_eq!(share_of(0, 4), 1);
        assert_eq!(share_of(1 << 20, 1), u16::MAX);
    }
}
