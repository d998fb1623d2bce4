//! The collector as a whole: endpoints from the configuration, a task for each, and the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use shared::config::{Config, UserIds};
use shared::envelope::Origin;
use shared::event::Source;
use shared::outbox::{OpenTick, Outbox};
use shared::readiness::Readiness;
use shared::timestamp::PollClock;
use shared::tls::Verification;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::endpoint::{BadHost, Endpoint, endpoints, is_address};
use crate::failing::Failing;
use crate::http::{ClientSettings, Clients};
use crate::latest::Latest;
use crate::metrics::Metrics;
use crate::permits::Permits;
use crate::poll::{Poller, Site, connections};
use crate::recorder::{Recorder, RecorderParts};
use crate::rhythm::Rhythm;
use crate::schedule;
use crate::sources::{Meaning, request};

/// Of `shutdownGrace`, the share that polls in hand may use; the rest is for what follows them:
/// publishing, storing and acks.
const POLLS_SHARE: f64 = 0.5;
/// The dependency that the outbox is reported as.
const OUTBOX: &str = "outbox";

/// What the collector works with.
#[derive(Debug)]
pub struct CollectorContext {
    /// The configuration.
    pub config: Arc<Config>,
    /// Where outcomes go.
    pub outbox: Outbox,
    /// Who the events are from.
    pub origin: Origin,
    /// Where it is reported whether the outbox takes events.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where the site's last answers and every outcome are shown.
    pub latest: Arc<Latest>,
}

/// Why the collector cannot run, or stopped by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The configuration names a host that cannot be polled.
    #[error("the configuration names a host that cannot be polled")]
    Host(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A task ended that never should.
    #[error("the task that polls an endpoint ended by itself")]
    TaskEnded,
}

/// Polls until `shutdown`; then lets the polls in hand end, and returns when their events are in
/// the outbox or the grace is over.
///
/// # Errors
/// The configuration cannot be polled, or a task ended by itself.
pub async fn run(context: CollectorContext, shutdown: CancellationToken) -> Result<(), RunError> {
    let CollectorContext { config, outbox, origin, readiness, metrics, latest } = context;
    let xrfkey = request::xrfkey();
    let endpoints = endpoints(&config.collector, &config.broker.topic_prefix, &xrfkey)
        .map_err(|error: BadHost| RunError::Host(error.into()))?;
    announce(&config, &endpoints);

    let stop = shutdown.child_token();
    // Polls in hand outlive the end of ticking, and need the clients until they are done.
    let done = CancellationToken::new();
    let _done_at_return = done.clone().drop_guard();
    let failing = Arc::new(Failing::default());
    let meaning = Arc::new(meaning(&config));
    let site = Arc::new(Site {
        clients: Clients::start(client_settings(&config, &endpoints, &metrics), done.clone()).await,
        permits: Permits::new(config.collector.max_concurrent_polls),
        clock: PollClock::default(),
        recorder: Recorder::new(RecorderParts {
            outbox: outbox.clone(),
            origin,
            metrics: Arc::clone(&metrics),
            meaning: Arc::clone(&meaning),
            failing: Arc::clone(&failing),
            latest,
            dependency: readiness.dependency(OUTBOX),
        }),
        meaning,
        outbox: outbox.clone(),
        metrics,
        stop: stop.clone(),
    });
    let pollers: Vec<Arc<Poller>> = endpoints
        .into_iter()
        .map(|endpoint| Arc::new(Poller::new(endpoint, &xrfkey, Arc::clone(&site))))
        .collect();
    tell_interrupted(&outbox, &pollers).await;

    let polls = TaskTracker::new();
    let mut tasks = begin(&pollers, &polls, &stop);
    tokio::spawn(async move { failing.summarize(done).await });
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        Some(_ended) = tasks.join_next() => {
            if stop.is_cancelled() { Ok(()) } else { Err(RunError::TaskEnded) }
        }
    };
    stop.cancel();
    drain(tasks, &polls, config.shutdown_grace.mul_f64(POLLS_SHARE)).await;
    for poller in &pollers {
        poller.close().await;
    }
    ended
}

/// Begins a task for each endpoint; those of one API share an interval and are spread over it.
fn begin(pollers: &[Arc<Poller>], polls: &TaskTracker, stop: &CancellationToken) -> JoinSet<()> {
    let connections = connections(pollers);
    let mut totals: BTreeMap<Source, usize> = BTreeMap::new();
    for poller in pollers {
        *totals.entry(poller.endpoint().source).or_default() += 1;
    }
    let mut begun: BTreeMap<Source, usize> = BTreeMap::new();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for poller in pollers {
        let source = poller.endpoint().source;
        let index = begun.entry(source).or_default();
        let total = totals.get(&source).copied().unwrap_or(1);
        let rhythm = Rhythm::new(poller.endpoint().interval, *index, total, connections);
        *index += 1;
        let poller = Arc::clone(poller);
        tasks.spawn(schedule::keep(poller, rhythm, start, polls.clone(), stop.clone()));
    }
    tasks
}

