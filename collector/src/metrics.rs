//! What the collector counts about its polls.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shared::event::{Category, Source};
use shared::tls::Presented;
use tokio::time::Instant;

use crate::discovery::DiscoveryMetrics;

/// Upper bounds of the histograms, in seconds: from a poll in one's own network to the timeout.
const SECONDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The outcome of a poll that succeeded; the others are categories.
const OK: &str = "ok";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PollLabels {
    source: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

/// The collector's metrics; all of them count from the start of the process.
#[derive(Debug)]
pub struct Metrics {
    polls: Family<PollLabels, Counter>,
    duration: Family<SourceLabels, Histogram, fn() -> Histogram>,
    lateness: Histogram,
    unrecorded: Counter,
    rejected: Family<SourceLabels, Counter>,
    ended: Counter,
    failed: Counter,
    discovery: DiscoveryMetrics,
    began: Instant,
    polling: Mutex<Option<Polling>>,
    last_ended: Mutex<Option<Instant>>,
    last_recorded: Mutex<Option<Instant>>,
    presented: Presented,
}

/// What is known of the endpoints that are polled now.
#[derive(Clone, Copy, Debug)]
struct Polling {
    longest_interval: Duration,
    /// When the first of them began, after a time without any.
    since: Instant,
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            polls: Family::default(),
            duration: Family::new_with_constructor(histogram),
            lateness: histogram(),
            unrecorded: Counter::default(),
            rejected: Family::default(),
            ended: Counter::default(),
            failed: Counter::default(),
            discovery: DiscoveryMetrics::default(),
            began: Instant::now(),
            polling: Mutex::default(),
            last_ended: Mutex::default(),
            last_recorded: Mutex::default(),
            presented: Presented::default(),
        }
    }
}

impl Metrics {
    /// Adds the metrics to a registry, under the names `collector_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("collector");
        registry.register(
            "polls",
            "Ticks by API and outcome: ok, or the category of the failure",
            self.polls.clone(),
        );
        registry.register_with_unit(
            "poll_duration",
            "From sending a request to the end of its answer, or to its failure",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register_with_unit(
            "poll_lateness",
            "From a tick to the sending of its request, waiting for a permit included",
            Unit::Seconds,
            self.lateness.clone(),
        );
        registry.register(
            "unrecorded_ticks",
            "Ticks whose outcome the outbox did not take",
            self.unrecorded.clone(),
        );
        registry.register(
            "rejected_fields",
            "Fields dropped because they were missing, absurd or not readable",
            self.rejected.clone(),
        );
    }

    /// The certificates that servers presented.
    pub fn presented(&self) -> &Presented {
        &self.presented
    }

    /// Adds the metrics of discovery, where it is enabled.
    pub fn register_discovery(&self, registry: &mut Registry) {
        self.discovery.register(registry);
    }

    /// What is counted about discovery.
    pub fn discovery(&self) -> &DiscoveryMetrics {
        &self.discovery
    }

    /// Ticks that ended, with a result or with a failed poll.
    pub fn ticks_ended(&self) -> u64 {
        self.ended.get()
    }

    /// Ticks that ended with a failed poll.
    pub fn ticks_failed(&self) -> u64 {
        self.failed.get()
    }

    /// Ticks whose outcome the outbox did not take.
    pub fn ticks_unrecorded(&self) -> u64 {
        self.unrecorded.get()
    }

    /// Ticks of an API with an outcome: `ok`, or the name of a category.
    pub fn ticks_of(&self, source: Source, outcome: &str) -> u64 {
        let labels = PollLabels { source: source.name().to_owned(), outcome: outcome.to_owned() };
        self.polls.get(&labels).map_or(0, |counter| counter.get())
    }

    /// Fields of an API that were dropped.
    pub fn fields_rejected(&self, source: Source) -> u64 {
        self.rejected.get(&SourceLabels::of(source)).map_or(0, |counter| counter.get())
    }

    /// Time since the last tick ended; none before the first.
    pub fn since_last_tick(&self) -> Option<Duration> {
        since(&self.last_ended)
    }

    /// Time since the outbox took an outcome; none before the first.
    pub fn since_last_recorded(&self) -> Option<Duration> {
        since(&self.last_recorded)
    }

    /// Time since counting began, or since something is polled again.
    pub fn since_start(&self) -> Duration {
        self.polling().map_or(self.began, |polling| polling.since).elapsed()
    }

    /// The longest time between two ticks of one endpoint; none when nothing is polled.
    pub fn longest_interval(&self) -> Option<Duration> {
        self.polling().map(|polling| polling.longest_interval)
    }

    /// Tells what is polled from now on.
    pub(crate) fn polls_every(&self, longest_interval: Option<Duration>) {
        let mut polling = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let since = polling.map_or_else(Instant::now, |polling| polling.since);
        *polling = longest_interval.map(|longest_interval| Polling { longest_interval, since });
    }

    fn polling(&self) -> Option<Polling> {
        *self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sent(&self, lateness: Duration) {
        self.lateness.observe(lateness.as_secs_f64());
    }

    pub(crate) fn polled(&self, source: Source, duration: Duration) {
        let labels = SourceLabels::of(source);
        self.duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    pub(crate) fn ended(&self, source: Source, failure: Option<&Category>, ticks: u64) {
        let outcome = failure.map_or(OK, Category::name).to_owned();
        let labels = PollLabels { source: source.name().to_owned(), outcome };
        self.polls.get_or_create(&labels).inc_by(ticks);
        self.ended.inc_by(ticks);
        if failure.is_some() {
            self.failed.inc_by(ticks);
        }
        happened(&self.last_ended);
    }

    pub(crate) fn recorded(&self) {
        happened(&self.last_recorded);
    }

    pub(crate) fn unrecorded(&self, ticks: u64) {
        self.unrecorded.inc_by(ticks);
    }

    pub(crate) fn rejected(&self, source: Source, fields: u64) {
        if fields > 0 {
            self.rejected.get_or_create(&SourceLabels::of(source)).inc_by(fields);
        }
    }
}

fn since(moment: &Mutex<Option<Instant>>) -> Option<Duration> {
    let moment = *moment.lock().unwrap_or_else(PoisonError::into_inner);
    moment.map(|moment| moment.elapsed())
}

fn happened(moment: &Mutex<Option<Instant>>) {
    *moment.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

impl SourceLabels {
    fn of(source: Source) -> Self {
        Self { source: source.name().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        metrics.register_discovery(&mut registry);
        metrics.discovery().polls(6);
        metrics.discovery().failed();
        metrics.ended(Source::Health, None, 1);
        metrics.ended(Source::Sessions, Some(&Category::SKIPPED), 2);
        metrics.polled(Source::Health, Duration::from_millis(3));
        metrics.sent(Duration::from_millis(1));
        metrics.rejected(Source::Health, 4);
        metrics.unrecorded(5);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "collector_polls_total{source=\"health\",outcome=\"ok\"} 1",
            "collector_polls_total{source=\"sessions\",outcome=\"skipped\"} 2",
            "collector_poll_duration_seconds_count{source=\"health\"} 1",
            "collector_poll_lateness_seconds_count 1",
            "collector_rejected_fields_total{source=\"health\"} 4",
            "collector_unrecorded_ticks_total 5",
            "collector_discovered_servers 6",
            "collector_discovery_last_success_timestamp_seconds 0.0",
            "collector_discovery_failures_total 1",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        assert_eq!((metrics.ticks_ended(), metrics.ticks_failed()), (3, 2));
        assert_eq!(metrics.ticks_of(Source::Sessions, "skipped"), 2);
        assert!(metrics.since_last_tick().is_some());
    }
}
