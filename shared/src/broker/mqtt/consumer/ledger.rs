//! What the caller holds: which delivery came over which connection with which packet id.
//!
//! Acks leave this in the order of receipt, which MQTT requires of every connection: one that comes
//! early waits for those before it.

use std::collections::VecDeque;

use super::intake::Arrived;
use crate::broker::{Delivery, DeliveryTag};
use crate::subject::Subject;

/// Where a delivery came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The slot, from 0.
    pub(super) slot: u16,
    /// Which of this consumer's connections.
    pub(super) epoch: u64,
    /// Its number there; 0 when it wants no ack.
    pub(super) packet_id: u16,
}

/// The deliveries between the oldest that is not acked and the newest.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The tag of the oldest.
    first: u64,
    held: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    origin: Origin,
    is_acked: bool,
}

impl Ledger {
    /// Gives a delivery its tag. What is only for ourselves is none: it counts as acked.
    pub(super) fn hand_out(&mut self, arrived: Arrived) -> Option<Delivery> {
        let Arrived { origin, topic, payload, redelivered, is_end } = arrived;
        let tag = DeliveryTag(self.first + self.held.len() as u64);
        self.held.push_back(Held { origin, is_acked: is_end });
        let (subject, lane) = (Subject::from_neutral(topic), origin.slot);
        (!is_end).then_some(Delivery { tag, subject, payload, redelivered, lane })
    }

    /// Takes note of acks; gives those that may go to the broker now, in order of receipt.
    pub(super) fn ack(&mut self, tags: &[DeliveryTag]) -> Vec<Origin> {
        for tag in tags {
            let at = tag.0.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            if let Some(held) = at.and_then(|at| self.held.get_mut(at)) {
                held.is_acked = true;
            }
        }
        let acked = self.held.iter().take_while(|held| held.is_acked).count();
        self.first += acked as u64;
        self.held.drain(..acked).map(|held| held.origin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(slot: u16, packet_id: u16) -> Arrived {
        Arrived {
            origin: Origin { slot, epoch: 1, packet_id },
            topic: "t".to_owned(),
            payload: Vec::new().into(),
            redelivered: false,
            is_end: false,
        }
    }

    #[test]
    fn acks_leave_in_order_of_receipt() {
        let mut ledger = Ledger::default();
        let tags: Vec<_> =
            (1..=4).map(|packet_id| ledger.hand_out(arrived(0, packet_id)).unwrap().tag).collect();
        assert!(tags.is_sorted());
        assert_eq!(ledger.ack(&[tags[2], tags[1]]), []);
        let ids: Vec<_> = ledger.ack(&[tags[0]]).iter().map(|origin| origin.packet_id).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert_eq!(ledger.ack(&[tags[0], DeliveryTag(99)]), []);
        assert_eq!(ledger.ack(&[tags[3]]).len(), 1);
        let last = ledger.hand_out(arrived(1, 9)).unwrap();
        assert!(last.tag > tags[3]);
        assert_eq!(last.lane, 1);
        let end = Arrived { is_end: true, ..arrived(1, 10) };
        assert!(ledger.hand_out(end).is_none());
        assert_eq!(ledger.ack(&[]), []);
        assert_eq!(ledger.ack(&[last.tag]).len(), 2, "the end of a session goes along");
    }
}
