//! Whether the collector does its work: ticks end, the outbox takes them, and the broker confirms.
//!
//! Heartbeats and the health check of containers answer from here, so that they never disagree.
//! A server that does not answer is no reason: its failed polls are the collector's work.

use std::sync::Arc;
use std::time::Duration;

use shared::broker::forward::Forwarded;
use shared::config::Collector;
use shared::outbox::Outbox;
use thiserror::Error;

use crate::metrics::Metrics;

/// Intervals without the end of a tick after which something is wrong.
const INTERVALS: u32 = 3;
/// What short intervals are allowed all the same: a restart of a broker, a disk that stalls.
const ALWAYS_ALLOWED: Duration = Duration::from_mins(2);

/// Why the collector does not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Dishonest {
    /// Nothing was polled, not even in vain.
    #[error("no poll has ended for {} s", .0.as_secs())]
    NoTick(Duration),
    /// Polls end, but their outcomes are lost.
    #[error("the outbox has taken no event for {} s", .0.as_secs())]
    NotRecorded(Duration),
    /// Events wait, and the broker takes none.
    #[error("the broker has confirmed no event for {} s, and {waiting} wait", .since.as_secs())]
    NotConfirmed {
        /// Time since the last confirmation, or since the start.
        since: Duration,
        /// Events that wait.
        waiting: u64,
    },
}

/// Tells whether a collector does its work.
#[derive(Debug)]
pub struct CollectorHonesty {
    metrics: Arc<Metrics>,
    /// Of what the file has polled, which is polled whatever is found besides.
    longest_interval: Option<Duration>,
    outbox: Outbox,
    forwarded: Option<Arc<Forwarded>>,
}

impl CollectorHonesty {
    /// Of a collector over `outbox`; `forwarded` is what a broker confirms, and none when the
    /// outbox itself is the broker's queue.
    pub fn new(
        config: &Collector,
        metrics: Arc<Metrics>,
        outbox: Outbox,
        forwarded: Option<Arc<Forwarded>>,
    ) -> Self {
        let longest_interval = longest_interval(config);
        Self { metrics, longest_interval, outbox, forwarded }
    }

    /// Says why the collector does not do its work, if so.
    pub fn check(&self) -> Result<(), Dishonest> {
        let forwarding = |forwarded: &Arc<Forwarded>| Forwarding {
            waiting: self.outbox.depth(),
            since_confirmed: forwarded.since_last_confirmed(),
        };
        Signs {
            since_start: self.metrics.since_start(),
            longest_interval: self.longest_interval.max(self.metrics.longest_interval()),
            since_tick: self.metrics.since_last_tick(),
            since_recorded: self.metrics.since_last_recorded(),
            forwarding: self.forwarded.as_ref().map(forwarding),
        }
        .judge()
    }
}

/// What is known of a collector at one moment.
#[derive(Clone, Copy, Debug)]
struct Signs {
    since_start: Duration,
    /// None when nothing is polled.
    longest_interval: Option<Duration>,
    since_tick: Option<Duration>,
    since_recorded: Option<Duration>,
    forwarding: Option<Forwarding>,
}

/// What becomes of the outbox's events when they are forwarded to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Forwarding {
    waiting: u64,
    since_confirmed: Option<Duration>,
}

impl Signs {
    fn judge(&self) -> Result<(), Dishonest> {
        let longest = self.longest_interval.unwrap_or_default();
        let allowed = longest.saturating_mul(INTERVALS).max(ALWAYS_ALLOWED);
        // What has not happened yet may take as long after the start; and what happened before a
        // time without anything to poll says nothing.
        let since = |moment: Option<Duration>| {
            moment.map_or(self.since_start, |moment| moment.min(self.since_start))
        };
        let too_long = |moment| Some(since(moment)).filter(|since| *since > allowed);
        if self.longest_interval.is_some() {
            if let Some(since) = too_long(self.since_tick) {
                return Err(Dishonest::NoTick(since));
            }
            if let Some(since) = too_long(self.since_recorded) {
                return Err(Dishonest::NotRecorded(since));
            }
        }
        let Some(Forwarding { waiting: waiting @ 1.., since_confirmed }) = self.forwarding else {
            return Ok(());
        };
        match too_long(since_confirmed) {
            Some(since) => Err(Dishonest::NotConfirmed { since, waiting }),
            None => Ok(()),
        }
    }
}

/// The longest time between two ticks of one endpoint; none when nothing is polled.
fn longest_interval(collector: &Collector) -> Option<Duration> {
    let has_sessions = collector.servers.iter().any(|server| server.sessions.is_some());
    let sessions = collector.sessions.as_ref().filter(|_| has_sessions);
    let health = (!collector.servers.is_empty()).then_some(collector.health_interval);
    let app_names = collector.app_names.as_ref().map(|app_names| app_names.interval);
    [health, sessions.map(|sessions| sessions.interval), app_names].into_iter().flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const GOOD: Signs = Signs {
        since_start: Duration::from_hours(1),
        longest_interval: Some(Duration::from_secs(30)),
        since_tick: Some(SECOND),
        since_recorded: Some(SECOND),
        forwarding: None,
    };

    #[test]
    fn ticks_must_end_and_be_taken() {
        assert_eq!(GOOD.judge(), Ok(()));
        let quiet = Signs { since_tick: Some(120 * SECOND), ..GOOD };
        assert_eq!(quiet.judge(), Ok(()));
        let still = Signs { since_tick: Some(121 * SECOND), ..GOOD };
        assert_eq!(still.judge(), Err(Dishonest::NoTick(121 * SECOND)));
        let slow = Signs { longest_interval: Some(60 * SECOND), ..still };
        assert_eq!(slow.judge(), Ok(()));
        let full = Signs { since_recorded: Some(200 * SECOND), ..GOOD };
        let error = full.judge().unwrap_err();
        assert_eq!(error.to_string(), "the outbox has taken no event for 200 s");
    }

    #[test]
    fn a_start_takes_its_time() {
        let young = Signs {
            since_start: 119 * SECOND,
            since_tick: None,
            since_recorded: None,
            forwarding: Some(Forwarding { waiting: 9, since_confirmed: None }),
            ..GOOD
        };
        assert_eq!(young.judge(), Ok(()));
        let old = Signs { since_start: 121 * SECOND, ..young };
        assert_eq!(old.judge(), Err(Dishonest::NoTick(121 * SECOND)));
    }

    #[test]
    fn what_was_long_before_the_start_counts_from_it() {
        let again = Signs { since_start: SECOND, since_tick: Some(9_000 * SECOND), ..GOOD };
        assert_eq!(again.judge(), Ok(()));
    }

    #[test]
    fn nothing_to_poll_is_no_fault() {
        let idle = Signs { longest_interval: None, since_tick: None, since_recorded: None, ..GOOD };
        assert_eq!(idle.judge(), Ok(()));
    }

    #[test]
    fn the_broker_must_confirm_what_waits() {
        let forwarding = |waiting, seconds| Signs {
            forwarding: Some(Forwarding { waiting, since_confirmed: Some(seconds * SECOND) }),
            ..GOOD
        };
        assert_eq!(forwarding(0, 9_000).judge(), Ok(()));
        assert_eq!(forwarding(3, 120).judge(), Ok(()));
        let error = forwarding(3, 121).judge().unwrap_err();
        assert_eq!(error.to_string(), "the broker has confirmed no event for 121 s, and 3 wait");
    }
}
