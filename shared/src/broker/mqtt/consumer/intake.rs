//! Where the deliveries of all slots wait for the caller, in the order in which they came.
//!
//! And how much of each slot is not settled yet, waiting here or held by the caller: a slot is handed
//! over when that is nothing.
//!
//! The bound is the receive maximum of each session; mosquitto up to 2.0.12 overruns it. So a slot
//! has a bound of its own in bytes: while it is exceeded, the slot reads nothing more, and the rest
//! waits in the network and at the broker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::ledger::Origin;

/// What may wait here, of all slots together; a quarter of what a writer holds beside it.
const MAX_BYTES: usize = 6 * 1000 * 1000;
/// What a slot may always have waiting: one event of the largest kind.
const LEAST_BYTES: usize = 1 << 20;
/// What a delivery costs beside its topic and payload.
const OVERHEAD_BYTES: usize = 200;

/// A delivery that the caller does not have yet.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) origin: Origin,
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) redelivered: bool,
    /// It is no event but says that everything before it in a session has come.
    pub(super) is_end: bool,
}

impl Arrived {
    fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + OVERHEAD_BYTES
    }
}

/// The merged stream of all slots.
#[derive(Debug)]
pub(super) struct Intake {
    state: Mutex<State>,
    arrived: Notify,
    taken: Notify,
    max_slot_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arrived>,
    slots: BTreeMap<u16, Slot>,
    is_closed: bool,
}

/// One slot's part of it.
#[derive(Debug, Default)]
struct Slot {
    /// The connection whose deliveries count.
    epoch: u64,
    /// What of it waits.
    bytes: usize,
    /// How many deliveries of the connection came and are not acked.
    unsettled: usize,
    /// Nothing more is taken of it.
    is_stopped: bool,
}

impl Intake {
    /// For a group of so many slots, more or less.
    pub(super) fn new(slots: u16) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Notify::new(),
            taken: Notify::new(),
            max_slot_bytes: (MAX_BYTES / usize::from(slots.max(1))).max(LEAST_BYTES),
        }
    }

    /// A connection of a slot begins. What came over an earlier one will come again, or to another.
    pub(super) fn begin(&self, slot: u16, epoch: u64) {
        let mut state = self.lock();
        let slot = state.slots.entry(slot).or_default();
        (slot.epoch, slot.unsettled, slot.is_stopped) = (epoch, 0, false);
    }

    /// Takes nothing more of a slot, and forgets what the caller does not have yet.
    pub(super) fn stop(&self, slot: u16) {
        let mut state = self.lock();
        let State { queue, slots, .. } = &mut *state;
        let stopped = slots.entry(slot).or_default();
        queue.retain(|arrived| {
            let Origin { slot: from, epoch, .. } = arrived.origin;
            if from == slot && epoch == stopped.epoch {
                stopped.unsettled = stopped.unsettled.saturating_sub(1);
            }
            from != slot
        });
        (stopped.bytes, stopped.is_stopped) = (0, true);
        drop(state);
        self.taken.notify_waiters();
    }

    /// Deliveries were acked. Says whether that settles a slot.
    pub(super) fn settle(&self, origins: &[Origin]) -> bool {
        let mut state = self.lock();
        let mut settles = false;
        for origin in origins {
            let slot = state.slots.get_mut(&origin.slot);
            if let Some(slot) = slot.filter(|slot| slot.epoch == origin.epoch) {
                slot.unsettled = slot.unsettled.saturating_sub(1);
                settles |= slot.unsettled == 0;
            }
        }
        settles
    }

    /// Nothing that came over the slot's connection waits for its ack.
    pub(super) fn is_settled(&self, slot: u16) -> bool {
        self.lock().slots.get(&slot).is_none_or(|slot| slot.unsettled == 0)
    }

    /// Adds a delivery; never waits.
    pub(super) fn push(&self, arrived: Arrived) {
        let mut state = self.lock();
        let slot = state.slots.entry(arrived.origin.slot).or_default();
        if slot.is_stopped {
            return;
        }
        slot.bytes += arrived.bytes();
        slot.unsettled += 1;
        state.queue.push_back(arrived);
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits for deliveries; none when there will never be one.
    pub(super) async fn take(&self, limit: usize) -> Option<Vec<Arrived>> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut state = self.lock();
                let State { queue, slots, is_closed } = &mut *state;
                if !queue.is_empty() {
                    let taken: Vec<Arrived> = queue.drain(..limit.min(queue.len())).collect();
                    for arrived in &taken {
                        if let Some(slot) = slots.get_mut(&arrived.origin.slot) {
                            slot.bytes = slot.bytes.saturating_sub(arrived.bytes());
                        }
                    }
                    drop(state);
                    self.taken.notify_waiters();
                    return Some(taken);
                }
                if *is_closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Waits until a slot may read again.
    pub(super) async fn room(&self, slot: u16) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            // Registered before the look, so that no taking in between is missed.
            taken.as_mut().enable();
            let waiting = self.lock().slots.get(&slot).map_or(0, |slot| slot.bytes);
            if waiting < self.max_slot_bytes {
                return;
            }
            taken.await;
        }
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A_MOMENT: Duration = Duration::from_millis(50);

    fn arrived(slot: u16, bytes: usize) -> Arrived {
        Arrived {
            origin: Origin { slot, epoch: 1, packet_id: 1 },
            topic: "t".to_owned(),
            payload: vec![0; bytes].into(),
            redelivered: false,
            is_end: false,
        }
    }

    #[tokio::test]
    async fn a_slot_is_settled_when_everything_of_its_connection_is_acked() {
        let intake = Intake::new(1);
        intake.begin(0, 1);
        (0..3).for_each(|_| intake.push(arrived(0, 1)));
        let one = intake.take(1).await.unwrap().remove(0);
        let other = Origin { epoch: 9, ..one.origin };
        assert!(!intake.settle(&[other]), "another connection's");
        assert!(!intake.is_settled(0));
        // The two that wait are forgotten, what comes now as well; the one that was taken is not.
        intake.stop(0);
        intake.push(arrived(0, 1));
        assert!(!intake.is_settled(0));
        assert!(intake.settle(&[one.origin]));
        assert!(intake.is_settled(0));
        intake.begin(0, 2);
        intake.push(Arrived { origin: Origin { epoch: 2, ..one.origin }, ..arrived(0, 1) });
        assert_eq!(intake.take(9).await.unwrap().len(), 1);
        assert!(!intake.is_settled(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_slot_reads_again_when_something_is_taken() {
        let intake = Intake::new(64);
        intake.room(0).await;
        intake.push(arrived(0, LEAST_BYTES));
        tokio::time::timeout(A_MOMENT, intake.room(0)).await.unwrap_err();
        intake.room(1).await;
        let (taken, ()) = tokio::join!(intake.take(10), intake.room(0));
        assert_eq!(taken.unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn taking_may_be_cancelled_and_loses_nothing() {
        let intake = Intake::new(1);
        tokio::time::timeout(A_MOMENT, intake.take(10)).await.unwrap_err();
        (0..3).for_each(|_| intake.push(arrived(0, 1)));
        assert_eq!(intake.take(2).await.unwrap().len(), 2);
        assert_eq!(intake.take(2).await.unwrap().len(), 1);
        intake.close();
        assert!(intake.take(2).await.is_none());
    }
}
