//! Acks in order of receipt: what is settled waits until everything before it is settled too.
//!
//! Brokers demand it (MQTT 5, 4.6), and it bounds what a crash repeats. Nothing leaves here that
//! was not settled; dropping the frontier acks nothing.

use std::collections::VecDeque;

use shared::broker::DeliveryTag;
use shared::settlement::EventNumber;
use shared::timestamp::Timestamp;
use tokio::time::Instant;

/// Deliveries that are not acked, in order of receipt.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    unacked: VecDeque<Unacked>,
    payload_bytes: usize,
    held_bytes: usize,
}

/// A delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// By which it is acked.
    pub(crate) tag: DeliveryTag,
    /// Which event it brought, when it has a number.
    pub(crate) event: Option<EventNumber>,
    /// Bytes of its payload.
    pub(crate) payload: usize,
    /// What it costs until it is settled, in bytes.
    pub(crate) held: usize,
    /// When it came.
    pub(crate) at: Instant,
    /// The time of its event, where it has one.
    pub(crate) observed: Option<Timestamp>,
}

#[derive(Debug)]
struct Unacked {
    of: Received,
    settled: bool,
}

impl Frontier {
    /// Takes note of a delivery. Tags rise.
    pub(crate) fn receive(&mut self, received: Received) {
        self.payload_bytes += received.payload;
        self.held_bytes += received.held;
        self.unacked.push_back(Unacked { of: received, settled: false });
    }

    /// Takes note that a delivery is stored, or lies in the dead letters. Says which event it was.
    pub(crate) fn settle(&mut self, tag: DeliveryTag) -> Option<EventNumber> {
        let at = self.unacked.partition_point(|unacked| unacked.of.tag < tag);
        let unacked = self.unacked.get_mut(at).filter(|unacked| unacked.of.tag == tag)?;
        if !unacked.settled {
            unacked.settled = true;
            self.held_bytes -= unacked.of.held;
        }
        unacked.of.event
    }

    /// Takes the deliveries that may be acked now.
    pub(crate) fn take_settled(&mut self) -> Vec<DeliveryTag> {
        let mut tags = Vec::new();
        while let Some(unacked) = self.unacked.pop_front_if(|unacked| unacked.settled) {
            self.payload_bytes -= unacked.of.payload;
            tags.push(unacked.of.tag);
        }
        tags
    }

    /// How many deliveries are not acked.
    pub(crate) fn len(&self) -> usize {
        self.unacked.len()
    }

    /// The bytes of the payloads that are not acked.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// What the deliveries cost that are not settled, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// When the oldest delivery came that is not settled.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.unsettled().next().map(|received| received.at)
    }

    /// The time of the first event that is not settled.
    pub(crate) fn observed(&self) -> Option<Timestamp> {
        self.unsettled().find_map(|received| received.observed)
    }

    fn unsettled(&self) -> impl Iterator<Item = &Received> {
        self.unacked.iter().filter(|unacked| !unacked.settled).map(|unacked| &unacked.of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn received(tag: u64, payload: usize, at: Instant) -> Received {
        let observed = Timestamp::from_nanos(i64::try_from(tag).unwrap());
        let tag = DeliveryTag(tag);
        Received { tag, event: None, payload, held: 2 * payload, at, observed: Some(observed) }
    }

    #[test]
    fn the_oldest_is_the_first_that_is_not_settled() {
        let mut frontier = Frontier::default();
        let first = Instant::now();
        let later = first + std::time::Duration::from_secs(1);
        frontier.receive(received(7, 10, first));
        frontier.receive(received(9, 20, later));
        assert_eq!((frontier.payload_bytes(), frontier.held_bytes()), (30, 60));
        assert_eq!(frontier.oldest(), Some(first));
        assert_eq!(frontier.observed(), Some(Timestamp::from_nanos(7)));
        frontier.settle(DeliveryTag(7));
        frontier.settle(DeliveryTag(7));
        assert_eq!((frontier.payload_bytes(), frontier.held_bytes()), (30, 40));
        assert_eq!(frontier.oldest(), Some(later));
        assert_eq!(frontier.observed(), Some(Timestamp::from_nanos(9)));
        frontier.settle(DeliveryTag(8));
        assert_eq!(frontier.take_settled(), [DeliveryTag(7)]);
        assert_eq!((frontier.len(), frontier.payload_bytes()), (1, 20));
    }

    proptest! {
        #[test]
        fn acks_are_in_order_and_only_of_settled_prefixes(
            gaps in prop::collection::vec(1_u64..5, 1..80),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        ) {
            let mut frontier = Frontier::default();
            let tags: Vec<DeliveryTag> = gaps
                .iter()
                .scan(0, |tag, gap| { *tag += gap; Some(DeliveryTag(*tag)) })
                .collect();
            for tag in &tags {
                frontier.receive(received(tag.0, 1, Instant::now()));
            }
            let mut settled = std::collections::HashSet::new();
            let mut acked = Vec::new();
            for pick in picks {
                let tag = *pick.get(&tags);
                settled.insert(tag);
                frontier.settle(tag);
                acked.extend(frontier.take_settled());
                let prefix = tags.iter().take_while(|tag| settled.contains(*tag)).count();
                prop_assert_eq!(&acked[..], &tags[..prefix]);
                prop_assert_eq!(frontier.len(), tags.len() - prefix);
                prop_assert_eq!(frontier.payload_bytes(), frontier.len());
                let unsettled = tags.iter().filter(|tag| !settled.contains(*tag)).count();
                prop_assert_eq!(frontier.held_bytes(), 2 * unsettled);
            }
        }
    }
}
