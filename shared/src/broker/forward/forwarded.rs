//! What a forwarder has done, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use tokio::time::Instant;

use crate::settlement::Auditor;

/// What a forwarder has done, for metrics and heartbeats.
#[derive(Debug, Default)]
pub struct Forwarded {
    published: AtomicU64,
    confirmed: AtomicU64,
    refused: AtomicU64,
    republished: AtomicU64,
    last_confirmed: Mutex<Option<Instant>>,
    auditor: OnceLock<Arc<Auditor>>,
}

/// What happens to an event, each at most once but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Published,
    Confirmed,
    Refused,
    Republished,
}

impl Forwarded {
    /// Events handed to the broker, repetitions not counted.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Events that the broker confirmed.
    pub fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// Time since the broker confirmed an event; none before the first.
    pub fn since_last_confirmed(&self) -> Option<Duration> {
        let last = *self.last_confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|last| last.elapsed())
    }

    /// Events that the broker will never take, which became dead letters.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Events that were confirmed, and published again because the broker may have forgotten them.
    pub fn republished(&self) -> u64 {
        self.republished.load(Ordering::Relaxed)
    }

    /// What is followed until a consumer has settled it, where somebody does.
    pub fn auditor(&self) -> Option<&Arc<Auditor>> {
        self.auditor.get()
    }

    pub(super) fn audited_by(&self, auditor: Arc<Auditor>) {
        // A forwarder has one, from its beginning.
        let _known = self.auditor.set(auditor);
    }

    pub(super) fn count(&self, step: Step) {
        let counter = match step {
            Step::Published => &self.published,
            Step::Confirmed => &self.confirmed,
            Step::Refused => &self.refused,
            Step::Republished => &self.republished,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The broker confirms, be it for the first time or again.
    pub(super) fn broker_lives(&self) {
        let mut last = self.last_confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }
}

impl Collector for Forwarded {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counters = [
            ("published_events", "Events handed to the broker", self.published()),
            ("confirmed_events", "Events that the broker confirmed", self.confirmed()),
            ("refused_events", "Events that the broker will never take", self.refused()),
            (
                "republished_events",
                "Confirmed events published again because the broker may have forgotten them",
                self.republished(),
            ),
        ];
        for (name, help, value) in counters {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        Ok(())
    }
}
