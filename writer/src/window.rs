//! How much a writer holds at once, which is what its memory is made of.
//!
//! A delivery costs its payload, which is kept for the dead letters, and its lines, until it is
//! settled. One that is settled and waits for its ack costs next to nothing, but the broker repeats
//! it after a crash, so that is bounded too.

use shared::envelope::MAX_EVENT_BYTES;

use crate::frontier::Frontier;

/// Deliveries that may be unacked at most: MQTT numbers them with 16 bits.
const MAX_UNACKED: usize = 65_535;
/// Payloads that may be unacked at most, in bytes: what is delivered again after a crash.
const MAX_UNACKED_BYTES: usize = 64 * 1000 * 1000;
/// Payloads and lines that may be held at most, in bytes: every request full of ordinary events,
/// and one batch being gathered, take half of it. With what the drivers have on its way, compressed
/// bodies and the program itself a writer stays below 100 MB.
const MAX_HELD_BYTES: usize = 24 * 1000 * 1000;
/// Beside payload and lines: the subject, and a place in the batch, the frontier and the driver.
const OVERHEAD_BYTES: usize = 400;
/// Deliveries that are received at once. Enough that the way to the broker and back does not count,
/// and few enough that mapping them does not keep finished flushes waiting.
const MAX_RECEIVED: usize = 500;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) deliveries: usize,
}

impl Window {
    /// `maxPoints` x (`maxRequestsInFlight` + 1): every request full, and one batch being gathered,
    /// even if each event makes a single point.
    pub(crate) fn new(max_points: usize, max_requests_in_flight: usize) -> Self {
        let deliveries = max_points.saturating_mul(max_requests_in_flight + 1).min(MAX_UNACKED);
        Self { deliveries }
    }

    /// Whether nothing more may be held.
    pub(crate) fn is_full(self, frontier: &Frontier) -> bool {
        frontier.len() >= self.deliveries
            || frontier.payload_bytes() + MAX_EVENT_BYTES > MAX_UNACKED_BYTES
            || frontier.held_bytes() + MAX_EVENT_BYTES > MAX_HELD_BYTES
    }

    /// How many deliveries may be received now.
    pub(crate) fn room(self, frontier: &Frontier) -> usize {
        if self.is_full(frontier) {
            return 0;
        }
        self.deliveries.saturating_sub(frontier.len()).min(MAX_RECEIVED)
    }
}

/// What a delivery costs until it is settled.
pub(crate) fn held_bytes(payload: usize, lines: usize) -> usize {
    payload.saturating_add(lines).saturating_add(OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use shared::broker::DeliveryTag;
    use tokio::time::Instant;

    use super::*;
    use crate::frontier::Received;

    #[test]
    fn it_has_room_for_every_request_and_a_bound() {
        assert_eq!(Window::new(5000, 4).deliveries, 25_000);
        assert_eq!(Window::new(10_000, 64).deliveries, MAX_UNACKED);
        let window = Window::new(100, 1);
        let mut frontier = Frontier::default();
        assert_eq!(window.room(&frontier), 200);
        assert_eq!(Window::new(5000, 4).room(&frontier), MAX_RECEIVED);
        let received = |tag, payload, held| Received {
            tag: DeliveryTag(tag),
            event: None,
            payload,
            held,
            at: Instant::now(),
            observed: None,
        };
        frontier.receive(received(1, MAX_EVENT_BYTES, MAX_HELD_BYTES - MAX_EVENT_BYTES));
        assert_eq!(window.room(&frontier), 199);
        frontier.receive(received(2, 1, 1));
        assert_eq!(window.room(&frontier), 0);
        frontier.settle(DeliveryTag(2));
        assert_eq!(window.room(&frontier), 198);
        // What is settled and not acked costs no memory, and still has a bound.
        frontier.receive(received(3, MAX_UNACKED_BYTES - 2 * MAX_EVENT_BYTES, 0));
        assert!(window.is_full(&frontier));
    }
}
