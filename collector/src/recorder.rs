//! From the end of a tick to the outbox: exactly one outcome, or a count of what was not taken.
//!
//! Between the polls and the outbox. What the outbox does not take is remembered for each endpoint
//! and told by one failed poll `outbox_full` in the same commit as the next outcome that is taken.
//! Nothing here retries: a poll that was not recorded is gone, and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::envelope::Origin;
use shared::event::{Category, Event, FailedPoll, Poll};
use shared::outbox::{AppendError, Entry, Outbox};
use shared::readiness::Dependency;
use shared::timestamp::Timestamp;

use crate::endpoint::Endpoint;
use crate::failing::Failing;
use crate::http::Failure;
use crate::latest::{LastAnswer, Latest, Said};
use crate::metrics::Metrics;
use crate::outcome::{Facts, FailedOutcome, Outcome};
use crate::sources::{self, Answer, Meaning, Observation};

/// How a tick ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// When the request was sent, or the tick if there was none: the time of the events.
    pub(crate) time: Timestamp,
    /// The tick.
    pub(crate) scheduled: Timestamp,
    /// From sending the request to the end of the answer, or to the failure.
    pub(crate) duration: Duration,
    /// Size of the answer.
    pub(crate) bytes: Option<u64>,
    /// Ticks that end so.
    pub(crate) ticks: u64,
    /// Whether the mark of the endpoint's open tick is settled by it.
    pub(crate) settles: bool,
    /// What came of it.
    pub(crate) result: Result<Answer, Failure>,
}

/// Ticks of one endpoint that the outbox did not take.
#[derive(Debug, Default)]
pub(crate) struct Gap(Mutex<Option<Unrecorded>>);

#[derive(Clone, Copy, Debug)]
struct Unrecorded {
    ticks: u64,
    /// Of the first of them.
    time: Timestamp,
    scheduled: Timestamp,
}

/// Takes the outcomes of all endpoints.
#[derive(Debug)]
pub(crate) struct Recorder {
    outbox: Outbox,
    origin: Origin,
    metrics: Arc<Metrics>,
    meaning: Arc<Meaning>,
    failing: Arc<Failing>,
    latest: Arc<Latest>,
    dependency: Dependency,
    takes: AtomicBool,
}

/// The parts of a [`Recorder`].
#[derive(Debug)]
pub(crate) struct RecorderParts {
    pub(crate) outbox: Outbox,
    pub(crate) origin: Origin,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) meaning: Arc<Meaning>,
    pub(crate) failing: Arc<Failing>,
    pub(crate) latest: Arc<Latest>,
    pub(crate) dependency: Dependency,
}

impl Recorder {
    pub(crate) fn new(parts: RecorderParts) -> Self {
        let RecorderParts { outbox, origin, metrics, meaning, failing, latest, dependency } = parts;
        // It was opened; whether it still takes events shows with the first of them.
        dependency.up();
        let takes = AtomicBool::new(true);
        Self { outbox, origin, metrics, meaning, failing, latest, dependency, takes }
    }

