//! The collector as heartbeats see it: whether it does its work, and its counters.

use std::sync::Arc;

use shared::broker::forward::Forwarded;
use shared::config::Config;
use shared::event::{Counters, Publications};
use shared::heartbeat::Vital;
use shared::outbox::Outbox;
use shared::settlement::Auditor;

use crate::honesty::CollectorHonesty;
use crate::program::Collecting;

/// Vouches for a collector.
#[derive(Debug)]
pub struct CollectorVital {
    honesty: CollectorHonesty,
    outbox: Outbox,
    forwarded: Option<Arc<Forwarded>>,
}

impl CollectorVital {
    /// Of a collector at work; `forwarded` is what a broker confirms, and none when the outbox
    /// itself is its queue.
    pub fn new(
        config: &Config,
        collecting: &Collecting,
        forwarded: Option<Arc<Forwarded>>,
    ) -> Arc<Self> {
        let Collecting { metrics, outbox, .. } = collecting.clone();
        let honesty =
            CollectorHonesty::new(&config.collector, metrics, outbox.clone(), forwarded.clone());
        Arc::new(Self { honesty, outbox, forwarded })
    }
}

impl CollectorVital {
    fn auditor(&self) -> Option<&Arc<Auditor>> {
        self.forwarded.as_ref()?.auditor()
    }

    /// What nobody settled: given up for its age, or forgotten by the broker.
    fn lost(&self) -> u64 {
        self.outbox.expired() + self.auditor().map_or(0, |auditor| auditor.lost())
    }
}

impl Vital for CollectorVital {
    fn honest(&self) -> Result<(), String> {
        self.honesty.check().map_err(|dishonest| dishonest.to_string())
    }

    fn counters(&self) -> Counters {
        let (published, confirmed) = match &self.forwarded {
            Some(forwarded) => (forwarded.published(), forwarded.confirmed()),
            // The embedded broker confirms with the commit.
            None => (self.outbox.appended(), self.outbox.appended()),
        };
        Counters {
            published: Some(published),
            confirmed: Some(confirmed),
            outbox: Some(self.outbox.depth()),
            lost: Some(self.lost()),
            ..Counters::default()
        }
    }

    fn publications(&self) -> Option<Publications> {
        Some(self.auditor()?.publications(self.outbox.held_from()))
    }
}
