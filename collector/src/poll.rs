//! One endpoint at work: from a tick to its one outcome.
//!
//! The order matters: a permit first, so that lateness shows the wait; then the mark in the
//! outbox, so that a kill during the request is found at the next start; then the request. The
//! permit is given back before the outcome is written.
//!
//! What is asked may be replaced while the schedule goes on: a poll in hand ends as it was begun,
//! and the next tick asks the new one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderMap;
use shared::event::Category;
use shared::outbox::{OpenTick, Outbox};
use shared::timestamp::PollClock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::endpoint::Endpoint;
use crate::http::{self, Clients, Failure, Request};
use crate::metrics::Metrics;
use crate::permits::{Permits, Suspicion};
use crate::recorder::{Ended, Gap, Recorder};
use crate::schedule::{Skipped, Tick, Work};
use crate::sources::{self, Meaning, request};

/// What all endpoints share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) clients: Clients,
    pub(crate) permits: Permits,
    pub(crate) clock: PollClock,
    pub(crate) meaning: Arc<Meaning>,
    pub(crate) recorder: Recorder,
    pub(crate) outbox: Outbox,
    pub(crate) metrics: Arc<Metrics>,
    /// The key against cross-site requests.
    pub(crate) xrfkey: String,
    pub(crate) stop: CancellationToken,
}

/// One endpoint, with what is remembered about it between its polls.
#[derive(Debug)]
pub(crate) struct Poller {
    target: Mutex<Arc<Target>>,
    suspicion: Suspicion,
    gap: Gap,
    site: Arc<Site>,
}

/// What is asked at a tick.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    headers: HeaderMap,
}

impl Poller {
    pub(crate) fn new(endpoint: Endpoint, site: Arc<Site>) -> Self {
        Self {
            target: Mutex::new(Arc::new(Target::of(endpoint, &site))),
            suspicion: Suspicion::default(),
            gap: Gap::default(),
            site,
        }
    }

    /// What the next tick asks.
    pub(crate) fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks something else from the next tick on, under the same key; says whether it is different.
    pub(crate) fn replace(&self, endpoint: Endpoint) -> bool {
        if self.target().endpoint == endpoint {
            return false;
        }
        let target = Arc::new(Target::of(endpoint, &self.site));
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
        self.suspicion.set(false);
        true
    }

    /// Tells of the ticks that were open when the process before this one was killed.
    pub(crate) async fn interrupted(&self, open: &OpenTick) {
        let message = "the collector was stopped while the poll was open";
        let ended = Ended {
            time: open.sent,
            scheduled: open.sent,
            duration: Duration::ZERO,
            bytes: None,
            ticks: open.ticks,
            settles: true,
            result: Err(Failure::new(Category::INTERRUPTED, message)),
        };
        self.site.recorder.record(&self.target().endpoint, &self.gap, ended).await;
    }

    /// Tells what the outbox did not take, as far as it takes it now.
    pub(crate) async fn close(&self) {
        self.site.recorder.close(&self.target().endpoint, &self.gap).await;
    }

    /// The end of ticks for which no request was sent.
    async fn unsent(&self, target: &Target, tick: Tick, ticks: u64, failure: Failure) {
        let ended = Ended {
            time: self.site.clock.tick(tick.scheduled),
            scheduled: tick.scheduled,
            duration: Duration::ZERO,
            bytes: None,
            ticks,
            // The mark is that of the poll before, which may still run.
            settles: false,
            result: Err(failure),
        };
        self.site.recorder.record(&target.endpoint, &self.gap, ended).await;
    }

    async fn send(&self, target: &Target, tick: Tick) -> Result<Ended, Failure> {
        let (site, endpoint) = (&self.site, &target.endpoint);
        let permit = tokio::select! {
            biased;
            permit = site.permits.acquire(&self.suspicion) => permit,
            () = site.stop.cancelled() => None,
        };
        let Some(permit) = permit else {
            let message = "the collector was stopped before the request could be sent";
            return Err(Failure::new(Category::INTERRUPTED, message));
        };
        let client = site.clients.client(&endpoint.verification)?;
        let request = Request {
            url: &endpoint.url,
            headers: &target.headers,
            timeout: endpoint.timeout,
            limit: sources::limit(endpoint.source),
            host: &endpoint.host,
            server: endpoint.verified_as.as_deref(),
        };
        let time = site.clock.now();
        site.outbox.tick_started(&endpoint.key, time).await;
        let sent = Instant::now();
        site.metrics.sent(sent.saturating_duration_since(tick.due));
        let verification = &endpoint.verification;
        let answer = http::get(&site.clients, &client, verification, &request).await;
        let duration = sent.elapsed();
        drop(permit);
        let timed_out = |failure: &Failure| failure.category == Category::TIMEOUT;
        self.suspicion.set(answer.as_ref().err().is_some_and(timed_out));
        site.metrics.polled(endpoint.source, duration);
        let bytes = answer.as_ref().ok().map(|body| body.len() as u64);
        let decode = |body: bytes::Bytes| site.meaning.decode(endpoint.source, &body);
        Ok(Ended {
            time,
            scheduled: tick.scheduled,
            duration,
            bytes,
            ticks: 1,
            settles: true,
            result: answer.and_then(decode),
        })
    }
}

impl Target {
    fn of(endpoint: Endpoint, site: &Site) -> Self {
        Self { headers: request::headers(&endpoint, &site.xrfkey), endpoint }
    }
}

impl Work for Poller {
    async fn poll(self: Arc<Self>, tick: Tick) {
        let target = self.target();
        match self.send(&target, tick).await {
            Ok(ended) => self.site.recorder.record(&target.endpoint, &self.gap, ended).await,
            Err(failure) => self.unsent(&target, tick, 1, failure).await,
        }
    }

    async fn skip(&self, tick: Tick, ticks: u64, why: Skipped) {
        let message = match why {
            Skipped::Busy => "the poll before still waits or runs",
            Skipped::Stalled => "the collector stood still while it was due",
        };
        let failure = Failure::new(Category::SKIPPED, message);
        self.unsent(&self.target(), tick, ticks, failure).await;
    }
}
