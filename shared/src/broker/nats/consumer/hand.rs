//! The deliveries that a member has in hand: fetched, handed out, acked but not yet told.
//!
//! An ack at NATS is a message to the delivery's reply subject, which names a place in the stream.
//! Tags are a counter of our own, so that a tag can be forgotten while the place stays: an ack of a
//! forgotten tag does nothing, and the server delivers again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::Subject as Reply;
use tokio::sync::Notify;

use super::arrival::{Arrival, Place};
use crate::broker::{Delivery, DeliveryTag};

/// Bytes of deliveries that wait to be taken, beyond which nothing more is fetched: the caller's
/// limits count what it has, not what is on its way.
const MOST_READY_BYTES: usize = 4 << 20;

/// The deliveries in hand, shared by the consumer and its task.
#[derive(Debug, Default)]
pub(super) struct Hand {
    state: Mutex<State>,
    /// Something can be taken.
    arrived: Notify,
    /// The task has something to do: fetch, or tell of acks.
    work: Notify,
}

#[derive(Debug, Default)]
struct State {
    last_tag: u64,
    /// Fetched and not handed out. Never more than was wanted when it was fetched.
    ready: VecDeque<Delivery>,
    ready_bytes: usize,
    /// What the consumer would take beyond what it has.
    wanted: usize,
    /// Not acked, whether handed out or not.
    held: BTreeMap<u64, Place>,
    tags: HashMap<u64, u64>,
    /// Acked, and the server does not know it yet.
    acks: VecDeque<Place>,
}

impl Hand {
    /// Waits for deliveries, at most `limit`. Dropping the future loses nothing.
    pub(super) async fn take(&self, limit: usize) -> Vec<Delivery> {
        loop {
            let taken: Vec<Delivery> = {
                let mut state = self.state();
                let count = limit.min(state.ready.len());
                state.wanted = limit - count;
                let taken: Vec<Delivery> = state.ready.drain(..count).collect();
                state.ready_bytes -= taken.iter().map(|taken| taken.payload.len()).sum::<usize>();
                taken
            };
            self.work.notify_one();
            if !taken.is_empty() || limit == 0 {
                return taken;
            }
            self.arrived.notified().await;
        }
    }

    /// Marks deliveries as acked; tags that are not in hand are passed over.
    pub(super) fn ack(&self, tags: &[DeliveryTag]) {
        let mut state = self.state();
        for tag in tags {
            if let Some(place) = state.held.remove(&tag.0) {
                state.tags.remove(&place.sequence);
                state.acks.push_back(place);
            }
        }
        drop(state);
        self.work.notify_one();
    }

    /// Waits for something to do.
    pub(super) async fn work(&self) {
        self.work.notified().await;
    }

    /// How many deliveries are worth fetching.
    pub(super) fn wanted(&self) -> usize {
        let state = self.state();
        if state.ready_bytes >= MOST_READY_BYTES {
            return 0;
        }
        state.wanted.saturating_sub(state.ready.len())
    }

    /// Takes deliveries from the server. One that was delivered before gets a new tag, and the old
    /// one is forgotten.
    pub(super) fn put(&self, arrivals: Vec<Arrival>) {
        let mut state = self.state();
        for arrival in arrivals {
            state.last_tag += 1;
            let tag = state.last_tag;
            if let Some(old) = state.tags.insert(arrival.place.sequence, tag) {
                state.held.remove(&old);
            }
            state.held.insert(tag, arrival.place);
            state.ready_bytes += arrival.payload.len();
            state.ready.push_back(Delivery {
                tag: DeliveryTag(tag),
                subject: arrival.subject,
                payload: arrival.payload,
                redelivered: arrival.redelivered,
                lane: 0,
            });
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// The acks that the server does not know yet, in the order in which they were given.
    pub(super) fn take_acks(&self) -> VecDeque<Place> {
        std::mem::take(&mut self.state().acks)
    }

    /// Gives back acks that could not be told, all that is left of what was taken.
    pub(super) fn give_back(&self, acks: VecDeque<Place>) {
        let mut state = self.state();
        let later = std::mem::replace(&mut state.acks, acks);
        state.acks.extend(later);
    }

    /// The reply subjects of everything that is not acked, oldest first.
    pub(super) fn held(&self) -> Vec<Reply> {
        self.state().held.values().map(|place| place.reply.clone()).collect()
    }

    /// The latest place in the stream that an ack may still name.
    pub(super) fn latest(&self) -> Option<Place> {
        let state = self.state();
        let places = state.held.values().chain(&state.acks);
        places.max_by_key(|place| place.sequence).cloned()
    }

    /// Forgets every tag and every ack that is not told yet: their places mean something else now.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.held.clear();
        state.tags.clear();
        state.acks.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::FutureExt as _;

    use super::*;
    use crate::subject::Subject;

    fn arrival(sequence: u64) -> Arrival {
        let reply = Reply::from(format!("$JS.ACK.S.C.1.{sequence}.1.1.0"));
        let place = Place { reply, sequence, published: 7 };
        let subject = Subject::from_neutral("qliksense/v1/health/a".to_owned());
        Arrival { subject, payload: Bytes::new(), redelivered: false, place }
    }

    fn tags(deliveries: &[Delivery]) -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.tag.0).collect()
    }

