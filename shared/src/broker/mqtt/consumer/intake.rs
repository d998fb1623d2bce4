//! Where the deliveries of all slots wait for the caller, in the order in which they came.
//!
//! The bound is the receive maximum of each session; mosquitto up to 2.0.12 overruns it. So a slot
//! has a bound of its own in bytes: while it is exceeded, the slot reads nothing more, and the rest
//! waits in the network and at the broker.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::ledger::Origin;

/// What may wait here, of all slots together; as much as a writer holds.
const MAX_BYTES: usize = 64 * 1000 * 1000;
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

#[derive(Debug)]
struct State {
    queue: VecDeque<Arrived>,
    /// What waits, by slot.
    slot_bytes: Vec<usize>,
    is_closed: bool,
}

impl Intake {
    pub(super) fn new(slots: usize) -> Self {
        let slot_bytes = vec![0; slots];
        Self {
            state: Mutex::new(State { queue: VecDeque::new(), slot_bytes, is_closed: false }),
            arrived: Notify::new(),
            taken: Notify::new(),
            max_slot_bytes: (MAX_BYTES / slots.max(1)).max(LEAST_BYTES),
        }
    }

    /// Adds a delivery; never waits.
    pub(super) fn push(&self, arrived: Arrived) {
        let mut state = self.lock();
        if let Some(bytes) = state.slot_bytes.get_mut(arrived.origin.slot) {
            *bytes += arrived.bytes();
        }
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
                let State { queue, slot_bytes, is_closed } = &mut *state;
                if !queue.is_empty() {
                    let taken: Vec<Arrived> = queue.drain(..limit.min(queue.len())).collect();
                    for arrived in &taken {
                        if let Some(bytes) = slot_bytes.get_mut(arrived.origin.slot) {
                            *bytes = bytes.saturating_sub(arrived.bytes());
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
    pub(super) async fn room(&self, slot: usize) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            // Registered before the look, so that no taking in between is missed.
            taken.as_mut().enable();
            let waiting = self.lock().slot_bytes.get(slot).copied().unwrap_or_default();
            if waiting < self.max_slot_bytes {
                return;
            }
            taken.await;
        }
    }

    /// A slot will bring nothing more.
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

    fn arrived(slot: usize, bytes: usize) -> Arrived {
        Arrived {
            origin: Origin { slot, epoch: 1, packet_id: 1 },
            topic: "t".to_owned(),
            payload: vec![0; bytes].into(),
            redelivered: false,
        }
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
