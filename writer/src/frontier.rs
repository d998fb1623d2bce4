//! Acks in order of receipt: what is settled waits until everything before it is settled too.
//!
//! Brokers demand it (MQTT 5, 4.6), and it bounds what a crash repeats. Nothing leaves here that
//! was not settled; dropping the frontier acks nothing.

use std::collections::VecDeque;

use shared::broker::DeliveryTag;
use shared::settlement::EventNumber;
use tokio::time::Instant;

/// Deliveries that are not acked, in order of receipt.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    unacked: VecDeque<Unacked>,
    bytes: usize,
}

#[derive(Debug)]
struct Unacked {
    tag: DeliveryTag,
    event: Option<EventNumber>,
    bytes: usize,
    received: Instant,
    settled: bool,
}

impl Frontier {
    /// Takes note of a delivery with a payload of so many bytes. Tags rise.
    pub(crate) fn receive(
        &mut self,
        tag: DeliveryTag,
        event: Option<EventNumber>,
        bytes: usize,
        received: Instant,
    ) {
        self.bytes += bytes;
        self.unacked.push_back(Unacked { tag, event, bytes, received, settled: false });
    }

    /// Takes note that a delivery is stored, or lies in the dead letters. Says which event it was.
    pub(crate) fn settle(&mut self, tag: DeliveryTag) -> Option<EventNumber> {
        let at = self.unacked.partition_point(|unacked| unacked.tag < tag);
        let unacked = self.unacked.get_mut(at).filter(|unacked| unacked.tag == tag)?;
        unacked.settled = true;
        unacked.event
    }

    /// Takes the deliveries that may be acked now.
    pub(crate) fn take_settled(&mut self) -> Vec<DeliveryTag> {
        let mut tags = Vec::new();
        while let Some(unacked) = self.unacked.pop_front_if(|unacked| unacked.settled) {
            self.bytes -= unacked.bytes;
            tags.push(unacked.tag);
        }
        tags
    }

    /// How many deliveries are not acked.
    pub(crate) fn len(&self) -> usize {
        self.unacked.len()
    }

    /// The bytes of the payloads that are not acked.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest delivery came that is not settled.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.unacked.iter().find(|unacked| !unacked.settled).map(|unacked| unacked.received)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_oldest_is_the_first_that_is_not_settled() {
        let mut frontier = Frontier::default();
        let first = Instant::now();
        let later = first + std::time::Duration::from_secs(1);
        frontier.receive(DeliveryTag(7), None, 10, first);
        frontier.receive(DeliveryTag(9), None, 20, later);
        assert_eq!((frontier.oldest(), frontier.bytes()), (Some(first), 30));
        frontier.settle(DeliveryTag(7));
        assert_eq!(frontier.oldest(), Some(later));
        frontier.settle(DeliveryTag(8));
        assert_eq!(frontier.take_settled(), [DeliveryTag(7)]);
        assert_eq!((frontier.len(), frontier.bytes()), (1, 20));
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
                frontier.receive(*tag, None, 1, Instant::now());
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
                prop_assert_eq!(frontier.bytes(), frontier.len());
            }
        }
    }
}