async fn drain(mut tasks: JoinSet<()>, polls: &TaskTracker, grace: Duration) {
    polls.close();
    let ending = async {
        while tasks.join_next().await.is_some() {}
        polls.wait().await;
    };
    if tokio::time::timeout(grace, ending).await.is_err() {
        warn!(
            open = polls.len(),
            "Polls are still open after half of shutdownGrace; the next start tells of them."
        );
    }
}

/// Tells of the ticks that were open when the process before this one was killed.
async fn tell_interrupted(outbox: &Outbox, pollers: &[Arc<Poller>]) {
    let mut telling = JoinSet::new();
    for tick in outbox.open_ticks() {
        let poller = pollers.iter().find(|poller| poller.endpoint().key == tick.endpoint);
        let (poller, outbox, tick) = (poller.cloned(), outbox.clone(), tick.clone());
        // Together, so that they share a commit.
        telling.spawn(async move {
            match poller {
                Some(poller) => poller.interrupted(&tick).await,
                None => settle_unknown(&outbox, &tick).await,
            }
        });
    }
    while telling.join_next().await.is_some() {}
}

async fn settle_unknown(outbox: &Outbox, tick: &OpenTick) {
    warn!(
        endpoint = tick.endpoint,
        ticks = tick.ticks,
        "Polls were open when the collector was stopped, and the endpoint is no longer configured."
    );
    if let Err(error) = outbox.append(Vec::new(), Some(&tick.endpoint)).await {
        warn!(%error, "The mark of an open poll cannot be settled.");
    }
}

fn meaning(config: &Config) -> Meaning {
    let sessions = config.collector.sessions.as_ref();
    let excluded = sessions.map_or(&[][..], |sessions| &sessions.exclude);
    // User names occur in sessions alone.
    let user_ids = sessions.map_or(&UserIds::Drop, |_| &config.collector.user_ids);
    Meaning::new(excluded, user_ids)
}

fn client_settings(config: &Config, endpoints: &[Endpoint], metrics: &Metrics) -> ClientSettings {
    ClientSettings {
        certificates: config.collector.certificates.clone(),
        verifications: endpoints.iter().map(|endpoint| endpoint.verification.clone()).collect(),
        longest_interval: endpoints
            .iter()
            .map(|endpoint| endpoint.interval)
            .max()
            .unwrap_or_default(),
        presented: metrics.presented().clone(),
    }
}

/// Says at start what an operator should know about what is polled.
fn announce(config: &Config, endpoints: &[Endpoint]) {
    let collector = &config.collector;
    info!(servers = collector.servers.len(), endpoints = endpoints.len(), "Polling begins.",);
    if !collector.reject_unauthorized {
        warn!(
            "rejectUnauthorized is false: no certificate of Qlik Sense is verified, and anyone in \
             the network can pretend to be a server. Set it to true, and cert.clientCertCA to the \
             site's root.pem."
        );
    }
    let unverified: BTreeSet<&str> = endpoints
        .iter()
        .filter(|endpoint| endpoint.verification == Verification::None)
        .map(|endpoint| endpoint.host.as_str())
        .collect();
    if let Some(first) = unverified.first()
        && collector.reject_unauthorized
    {
        warn!(
            hosts = unverified.len(),
            "Certificates are not verified at all with verify: none, {first} for one: anyone in the \
             network can pretend to be that server.",
        );
    }
    let mut lowered = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.timeout < collector.poll_timeout) {
        lowered.insert(endpoint.source.name(), endpoint.timeout);
    }
    for (source, timeout) in lowered {
        let timeout = timeout.as_millis();
        info!(source, "pollTimeout is lowered to {timeout} ms, nine tenths of the interval.");
    }
    let by_address: Vec<&str> = endpoints
        .iter()
        .filter(|endpoint| endpoint.verification == Verification::Chain)
        .filter(|endpoint| is_address(&endpoint.host))
        .map(|endpoint| endpoint.host.as_str())
        .collect();
    if let Some(first) = by_address.first() {
        info!(
            hosts = by_address.len(),
            "Hosts given as IP addresses, {first} for one, are verified by the chain of their \
             certificate alone; set collector.servers.<name>.tlsServerName to verify the name too.",
        );
    }
    let mut names = BTreeMap::new();
    for server in &collector.servers {
        *names.entry(server.name.as_str()).or_insert(0_usize) += 1;
    }
    for (name, number) in names.iter().filter(|(_, number)| **number > 1) {
        warn!(server = name, "{number} servers have this name; their subjects are numbered.");
    }
}
