//! What a part of a program says about itself: whether it does its work, and what it counts.

use std::sync::Arc;

use crate::event::{Counters, Publications, Settlements};

/// A part of a program that does the work which heartbeats vouch for.
pub trait Vital: Send + Sync {
    /// Whether it does its work; the reason why not is read by people and sent to monitors, so no
    /// secrets.
    fn honest(&self) -> Result<(), String>;

    /// What it has done since its start, and what waits.
    fn counters(&self) -> Counters;

    /// Of a part that consumes: what it settled since this was asked last.
    fn settlements(&self) -> Option<Settlements> {
        None
    }

    /// The beat that told this did not reach the bus, so the next one must.
    fn not_told(&self, _settlements: &Settlements) {}

    /// Of a part that publishes through an outbox: what became of its events, since this was asked
    /// last.
    fn publications(&self) -> Option<Publications> {
        None
    }
}

/// Two parts in one program, which does its work when both do.
pub struct Both {
    collector: Arc<dyn Vital>,
    writer: Arc<dyn Vital>,
}

impl Both {
    /// A program of a collector and a writer.
    pub fn new(collector: Arc<dyn Vital>, writer: Arc<dyn Vital>) -> Self {
        Self { collector, writer }
    }
}

impl std::fmt::Debug for Both {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Both").field(&self.counters()).finish()
    }
}

impl Vital for Both {
    fn honest(&self) -> Result<(), String> {
        match (self.collector.honest(), self.writer.honest()) {
            (Ok(()), honest) | (honest, Ok(())) => honest,
            (Err(polling), Err(storing)) => Err(format!("{polling}; {storing}")),
        }
    }

    fn counters(&self) -> Counters {
        let (polled, stored) = (self.collector.counters(), self.writer.counters());
        Counters {
            published: polled.published.or(stored.published),
            confirmed: polled.confirmed.or(stored.confirmed),
            outbox: polled.outbox.or(stored.outbox),
            delivered: stored.delivered.or(polled.delivered),
            stored: stored.stored.or(polled.stored),
            dead_lettered: stored.dead_lettered.or(polled.dead_lettered),
            redelivered: stored.redelivered.or(polled.redelivered),
            failed_writes: stored.failed_writes.or(polled.failed_writes),
            backlog: stored.backlog.or(polled.backlog),
            oldest_unwritten_s: stored.oldest_unwritten_s.or(polled.oldest_unwritten_s),
            lost: polled.lost.or(stored.lost),
        }
    }

    fn settlements(&self) -> Option<Settlements> {
        self.writer.settlements()
    }

    fn not_told(&self, settlements: &Settlements) {
        self.writer.not_told(settlements);
    }

    fn publications(&self) -> Option<Publications> {
        self.collector.publications()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Part(Result<(), String>, Counters);

    impl Vital for Part {
        fn honest(&self) -> Result<(), String> {
            self.0.clone()
        }

        fn counters(&self) -> Counters {
            self.1
        }
    }

    fn both(collector: Result<(), &str>, writer: Result<(), &str>) -> Both {
        let polled = Counters { published: Some(3), outbox: Some(1), ..Counters::default() };
        let stored = Counters { stored: Some(2), backlog: Some(0), ..Counters::default() };
        Both::new(
            Arc::new(Part(collector.map_err(str::to_owned), polled)),
            Arc::new(Part(writer.map_err(str::to_owned), stored)),
        )
    }

    #[test]
    fn honest_when_both_are() {
        assert_eq!(both(Ok(()), Ok(())).honest(), Ok(()));
        assert_eq!(both(Err("no poll"), Ok(())).honest().unwrap_err(), "no poll");
        assert_eq!(both(Ok(()), Err("no write")).honest().unwrap_err(), "no write");
        let neither = both(Err("no poll"), Err("no write"));
        assert_eq!(neither.honest().unwrap_err(), "no poll; no write");
    }

    #[test]
    fn the_counters_of_both() {
        let counters = both(Ok(()), Ok(())).counters();
        assert_eq!((counters.published, counters.outbox), (Some(3), Some(1)));
        assert_eq!((counters.stored, counters.backlog), (Some(2), Some(0)));
        assert_eq!(counters.delivered, None);
    }
}
