//! Consumes as a member of a group that shares slots: persistent sessions with fixed client ids.
//!
//! A broker hands each event to one of the sessions, whether somebody is connected to it or not, so
//! all slots of a group are always owned by some member. Deliveries of all slots that are ours come
//! as one stream; an ack goes to the connection that brought the delivery, and to no other: packet
//! ids begin anew with each.
//!
//! ```text
//! MemberRole ─ records ─► Council ─ commands ─► Steward ─ opens, ends ─► SlotRole ─► Intake
//!                            ▲                                              │
//!                            └───────────── up, down, drained ──────────────┘
//! ```

mod connections;
mod council;
mod delete;
mod intake;
mod ledger;
mod member;
mod slot;
mod steward;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rumqttc::v5::AsyncClient;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use ulid::Ulid;

use self::connections::Connections;
use self::council::{Command, Council, Moment, Standing};
use self::intake::Intake;
use self::ledger::Ledger;
use self::steward::Steward;
use super::MqttSettings;
use super::endpoint::Endpoint;
use super::member_record::{MemberRecord, member_name};
use super::report::Report;
use super::slot_record::SlotOwner;
use super::topics::Topics;
use crate::broker::{ConsumeError, Consumer, Delivery, DeliveryTag};
use crate::readiness::Dependency;

/// Consumes from the slots of a group that are its own.
#[derive(Debug)]
pub struct MqttConsumer {
    shared: Arc<Shared>,
    ledger: Ledger,
    /// Ends all connections when it is dropped.
    steward: AbortOnDropHandle<()>,
}

/// What the tasks of a consumer have in common.
#[derive(Debug)]
struct Shared {
    topics: Topics,
    topic_prefix: String,
    group: String,
    owner: SlotOwner,
    /// What this member is called.
    name: String,
    member_topic: String,
    control_id: String,
    session_expiry: Duration,
    receive_maximum: u16,
    intake: Intake,
    connections: Connections,
    report: Report,
    council: Mutex<Council>,
    /// The council is to be asked.
    wake: Notify,
    closing: CancellationToken,
    started: Instant,
    control: Mutex<Option<AsyncClient>>,
    epochs: AtomicU64,
}

impl MqttConsumer {
    /// Starts to join `group`, and goes on for as long as it lives; `dependency` says how that
    /// goes. `window` is how many deliveries the caller holds at most.
    pub fn start(
        settings: &MqttSettings,
        group: &str,
        window: usize,
        dependency: Dependency,
    ) -> Self {
        let MqttSettings { topic_prefix, broker, process, instance } = settings;
        let slots = broker.consumer_slots.max(1);
        let topics = Topics::new(topic_prefix);
        let owner = SlotOwner { process: process.clone(), instance: instance.clone() };
        let name = member_name(&owner);
        let start = Ulid::generate().to_string();
        let record = MemberRecord { who: owner.clone(), start: start.clone(), slots, beat: 0 };
        let shared = Arc::new(Shared {
            member_topic: topics.member(group, &name),
            control_id: format!("{topic_prefix}-{group}-member-{name}"),
            topics,
            topic_prefix: topic_prefix.clone(),
            group: group.to_owned(),
            owner,
            council: Mutex::new(Council::new(name.clone(), start, slots)),
            name,
            session_expiry: broker.session_expiry,
            receive_maximum: share_of(window, slots),
            intake: Intake::new(slots),
            connections: Connections::default(),
            report: Report::new(dependency, 1),
            wake: Notify::new(),
            closing: CancellationToken::new(),
            started: Instant::now(),
            control: Mutex::default(),
            epochs: AtomicU64::default(),
        });
        let steward = Steward::new(Arc::clone(&shared), Endpoint::new(broker), record);
        let steward = AbortOnDropHandle::new(tokio::spawn(steward.run()));
        Self { shared, ledger: Ledger::default(), steward }
    }

    fn settle(&mut self, tags: &[DeliveryTag]) {
        let origins = self.ledger.ack(tags);
        self.shared.connections.ack(&origins);
        if self.shared.intake.settle(&origins) {
            self.shared.wake.notify_one();
        }
    }
}

impl Shared {
    /// Tells the council something.
    fn tell(&self, news: impl FnOnce(&mut Council, Moment)) {
        news(&mut self.council(), self.started.elapsed());
        self.wake.notify_one();
    }

    /// Asks the council what to do.
    fn decide(&self) -> Vec<Command> {
        self.council().step(self.started.elapsed(), &|slot| self.intake.is_settled(slot))
    }

    async fn woken(&self) {
        self.wake.notified().await;
    }

    fn may_connect(&self, slot: u16) -> bool {
        self.council().may_connect(self.started.elapsed(), slot)
    }

    fn standing(&self) -> Option<Standing> {
        self.council().standing().cloned()
    }

    fn close(&self) {
        self.council().close();
    }

    fn is_over(&self) -> bool {
        self.council().is_over()
    }

    fn control(&self) -> Option<AsyncClient> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_control(&self, client: Option<AsyncClient>) {
        *self.control.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    fn next_epoch(&self) -> u64 {
        self.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn client_id_of(&self, slot: u16) -> String {
        format!("{}-{}-slot-{slot}", self.topic_prefix, self.group)
    }

    fn end_of(&self, slot: u16) -> String {
        self.topics.end_of_slot(&self.group, slot)
    }

    fn council(&self) -> MutexGuard<'_, Council> {
        self.council.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one slot may have unacked, so that together they fill the window.
fn share_of(window: usize, slots: u16) -> u16 {
    u16::try_from(window.div_ceil(usize::from(slots))).unwrap_or(u16::MAX).max(1)
}

#[async_trait]
impl Consumer for MqttConsumer {
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError> {
        loop {
            let arrived = self.shared.intake.take(limit.max(1)).await;
            let arrived = arrived.ok_or(ConsumeError::Closed)?;
            let hand_out = arrived.into_iter().filter_map(|arrived| self.ledger.hand_out(arrived));
            let deliveries: Vec<Delivery> = hand_out.collect();
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            // Nothing but the end of a session, which nobody else acks.
            self.settle(&[]);
        }
    }

    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError> {
        self.settle(tags);
        Ok(())
    }

    /// MQTT cannot tell.
    fn backlog(&self) -> Option<u64> {
        None
    }

    async fn close(mut self: Box<Self>) -> Result<(), ConsumeError> {
        self.shared.closing.cancel();
        // It bounds every wait of its own.
        let _ended = (&mut self.steward).await;
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
