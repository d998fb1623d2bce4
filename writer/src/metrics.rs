//! What the writer counts: for `/metrics`, for its heartbeats and for the demo's page.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};
use shared::event::{Counters, Settlements};
use shared::settlement::{EventNumber, SettlementLedger};
use tokio::time::Instant;

/// A writer that holds deliveries is honest as long as a write succeeded within this time.
const HONEST_FOR: Duration = Duration::from_mins(2);

/// The counters of one writer.
pub struct Metrics {
    pub(crate) delivered: Counter,
    pub(crate) redelivered: Counter,
    pub(crate) stored: Counter,
    pub(crate) points: Counter,
    pub(crate) expired: Counter,
    pub(crate) dead_lettered: Counter,
    pub(crate) replayed: Counter,
    pub(crate) requests: Counter,
    pub(crate) failed_writes: Counter,
    pub(crate) request_seconds: Histogram,
    pub(crate) in_flight: Gauge,
    unacked: Gauge,
    unacked_bytes: Gauge,
    broker_backlog: Gauge,
    oldest_unwritten: Gauge<f64, AtomicU64>,
    event_age: Gauge<f64, AtomicU64>,
    moments: Mutex<Moments>,
    /// What heartbeats tell; none before the writer consumes.
    settlements: Mutex<Option<SettlementLedger>>,
}

/// What a writer holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Deliveries that are not acked.
    pub(crate) unacked: usize,
    /// The bytes of their payloads.
    pub(crate) bytes: usize,
    /// When the oldest came that is not stored.
    pub(crate) oldest: Option<Instant>,
}

/// Moments that gauges and honesty are made of.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    consuming: bool,
    oldest_unwritten: Option<Instant>,
    last_write: Option<Instant>,
}

