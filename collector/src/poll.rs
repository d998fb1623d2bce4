//! One endpoint at work: from a tick to its one outcome.
//!
//! The order matters: a permit first, so that lateness shows the wait; then the mark in the
//! outbox, so that a kill during the request is found at the next start; then the request. The
//! permit is given back before the outcome is written.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use shared::event::{Category, Source};
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
    pub(crate) stop: CancellationToken,
}

/// One endpoint, with what is remembered about it between its polls.
#[derive(Debug)]
pub(crate) struct Poller {
    endpoint: Endpoint,
    headers: HeaderMap,
    suspicion: Suspicion,
    gap: Gap,
    site: Arc<Site>,
}

impl Poller {
    pub(crate) fn new(endpoint: Endpoint, xrfkey: &str, site: Arc<Site>) -> Self {
        Self {
            headers: request::headers(&endpoint, xrfkey),
            endpoint,
            suspicion: Suspicion::default(),
            gap: Gap::default(),
            site,
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
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
        self.site.recorder.record(&self.endpoint, &self.gap, ended).await;
    }

    /// Tells what the outbox did not take, as far as it takes it now.
    pub(crate) async fn close(&self) {
        self.site.recorder.close(&self.endpoint, &self.gap).await;
    }

    /// The end of ticks for which no request was sent.
    async fn unsent(&self, tick: Tick, ticks: u64, failure: Failure) {
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
        self.site.recorder.record(&self.endpoint, &self.gap, ended).await;
    }

    async fn send(&self, tick: Tick) -> Result<Ended, Failure> {
        let site = &self.site;
        let permit = tokio::select! {
            biased;
            permit = site.permits.acquire(&self.suspicion) => permit,
            () = site.stop.cancelled() => None,
        };
        let Some(permit) = permit else {
            let message = "the collector was stopped before the request could be sent";
            return Err(Failure::new(Category::INTERRUPTED, message));
        };
        let client = site.clients.client(&self.endpoint.verification)?;
        let request = Request {
            url: &self.endpoint.url,
            headers: &self.headers,
            timeout: self.endpoint.timeout,
            limit: sources::limit(self.endpoint.source),
            host: &self.endpoint.host,
            server: self.endpoint.verified_as.as_deref(),
        };
        let time = site.clock.now();
        site.outbox.tick_started(&self.endpoint.key, time).await;
        let sent = Instant::now();
        site.metrics.sent(sent.saturating_duration_since(tick.due));
        let verification = &self.endpoint.verification;
        let answer = http::get(&site.clients, &client, verification, &request).await;
        let duration = sent.elapsed();
        drop(permit);
        let timed_out = |failure: &Failure| failure.category == Category::TIMEOUT;
        self.suspicion.set(answer.as_ref().err().is_some_and(timed_out));
        site.metrics.polled(self.endpoint.source, duration);
        let bytes = answer.as_ref().ok().map(|body| body.len() as u64);
        let decode = |body: bytes::Bytes| site.meaning.decode(self.endpoint.source, &body);
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

impl Work for Poller {
    async fn poll(self: Arc<Self>, tick: Tick) {
        match self.send(tick).await {
            Ok(ended) => self.site.recorder.record(&self.endpoint, &self.gap, ended).await,
            Err(failure) => self.unsent(tick, 1, failure).await,
        }
    }

    async fn skip(&self, tick: Tick, ticks: u64, why: Skipped) {
        let message = match why {
            Skipped::Busy => "the poll before still waits or runs",
            Skipped::Stalled => "the collector stood still while it was due",
        };
        self.unsent(tick, ticks, Failure::new(Category::SKIPPED, message)).await;
    }
}

/// How many connections the first round makes: one for each host of an API.
pub(crate) fn connections(pollers: &[Arc<Poller>]) -> usize {
    let hosts: std::collections::BTreeSet<(Source, &str)> = pollers
        .iter()
        .map(|poller| (poller.endpoint.source, poller.endpoint.host.as_str()))
        .collect();
    hosts.len()
}
