//! The owner of the consumer: receives, gathers, has batches flushed, and is the only place that acks.
//!
//! One task, so that acks go out in order of receipt. A delivery is acked when a flush has settled
//! it and everything received before it: an ack given any earlier would lose points in a crash.
//! What is held has a bound (see [`crate::window`]): nothing is mapped while a batch waits for its
//! request, so there are never more lines than `maxRequestsInFlight` + 1 batches have.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shared::backlog::{Queue, Seen, Watch};
use shared::broker::{ConsumeError, Consumer, Delivery};
use shared::envelope::Envelope;
use shared::readiness::Readiness;
use shared::timestamp::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::batch::Batcher;
use crate::flush::{self, Flushed, Store};
use crate::frontier::{Frontier, Received};
use crate::line_protocol::Lines;
use crate::mapping;
use crate::metrics::Held;
use crate::schema::Schema;
use crate::window::{Window, held_bytes};
use crate::{RunError, error_chain};

/// How often the gauges are brought up to date.
const GAUGES: Duration = Duration::from_secs(1);
/// Of the time for the drain, the share that the flushes may use; the rest is for the acks.
const FLUSH_SHARE: f64 = 0.9;

/// What the loop owns.
pub(crate) struct Loop {
    pub(crate) consumer: Box<dyn Consumer>,
    /// The consumer group.
    pub(crate) group: String,
    pub(crate) arrived: Arrived,
    pub(crate) store: Arc<Store>,
    pub(crate) schema: Schema,
    pub(crate) batcher: Batcher,
    pub(crate) frontier: Frontier,
    pub(crate) window: Window,
    pub(crate) flushes: JoinSet<Flushed>,
    pub(crate) batches: u64,
    pub(crate) lines: Lines,
    pub(crate) watch: Watch,
    pub(crate) readiness: Readiness,
}

/// Deliveries that were received together and are not mapped yet.
#[derive(Debug)]
pub(crate) struct Arrived {
    deliveries: VecDeque<Delivery>,
    at: Instant,
}

impl Default for Arrived {
    fn default() -> Self {
        Self { deliveries: VecDeque::new(), at: Instant::now() }
    }
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
            self.advance();
            let room = self.room();
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
                Woken::Gauges => {
                    self.show_held();
                    self.show_backlog();
                }
                Woken::Received(received) => self.receive(received?),
            }
        }
    }

    /// Takes note of what came; it is mapped as there is room for it.
    fn receive(&mut self, deliveries: Vec<Delivery>) {
        let metrics = &self.store.metrics;
        for delivery in &deliveries {
            metrics.delivered.inc();
            if delivery.redelivered {
                metrics.redelivered.inc();
            }
        }
        self.arrived = Arrived { deliveries: deliveries.into(), at: Instant::now() };
    }

    /// Maps what has arrived and starts flushes, as far as there is room for both.
    fn advance(&mut self) {
        self.start_flushes();
        while !self.is_full()
            && let Some(delivery) = self.arrived.deliveries.pop_front()
        {
            let received = self.gather(delivery);
            self.frontier.receive(received);
            self.start_flushes();
        }
        // Nothing will fill the open batch before something is flushed.
        if self.window.is_full(&self.frontier) && self.store.permits.available_permits() > 0 {
            self.batcher.close();
            self.start_flushes();
        }
    }

    fn gather(&mut self, delivery: Delivery) -> Received {
        let Delivery { tag, lane, .. } = delivery;
        let (payload, at) = (delivery.payload.len(), self.arrived.at);
        let gathered = gather(delivery, &self.schema, &mut self.lines, &mut self.batcher, at);
        let Gathered { held, observed, epoch_and_sequence } = gathered;
        let event = epoch_and_sequence.and_then(|(epoch, sequence)| {
            self.store.metrics.delivered_event(&epoch, sequence, lane)
        });
        Received { tag, event, payload, held, at, observed }
    }

    fn is_full(&self) -> bool {
        self.batcher.has_closed() || self.window.is_full(&self.frontier)
    }

    /// How many deliveries may be received now.
    fn room(&self) -> usize {
        if self.batcher.has_closed() || !self.arrived.deliveries.is_empty() {
            return 0;
        }
        self.window.room(&self.frontier)
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
        let arrived = &self.arrived.deliveries;
        let arrived_bytes: usize = arrived.iter().map(|delivery| delivery.payload.len()).sum();
        self.store.metrics.held(Held {
            unacked: self.frontier.len() + arrived.len(),
            bytes: self.frontier.payload_bytes() + arrived_bytes,
            oldest: self.frontier.oldest(),
        });
    }

    /// Tells metrics, readiness and, in measure, the log how far the writer is behind.
    fn show_backlog(&mut self) {
        let metrics = &self.store.metrics;
        let waiting = self.consumer.backlog();
        let age = self
            .frontier
            .observed()
            .map_or(Duration::ZERO, |observed| Timestamp::now().since(observed));
        metrics.behind(waiting, age);
        let left = metrics.stored.get() + metrics.dead_lettered.get();
        let seen = Seen { at: Instant::now(), waiting, left, age: Some(age) };
        if let Some(progress) = self.watch.see(seen) {
            tracing::info!("{progress}");
        }
        self.readiness.show(Queue::Broker, self.watch.backlog());
    }

    /// Stores what is in hand, once, and hands in the acks.
    async fn drain(mut self, grace: Duration) -> Result<(), RunError> {
        let started = Instant::now();
        // From now on nothing is waited for: what InfluxDB does not take at once stays with the
        // broker.
        self.store.draining.cancel();
        let flushes_end = started + grace.mul_f64(FLUSH_SHARE);
        let mut result = Ok(());
        loop {
            self.advance();
            if self.arrived.deliveries.is_empty() {
                self.batcher.close();
                self.start_flushes();
            }
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
        let left = self.frontier.len() + self.arrived.deliveries.len();
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
    /// What it costs until it is settled, in bytes.
    pub(crate) held: usize,
    /// The time of its event, where it has one.
    pub(crate) observed: Option<Timestamp>,
    /// Which event it brought, when it has a number.
    pub(crate) epoch_and_sequence: Option<(String, u64)>,
}

/// Maps a delivery that came at `at` into the batches, by way of `lines`.
pub(crate) fn gather(
    delivery: Delivery,
    schema: &Schema,
    lines: &mut Lines,
    batcher: &mut Batcher,
    at: Instant,
) -> Gathered {
    lines.clear();
    let payload = delivery.payload.len();
    let (mut observed, mut epoch_and_sequence) = (None, None);
    let mapped = Envelope::borrow(&delivery.payload).map_err(|error| error_chain(&error)).and_then(
        |envelope| {
            let mapped = mapping::push_lines(&envelope, schema, lines);
            observed = Some(envelope.time);
            let epoch = envelope.epoch.map(|epoch| epoch.as_ref().to_owned());
            epoch_and_sequence = epoch.zip(envelope.sequence);
            mapped.map_err(|error| error_chain(&error))
        },
    );
    let held = match mapped {
        Ok(()) => {
            batcher.add(delivery, lines, at);
            held_bytes(payload, lines.body().len())
        }
        Err(why) => {
            batcher.add_unreadable(delivery, why, at);
            held_bytes(payload, 0)
        }
    };
    Gathered { held, observed, epoch_and_sequence }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