impl Metrics {
    /// New counters, shown by the registry.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        // Requests take milliseconds up to the default timeout of 30 s.
        let request_seconds = Histogram::new(exponential_buckets(0.002, 2.5, 12));
        let metrics = Self {
            delivered: show(registry, "writer_deliveries", "Deliveries received"),
            redelivered: show(registry, "writer_redeliveries", "Deliveries that came again"),
            stored: show(registry, "writer_events_stored", "Events whose points are stored"),
            points: show(registry, "writer_points_stored", "Points stored"),
            expired: show(
                registry,
                "writer_points_expired",
                "Points not kept because they are older than the retention policy keeps",
            ),
            dead_lettered: show(
                registry,
                "writer_events_dead_lettered",
                "Events of which something lies in the dead letters",
            ),
            replayed: show(
                registry,
                "writer_events_replayed",
                "Events from the dead letters that are stored now",
            ),
            requests: show(registry, "writer_requests", "Write requests"),
            failed_writes: show(registry, "writer_failed_writes", "Write requests that failed"),
            request_seconds: request_seconds.clone(),
            in_flight: show(registry, "writer_batches_in_flight", "Batches being stored"),
            unacked: show(registry, "writer_unacked", "Deliveries held and not yet acked"),
            unacked_bytes: Gauge::default(),
            broker_backlog: show(
                registry,
                "writer_broker_backlog",
                "Events that wait at the broker, where it can tell",
            ),
            oldest_unwritten: Gauge::default(),
            event_age: Gauge::default(),
            moments: Mutex::default(),
            settlements: Mutex::default(),
        };
        registry.register_with_unit(
            "writer_request",
            "Duration of write requests",
            Unit::Seconds,
            request_seconds,
        );
        registry.register_with_unit(
            "writer_unacked",
            "Payloads held and not yet acked",
            Unit::Bytes,
            metrics.unacked_bytes.clone(),
        );
        registry.register_with_unit(
            "writer_oldest_unwritten",
            "Age of the oldest delivery that is not stored",
            Unit::Seconds,
            metrics.oldest_unwritten.clone(),
        );
        registry.register_with_unit(
            "writer_event_age",
            "Age of the oldest event in hand since its poll: how far the writer is behind",
            Unit::Seconds,
            metrics.event_age.clone(),
        );
        Arc::new(metrics)
    }

    /// The counters as heartbeats carry them.
    pub fn counters(&self) -> Counters {
        Counters {
            delivered: Some(self.delivered.get()),
            stored: Some(self.stored.get()),
            dead_lettered: Some(self.dead_lettered.get()),
            redelivered: Some(self.redelivered.get()),
            failed_writes: Some(self.failed_writes.get()),
            backlog: u64::try_from(self.unacked.get()).ok(),
            oldest_unwritten_s: Some(age_s(self.moments().oldest_unwritten)),
            ..Counters::default()
        }
    }

    /// Points stored since the start.
    pub fn points_stored(&self) -> u64 {
        self.points.get()
    }

    /// Whether the writer does its work: it consumes, and a write succeeded in the last two
    /// minutes or it holds no delivery.
    pub fn honesty(&self) -> Result<(), String> {
        let moments = self.moments();
        if !moments.consuming {
            return Err("the writer does not consume".to_owned());
        }
        let unacked = self.unacked.get();
        let lately = moments.last_write.is_some_and(|write| write.elapsed() <= HONEST_FOR);
        if unacked == 0 || lately {
            return Ok(());
        }
        Err(format!(
            "{unacked} deliveries are held and no write succeeded in the last {} s",
            HONEST_FOR.as_secs()
        ))
    }

    /// Begins to keep what heartbeats tell of a consumer group.
    pub(crate) fn consumes_as(&self, group: &str) {
        *self.ledger() = Some(SettlementLedger::new(group));
    }

    /// Takes note of an event that was delivered. None when its settlement cannot be told.
    pub(crate) fn delivered_event(
        &self,
        epoch: &str,
        sequence: u64,
        lane: u16,
    ) -> Option<EventNumber> {
        self.ledger().as_mut()?.delivered(epoch, sequence, lane)
    }

    /// Takes note of events that are stored, or lie in the dead letters.
    pub(crate) fn settled_events(&self, events: impl Iterator<Item = EventNumber>) {
        if let Some(ledger) = self.ledger().as_mut() {
            events.for_each(|event| ledger.settled(event));
        }
    }

    pub(crate) fn take_settlements(&self) -> Option<Settlements> {
        Some(self.ledger().as_mut()?.take())
    }

    pub(crate) fn put_back_settlements(&self, settlements: &Settlements) {
        if let Some(ledger) = self.ledger().as_mut() {
            ledger.put_back(settlements);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Option<SettlementLedger>> {
        self.settlements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn consuming(&self, consuming: bool) {
        self.update(|moments| moments.consuming = consuming);
    }

    pub(crate) fn wrote(&self) {
        self.update(|moments| moments.last_write = Some(Instant::now()));
    }

    pub(crate) fn has_written(&self) -> bool {
        self.moments().last_write.is_some()
    }

    /// Shows what is held now.
    pub(crate) fn held(&self, held: Held) {
        let Held { unacked, bytes, oldest } = held;
        self.unacked.set(i64::try_from(unacked).unwrap_or(i64::MAX));
        self.unacked_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.update(|moments| moments.oldest_unwritten = oldest);
        self.oldest_unwritten.set(age_s(oldest));
    }

    /// Shows what waits at the broker, where it can tell, and how far the writer is behind.
    pub(crate) fn behind(&self, broker_backlog: Option<u64>, event_age: Duration) {
        if let Some(backlog) = broker_backlog {
            self.broker_backlog.set(i64::try_from(backlog).unwrap_or(i64::MAX));
        }
        self.event_age.set(event_age.as_secs_f64());
    }

    fn moments(&self) -> Moments {
        *self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut Moments)) {
        change(&mut self.moments.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.counters()).finish()
    }
}

fn show<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn age_s(moment: Option<Instant>) -> f64 {
    moment.map_or(0.0, |moment| moment.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_writer_is_honest_while_it_writes_or_holds_nothing() {
        let metrics = Metrics::register(&mut Registry::default());
        assert!(metrics.honesty().unwrap_err().contains("does not consume"));
        metrics.consuming(true);
        assert_eq!(metrics.honesty(), Ok(()));
        metrics.held(Held { unacked: 3, bytes: 30, oldest: Some(Instant::now()) });
        assert!(metrics.honesty().unwrap_err().contains("3 deliveries"));
        metrics.wrote();
        tokio::time::advance(HONEST_FOR).await;
        assert_eq!(metrics.honesty(), Ok(()));
        assert_eq!(metrics.counters().oldest_unwritten_s, Some(120.0));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(metrics.honesty().is_err());
        metrics.held(Held::default());
        assert_eq!(metrics.honesty(), Ok(()));
    }

    #[test]
    fn metrics_have_units_and_help() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.delivered.inc();
        metrics.behind(Some(412_000), Duration::from_millis(754_500));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for expected in [
            "writer_deliveries_total 1",
            "writer_oldest_unwritten_seconds 0.0",
            "writer_unacked_bytes 0",
            "writer_event_age_seconds 754.5",
            "writer_broker_backlog 412000",
            "# HELP writer_points_expired Points",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}