    /// Records how a tick ended.
    pub(crate) async fn record(&self, endpoint: &Endpoint, gap: &Gap, mut ended: Ended) {
        let poll = Poll {
            scheduled: ended.scheduled,
            duration_ms: u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX),
            interval_ms: u64::try_from(endpoint.interval.as_millis()).unwrap_or(u64::MAX),
            bytes: ended.bytes,
        };
        let observation = Observation { origin: &self.origin, time: ended.time };
        let session_list = ended.result.as_mut().ok().and_then(|answer| answer.session_list.take());
        let (entries, result) = match self.entries(endpoint, observation, &poll, ended.result) {
            Ok((entries, facts, said)) => {
                if let Some(said) = said {
                    let answer = LastAnswer::now(said, ended.time, endpoint.interval);
                    let answer = answer.with_list(session_list);
                    self.latest.answered(&endpoint.key, answer);
                }
                (entries, Ok(facts))
            }
            Err(failure) => {
                let event = failed_poll(endpoint, &failure, poll.clone(), ended.ticks);
                let encoded = observation.encode(endpoint, &event).ok();
                let entry = |event| Entry { subject: endpoint.failed_subject.clone(), event };
                (encoded.map(entry).into_iter().collect(), Err(failure))
            }
        };
        self.tell(endpoint, ended.ticks, &result);
        let lost = Unrecorded { ticks: ended.ticks, time: ended.time, scheduled: ended.scheduled };
        let settled = ended.settles.then_some(endpoint.key.as_str());
        let recorded = self.append(endpoint, gap, entries, settled, Some(lost)).await;
        if !recorded {
            self.meaning.unrecorded(endpoint.source);
        }
        let outcome = Outcome {
            server: Arc::clone(&endpoint.server),
            source: endpoint.source,
            virtual_proxy: endpoint.virtual_proxy.clone(),
            time: ended.time,
            duration: ended.duration,
            interval: endpoint.interval,
            recorded,
            result: result.map_err(|failure| FailedOutcome {
                category: failure.category,
                message: failure.message.into(),
                ticks: ended.ticks,
            }),
        };
        self.latest.show(&endpoint.key, outcome);
    }

    /// Tells those who watch what is polled from now on.
    pub(crate) fn polls(&self, endpoints: &[Endpoint]) {
        self.latest.polls(endpoints);
    }

    /// Tells what the outbox did not take, at the end of the program.
    pub(crate) async fn close(&self, endpoint: &Endpoint, gap: &Gap) {
        if gap.0.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            self.append(endpoint, gap, Vec::new(), None, None).await;
        }
    }

    /// Forgets what was shown of an endpoint that is polled no longer, or is another one now.
    pub(crate) fn forget(&self, endpoint: &str) {
        self.latest.forget(endpoint);
        self.failing.forget(endpoint);
    }

    /// The events of an answer, and what is shown of it.
    fn entries(
        &self,
        endpoint: &Endpoint,
        observation: Observation<'_>,
        poll: &Poll,
        result: Result<Answer, Failure>,
    ) -> Result<(Vec<Entry>, Facts, Option<Said>), Failure> {
        let answer = result?;
        self.metrics.rejected(endpoint.source, answer.rejected);
        let events = sources::events(endpoint, &observation, poll, answer.content);
        let Ok((events, said)) = events else {
            self.meaning.unrecorded(endpoint.source);
            let message = "the event made from the answer is larger than brokers take";
            return Err(Failure::new(Category::TOO_LARGE, message));
        };
        let entry = |event| Entry { subject: endpoint.subject.clone(), event };
        Ok((events.into_iter().map(entry).collect(), answer.facts, said))
    }

    fn tell(&self, endpoint: &Endpoint, ticks: u64, result: &Result<Facts, Failure>) {
        let failure = result.as_ref().err();
        self.metrics.ended(endpoint.source, failure.map(|failure| &failure.category), ticks);
        match failure {
            None => self.failing.succeeded(endpoint),
            // What happened to the collector says nothing about the server.
            Some(failure) if failure.category == Category::INTERRUPTED => {}
            Some(failure) => self.failing.failed(endpoint, failure, ticks),
        }
    }

    /// Appends entries, with the tale of what was not taken before; `lost` is remembered when they
    /// are not taken either.
    async fn append(
        &self,
        endpoint: &Endpoint,
        gap: &Gap,
        mut entries: Vec<Entry>,
        settled: Option<&str>,
        lost: Option<Unrecorded>,
    ) -> bool {
        // Taken out, so that another outcome of this endpoint does not tell it too.
        let before = gap.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before
            && let Some(entry) = self.outbox_full(endpoint, before)
        {
            entries.insert(0, entry);
        }
        match self.outbox.append(entries, settled).await {
            Ok(()) => {
                self.metrics.recorded();
                if !self.takes.swap(true, Ordering::Relaxed) {
                    self.dependency.up();
                    tracing::info!("The outbox takes events again.");
                }
                true
            }
            Err(error) => {
                self.refused(&error);
                self.metrics.unrecorded(lost.map_or(0, |lost| lost.ticks));
                let mut gap = gap.0.lock().unwrap_or_else(PoisonError::into_inner);
                *gap = [before, *gap, lost].into_iter().flatten().reduce(Unrecorded::and);
                false
            }
        }
    }

    fn outbox_full(&self, endpoint: &Endpoint, before: Unrecorded) -> Option<Entry> {
        let message = format!("the outbox took no events: {} ticks are lost", before.ticks);
        let failure = Failure::new(Category::OUTBOX_FULL, message);
        let poll = Poll {
            scheduled: before.scheduled,
            duration_ms: 0,
            interval_ms: u64::try_from(endpoint.interval.as_millis()).unwrap_or(u64::MAX),
            bytes: None,
        };
        let event = failed_poll(endpoint, &failure, poll, before.ticks);
        let observation = Observation { origin: &self.origin, time: before.time };
        let event = observation.encode(endpoint, &event).ok()?;
        Some(Entry { subject: endpoint.failed_subject.clone(), event })
    }

    fn refused(&self, error: &AppendError) {
        self.dependency.down(format!("{error}: events are not taken"));
        if self.takes.swap(false, Ordering::Relaxed) {
            tracing::error!(
                "Events are lost from now on, since {error}. Polls go on, and what is lost is \
                 counted. Make room, or mend the cause."
            );
        }
    }
}

impl Unrecorded {
    fn and(self, later: Self) -> Self {
        Self { ticks: self.ticks + later.ticks, ..self }
    }
}

fn failed_poll(endpoint: &Endpoint, failure: &Failure, poll: Poll, ticks: u64) -> Event {
    let waited = ![Category::SKIPPED, Category::INTERRUPTED, Category::OUTBOX_FULL]
        .contains(&failure.category);
    let timeout = u64::try_from(endpoint.timeout.as_millis()).unwrap_or(u64::MAX);
    Event::FailedPoll(Box::new(FailedPoll {
        server: endpoint.server.as_ref().clone(),
        poll,
        source: endpoint.source,
        virtual_proxy: endpoint.virtual_proxy.clone(),
        host: endpoint.host.clone(),
        url: Some(endpoint.shown_url()),
        category: failure.category.clone(),
        code: failure.code.as_deref().map(str::to_owned),
        http_status: failure.http_status,
        timeout_ms: waited.then_some(timeout),
        remote_address: failure.remote.map(|remote| remote.ip().to_string()),
        remote_port: failure.remote.map(|remote| remote.port()),
        syscall: failure.syscall.map(str::to_owned),
        message: failure.message.to_string(),
        ticks,
    }))
}
