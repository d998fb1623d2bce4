//! The owner of the consumer: receives, gathers, has batches flushed, and is the only place that acks.
//!
//! One task, so that acks go out in order of receipt. A delivery is acked when a flush has settled
//! it and everything received before it: an ack given any earlier would lose points in a crash.
//! What is held has a bound, in deliveries and in bytes; a full window flushes at once.

use std::sync::Arc;
use std::time::Duration;

use shared::broker::{ConsumeError, Consumer, Delivery};
use shared::envelope::{Envelope, MAX_EVENT_BYTES};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::batch::Batcher;
use crate::flush::{self, Flushed, Store};
use crate::frontier::Frontier;
use crate::line_protocol::Lines;
use crate::mapping;
use crate::schema::Schema;
use crate::{RunError, error_chain};

/// Deliveries that may be unacked at most: MQTT numbers them with 16 bits.
const MAX_UNACKED: usize = 65_535;
/// Payloads that may be unacked at most, in bytes: what a writer needs of memory is a small
/// multiple of it.
const MAX_UNACKED_BYTES: usize = 64 * 1000 * 1000;
/// How often the gauges are brought up to date.
const GAUGES: Duration = Duration::from_secs(1);
/// Of the time for the drain, the share that the flushes may use; the rest is for the acks.
const FLUSH_SHARE: f64 = 0.9;

/// How much may be held at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) deliveries: usize,
    pub(crate) bytes: usize,
}

impl Window {
    /// `maxPoints` x (`maxRequestsInFlight` + 1): every request full, and one batch being gathered,
    /// even if each event makes a single point.
    pub(crate) fn new(max_points: usize, max_requests_in_flight: usize) -> Self {
        Self {
            deliveries: max_points.saturating_mul(max_requests_in_flight + 1).min(MAX_UNACKED),
            bytes: MAX_UNACKED_BYTES,
        }
    }

    /// How many deliveries may be received now, even if each were as large as an event can be.
    fn room(self, frontier: &Frontier) -> usize {
        let bytes = self.bytes.saturating_sub(frontier.bytes());
        let deliveries = self.deliveries.saturating_sub(frontier.len());
        deliveries.min(bytes / MAX_EVENT_BYTES)
    }
}

/// What the loop owns.
pub(crate) struct Loop {
    pub(crate) consumer: Box<dyn Consumer>,
    /// The consumer group.
    pub(crate) group: String,
    pub(crate) store: Arc<Store>,
    pub(crate) schema: Schema,
    pub(crate) batcher: Batcher,
    pub(crate) frontier: Frontier,
    pub(crate) window: Window,
    pub(crate) flushes: JoinSet<Flushed>,
    pub(crate) batches: u64,
    pub(crate) lines: Lines,
}

/// What woke the loop.
enum Woken {
    Shutdown,
    Flushed(Result<Flushed, JoinError>),
    Due,
    Received(Result<Vec<Delivery>, ConsumeError>),
    Gauges,
}

impl Loop {
    /// Consumes until the program ends, then drains within `grace`.
    pub(crate) async fn run(
        mut self,
        shutdown: CancellationToken,
        grace: Duration,
    ) -> Result<(), RunError> {
        let store = Arc::clone(&self.store);
        let preparation = AbortOnDropHandle::new(tokio::spawn(flush::prepare(Arc::clone(&store))));
        store.metrics.consumes_as(&self.group);
        store.metrics.consuming(true);
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let consumed = tokio::select! {
            consumed = self.consume(&shutdown) => consumed,
            () = overdue => {
                tracing::warn!("The broker took no acks in time; it delivers again.");
                return Ok(());
            }
        };
        store.metrics.consuming(false);
        drop(preparation);
        consumed?;
        self.drain(grace).await
    }

