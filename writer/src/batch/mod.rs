//! Batches: the lines of many deliveries, ready to be one request.
//!
//! Between the mapping and the flush. The lines of one event stay together, so that a batch can
//! say of each delivery what became of it.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use shared::broker::{Delivery, DeliveryTag};
use shared::subject::Subject;
use tokio::time::Instant;

use crate::line_protocol::Lines;

/// A batch is closed at this size even with few lines: InfluxDB 3.x takes 10 MB in a request, and
/// the largest event (900 KiB) may still come on top.
pub(crate) const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// When a batch is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// With this many lines at the latest; an event with more has a batch of its own.
    pub(crate) points: usize,
    /// With this many bytes of lines at the latest.
    pub(crate) bytes: usize,
    /// At this age at the latest.
    pub(crate) age: Duration,
}

/// A delivery in a batch. The payload is kept for the dead letters.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// By which it is acked.
    pub(crate) tag: DeliveryTag,
    /// Where it was published.
    pub(crate) subject: Subject,
    /// The event as it came.
    pub(crate) payload: Bytes,
    /// Its lines in the batch.
    pub(crate) lines: Range<usize>,
    /// Why it has no lines, when it cannot be read.
    pub(crate) unreadable: Option<String>,
}

/// Lines and the deliveries they came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// The body of the request.
    pub(crate) lines: Lines,
    /// The deliveries in order of receipt.
    pub(crate) held: Vec<Held>,
}

impl Batch {
    /// The deliveries at these places, with their lines.
    pub(crate) fn only(self, places: &[usize]) -> Self {
        let mut rest = Self::default();
        for held in places.iter().filter_map(|&place| self.held.get(place)) {
            let start = rest.lines.len();
            for line in held.lines.clone() {
                rest.lines.copy(&self.lines, line);
            }
            rest.held.push(Held { lines: start..rest.lines.len(), ..held.clone() });
        }
        rest
    }
}

/// Gathers deliveries into batches.
#[derive(Debug)]
pub(crate) struct Batcher {
    limits: BatchLimits,
    open: Batch,
    opened: Option<Instant>,
    closed: VecDeque<Batch>,
}

impl Batcher {
    /// A batcher without batches.
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self { limits, open: Batch::default(), opened: None, closed: VecDeque::new() }
    }

    /// Adds a delivery with its lines, received `now`.
    pub(crate) fn add(&mut self, delivery: Delivery, lines: &Lines, now: Instant) {
        self.hold(delivery, lines, None, now);
    }

    /// Adds a delivery that cannot be read.
    pub(crate) fn add_unreadable(&mut self, delivery: Delivery, why: String, now: Instant) {
        self.hold(delivery, &Lines::default(), Some(why), now);
    }

    fn hold(
        &mut self,
        delivery: Delivery,
        lines: &Lines,
        unreadable: Option<String>,
        now: Instant,
    ) {
        let open = &self.open.lines;
        if !open.is_empty()
            && (open.len() + lines.len() > self.limits.points
                || open.body().len() + lines.body().len() > self.limits.bytes)
        {
            self.close();
        }
        let start = self.open.lines.len();
        self.open.lines.append(lines);
        self.open.held.push(Held {
            tag: delivery.tag,
            subject: delivery.subject,
            payload: delivery.payload,
            lines: start..self.open.lines.len(),
            unreadable,
        });
        self.opened.get_or_insert(now);
        if self.open.lines.len() >= self.limits.points
            || self.open.lines.body().len() >= self.limits.bytes
        {
            self.close();
        }
    }

    /// Closes the open batch, if there is one.
    pub(crate) fn close(&mut self) {
        if self.opened.take().is_some() {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
    }

    /// When the open batch comes of age.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.opened.map(|opened| opened + self.limits.age)
    }

    /// Whether a closed batch waits to be taken.
    pub(crate) fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Takes the oldest closed batch.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        self.closed.pop_front()
    }
}

#[cfg(test)]
mod tests;