    #[test]
    fn takes_in_order_and_no_more_than_the_limit() {
        let hand = Hand::default();
        assert!(hand.take(5).now_or_never().is_none());
        assert_eq!(hand.wanted(), 5);
        hand.put((1..=5).map(arrival).collect());
        assert_eq!(hand.wanted(), 0);
        assert_eq!(tags(&hand.take(3).now_or_never().unwrap()), [1, 2, 3]);
        assert_eq!(tags(&hand.take(9).now_or_never().unwrap()), [4, 5]);
        assert_eq!(hand.wanted(), 7);
    }

    #[test]
    fn fetches_no_more_than_fits_in_memory() {
        let hand = Hand::default();
        assert!(hand.take(100).now_or_never().is_none());
        let large = Bytes::from(vec![0; MOST_READY_BYTES / 2]);
        hand.put(
            (1..=2).map(|number| Arrival { payload: large.clone(), ..arrival(number) }).collect(),
        );
        assert_eq!(hand.wanted(), 0);
        assert_eq!(hand.take(1).now_or_never().unwrap().len(), 1);
        assert_eq!(hand.take(1).now_or_never().unwrap().len(), 1);
        assert!(hand.take(50).now_or_never().is_none());
        assert_eq!(hand.wanted(), 50);
    }

    #[test]
    fn acks_keep_their_order_and_unknown_tags_do_nothing() {
        let hand = Hand::default();
        hand.put((1..=3).map(arrival).collect());
        hand.ack(&[DeliveryTag(2), DeliveryTag(9), DeliveryTag(2), DeliveryTag(1)]);
        let mut acks = hand.take_acks();
        assert_eq!(acks.iter().map(|place| place.sequence).collect::<Vec<_>>(), [2, 1]);
        acks.pop_front();
        hand.ack(&[DeliveryTag(3)]);
        hand.give_back(acks);
        let acks: Vec<u64> = hand.take_acks().iter().map(|place| place.sequence).collect();
        assert_eq!(acks, [1, 3]);
        assert!(hand.held().is_empty());
    }

    #[test]
    fn a_redelivery_takes_the_place_of_what_it_repeats() {
        let hand = Hand::default();
        hand.put(vec![arrival(10)]);
        hand.put(vec![arrival(10)]);
        hand.ack(&[DeliveryTag(1)]);
        assert!(hand.take_acks().is_empty());
        assert_eq!(hand.held().len(), 1);
        hand.ack(&[DeliveryTag(2)]);
        assert_eq!(hand.take_acks().len(), 1);
    }

    #[test]
    fn what_is_forgotten_is_never_acked() {
        let hand = Hand::default();
        hand.put((1..=2).map(arrival).collect());
        hand.ack(&[DeliveryTag(1)]);
        assert_eq!(hand.latest().unwrap().sequence, 2);
        hand.forget();
        hand.ack(&[DeliveryTag(2)]);
        assert!(hand.take_acks().is_empty());
        assert!(hand.latest().is_none());
        // It is still worth storing.
        assert_eq!(hand.take(2).now_or_never().unwrap().len(), 2);
    }
}