    async fn consume(&mut self, shutdown: &CancellationToken) -> Result<(), RunError> {
        let mut gauges = tokio::time::interval(GAUGES);
        gauges.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let room = self.window.room(&self.frontier);
            if room == 0 {
                self.batcher.close();
            }
            self.start_flushes();
            let due = self.batcher.due();
            let woken = tokio::select! {
                biased;
                () = shutdown.cancelled() => Woken::Shutdown,
                Some(flushed) = self.flushes.join_next() => Woken::Flushed(flushed),
                () = until(due), if due.is_some() => Woken::Due,
                _ = gauges.tick() => Woken::Gauges,
                received = self.consumer.receive(room), if room > 0 => Woken::Received(received),
            };
            match woken {
                Woken::Shutdown => return Ok(()),
                Woken::Flushed(flushed) => {
                    self.settle(flushed)?;
                    self.ack().await?;
                }
                Woken::Due => self.batcher.close(),
                Woken::Gauges => self.show_held(),
                Woken::Received(received) => self.receive(received?),
            }
        }
    }

    /// Takes note of deliveries and maps them; the decoded events are gone when this returns.
    fn receive(&mut self, deliveries: Vec<Delivery>) {
        let now = Instant::now();
        let metrics = &self.store.metrics;
        for delivery in deliveries {
            metrics.delivered.inc();
            if delivery.redelivered {
                metrics.redelivered.inc();
            }
            let tag = delivery.tag;
            let (lane, Gathered { bytes, epoch_and_sequence }) = (
                delivery.lane,
                gather(delivery, &self.schema, &mut self.lines, &mut self.batcher, now),
            );
            let event = epoch_and_sequence
                .and_then(|(epoch, sequence)| metrics.delivered_event(&epoch, sequence, lane));
            self.frontier.receive(tag, event, bytes, now);
        }
    }

    fn start_flushes(&mut self) {
        while let Ok(permit) = Arc::clone(&self.store.permits).try_acquire_owned() {
            let Some(batch) = self.batcher.take() else {
                break;
            };
            self.batches += 1;
            let store = Arc::clone(&self.store);
            self.flushes.spawn(flush::flush(store, self.batches, batch, permit));
        }
        self.store.metrics.in_flight.set(i64::try_from(self.flushes.len()).unwrap_or(i64::MAX));
    }

    /// Takes note of what a flush has done. Says whether it had to give up.
    fn settle(&mut self, flushed: Result<Flushed, JoinError>) -> Result<bool, RunError> {
        match flushed.map_err(RunError::Flush)? {
            Flushed::Settled(tags) => {
                let settled = tags.into_iter().filter_map(|tag| self.frontier.settle(tag));
                self.store.metrics.settled_events(settled);
                Ok(false)
            }
            Flushed::GivenUp => Ok(true),
        }
    }

    /// The only ack. It comes after a flush has settled the deliveries, and in order of receipt.
    async fn ack(&mut self) -> Result<(), RunError> {
        let tags = self.frontier.take_settled();
        if !tags.is_empty() {
            self.consumer.ack(&tags).await?;
        }
        self.show_held();
        Ok(())
    }

    fn show_held(&self) {
        let frontier = &self.frontier;
        self.store.metrics.held(
            frontier.len(),
            frontier.bytes(),
            frontier.oldest(),
            self.consumer.backlog(),
        );
    }

    /// Stores what is in hand, once, and hands in the acks.
    async fn drain(mut self, grace: Duration) -> Result<(), RunError> {
        let started = Instant::now();
        self.batcher.close();
        // From now on nothing is waited for: what InfluxDB does not take at once stays with the
        // broker.
        self.store.draining.cancel();
        let flushes_end = started + grace.mul_f64(FLUSH_SHARE);
        let mut result = Ok(());
        loop {
            self.start_flushes();
            let flushed = tokio::time::timeout_at(flushes_end, self.flushes.join_next()).await;
            let Ok(Some(flushed)) = flushed else {
                break;
            };
            match self.settle(flushed) {
                Ok(false) => {}
                Ok(true) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.flushes.abort_all();
        let end = started + grace;
        let acked = tokio::time::timeout_at(end, self.ack()).await;
        let left = self.frontier.len();
        if left > 0 {
            tracing::warn!(deliveries = left, "Stopped; what is not stored stays with the broker.");
        } else {
            tracing::info!("Stopped; everything received is stored.");
        }
        let closed = tokio::time::timeout_at(end, self.consumer.close()).await;
        if acked.is_err() || closed.is_err() {
            tracing::warn!("The broker did not take the last acks in time; it delivers again.");
        }
        result?;
        acked.unwrap_or(Ok(()))?;
        Ok(closed.unwrap_or(Ok(()))?)
    }
}

/// What a delivery was.
pub(crate) struct Gathered {
    /// The bytes that count as held.
    pub(crate) bytes: usize,
    /// Which event it brought, when it has a number.
    pub(crate) epoch_and_sequence: Option<(String, u64)>,
}

/// Maps a delivery into the batches, by way of `lines`.
pub(crate) fn gather(
    delivery: Delivery,
    schema: &Schema,
    lines: &mut Lines,
    batcher: &mut Batcher,
    now: Instant,
) -> Gathered {
    lines.clear();
    let payload = delivery.payload.len();
    let mut epoch_and_sequence = None;
    let mapped = Envelope::decode(&delivery.payload).map_err(|error| error_chain(&error)).and_then(
        |envelope| {
            let mapped = mapping::push_lines(&envelope, schema, lines);
            epoch_and_sequence = envelope.epoch.zip(envelope.sequence);
            mapped.map_err(|error| error_chain(&error))
        },
    );
    let bytes = match mapped {
        Ok(()) => {
            batcher.add(delivery, lines, now);
            // Usually alike; an event that somebody made up may become far larger as lines.
            payload.max(lines.body().len())
        }
        Err(why) => {
            batcher.add_unreadable(delivery, why, now);
            payload
        }
    };
    Gathered { bytes, epoch_and_sequence }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_room_for_every_request_and_a_bound() {
        assert_eq!(Window::new(5000, 4).deliveries, 25_000);
        assert_eq!(Window::new(10_000, 64).deliveries, MAX_UNACKED);
        let window = Window::new(100, 1);
        let mut frontier = Frontier::default();
        assert_eq!(window.room(&frontier), MAX_UNACKED_BYTES / MAX_EVENT_BYTES);
        let large = MAX_UNACKED_BYTES - MAX_EVENT_BYTES;
        frontier.receive(shared::broker::DeliveryTag(1), None, large, Instant::now());
        assert_eq!(window.room(&frontier), 1);
        frontier.receive(shared::broker::DeliveryTag(2), None, 1, Instant::now());
        assert_eq!(window.room(&frontier), 0);
    }
}
