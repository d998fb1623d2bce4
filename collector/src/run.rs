//! The collector as a whole: endpoints from the configuration, the roster that polls them, and the
//! end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shared::config::{Config, UserIds};
use shared::envelope::Origin;
use shared::outbox::Outbox;
use shared::readiness::{Dependency, Readiness};
use shared::timestamp::PollClock;
use shared::tls::Verification;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::discovery::{Asker, Follower, Kept, Node};
use crate::endpoint::{self, BadHost, Endpoint};
use crate::failing::Failing;
use crate::http::{ClientSettings, Clients};
use crate::latest::Latest;
use crate::metrics::Metrics;
use crate::permits::Permits;
use crate::plan::Plan;
use crate::poll::Site;
use crate::recorder::{Recorder, RecorderParts};
use crate::roster::{Changes, Roster};
use crate::sources::{Meaning, request};

/// Of `shutdownGrace`, the share that polls in hand may use; the rest is for what follows them:
/// publishing, storing and acks.
const POLLS_SHARE: f64 = 0.5;
/// The dependency that the outbox is reported as.
const OUTBOX: &str = "outbox";

/// The dependency that the repository is reported as, where servers are discovered.
const REPOSITORY: &str = "repository";

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

impl RunError {
    fn host(bad: BadHost) -> Self {
        Self::Host(bad.into())
    }
}

/// Polls until `shutdown`; then lets the polls in hand end, and returns when their events are in
/// the outbox or the grace is over.
///
/// # Errors
/// The configuration cannot be polled, or a task ended by itself.
pub async fn run(context: CollectorContext, shutdown: CancellationToken) -> Result<(), RunError> {
    let CollectorContext { config, outbox, origin, readiness, metrics, latest } = context;
    let xrfkey = request::xrfkey();
    let mut plan = Plan::new(&config, &xrfkey);
    let search = Search::begin(&config, &outbox, &readiness).await?;
    let known = search.as_ref().and_then(|search| search.known.as_deref());
    let planned = plan.with(known).map_err(RunError::host)?;
    plan.announce(&planned);

    let stop = shutdown.child_token();
    // Polls in hand outlive the end of ticking, and need the clients until they are done.
    let done = CancellationToken::new();
    let _done_at_return = done.clone().drop_guard();
    let failing = Arc::new(Failing::default());
    let meaning = Arc::new(meaning(&config));
    let site = Arc::new(Site {
        clients: Clients::start(
            client_settings(&config, &planned.endpoints, &metrics),
            done.clone(),
        )
        .await,
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
        metrics: Arc::clone(&metrics),
        xrfkey,
        stop: stop.clone(),
    });
    let mut roster = Roster::new(Arc::clone(&site), outbox.open_ticks().to_vec());
    metrics.discovery().polls(planned.found);
    roster.apply(planned.endpoints).await;
    let (found, mut changes) = mpsc::channel(1);
    let mut following = JoinSet::new();
    if let Some(search) = search {
        // Whose open ticks nobody tells is known when the repository has said who is there.
        search.follow(&mut following, &site, found);
    } else {
        roster.settle_unknown().await;
    }
    tokio::spawn(async move { failing.summarize(done).await });
    let ended = loop {
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            () = roster.fault() => break Err(RunError::TaskEnded),
            Some(_ended) = following.join_next() => break Err(RunError::TaskEnded),
            Some(nodes) = changes.recv() => follow(&mut plan, &mut roster, &nodes, &metrics).await,
        }
    };
    let ended = if stop.is_cancelled() { Ok(()) } else { ended };
    stop.cancel();
    roster.drain(config.shutdown_grace.mul_f64(POLLS_SHARE)).await;
    ended
}

/// Polls what the repository told of from now on.
async fn follow(plan: &mut Plan, roster: &mut Roster, nodes: &[Node], metrics: &Metrics) {
    let planned = match plan.with(Some(nodes)) {
        Ok(planned) => planned,
        Err(error) => {
            // Hosts that make no URL were left out when the answer was read.
            error!(%error, "What the repository told of cannot be polled; nothing is changed.");
            return;
        }
    };
    metrics.discovery().polls(planned.found);
    let endpoints = planned.endpoints.len();
    let Changes { added, changed, removed } = roster.apply(planned.endpoints).await;
    roster.settle_unknown().await;
    if added + changed + removed > 0 {
        info!(
            added,
            changed,
            removed,
            endpoints,
            servers = planned.found,
            "The repository told of other nodes than before: what is polled has changed."
        );
    }
}

/// The servers that are found besides those of the file.
#[derive(Debug)]
struct Search {
    asker: Asker,
    kept: Kept,
    /// The nodes of the last good answer, of an earlier process.
    known: Option<Vec<Node>>,
    interval: Duration,
    dependency: Dependency,
}

impl Search {
    /// Where the configuration asks for it; with what was kept of before.
    async fn begin(
        config: &Config,
        outbox: &Outbox,
        readiness: &Readiness,
    ) -> Result<Option<Self>, RunError> {
        let Some(discovery) = &config.collector.discovery else { return Ok(None) };
        let dependency = readiness.dependency(REPOSITORY);
        let asker = Asker::new(config, discovery).map_err(RunError::host)?;
        let kept = Kept::new(outbox.directory(), &asker.endpoint().host);
        let reading = kept.clone();
        // A file may wait for its disk, which a runtime thread should not.
        let known = match tokio::task::spawn_blocking(move || reading.read()).await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                warn!(%error, "The servers that were found before are not known.");
                None
            }
            Err(_panicked) => None,
        };
        Ok(Some(Self { asker, kept, known, interval: discovery.interval, dependency }))
    }

    /// Begins to ask the repository.
    fn follow(self, following: &mut JoinSet<()>, site: &Arc<Site>, found: mpsc::Sender<Vec<Node>>) {
        let follower = Follower {
            asker: self.asker,
            kept: self.kept,
            interval: self.interval,
            dependency: self.dependency,
            metrics: site.metrics.discovery().clone(),
            site: Arc::clone(site),
            found,
        };
        following.spawn(follower.run(self.known, site.stop.clone()));
    }
}

fn meaning(config: &Config) -> Meaning {
    let sessions = config.collector.sessions.as_ref();
    let excluded = sessions.map_or(&[][..], |sessions| &sessions.exclude);
    // User names occur in sessions alone.
    let user_ids = sessions.map_or(&UserIds::Drop, |_| &config.collector.user_ids);
    Meaning::new(excluded, user_ids)
        .keeping_lists(config.collector.predecessor_topics.is_some())
        .showing_users(config.collector.http.show_users)
}

fn client_settings(config: &Config, endpoints: &[Endpoint], metrics: &Metrics) -> ClientSettings {
    let collector = &config.collector;
    let mut verifications: BTreeSet<Verification> =
        endpoints.iter().map(|endpoint| endpoint.verification.clone()).collect();
    let mut intervals: Vec<Duration> = endpoints.iter().map(|one| one.interval).collect();
    if collector.discovery.is_some() {
        // What is found later is polled with the same clients. The repository is asked so rarely
        // that a handshake each time is no cost.
        verifications.append(&mut endpoint::verifications(collector));
        intervals.push(collector.health_interval);
        intervals.extend(collector.sessions.as_ref().map(|sessions| sessions.interval));
    }
    ClientSettings {
        certificates: collector.certificates.clone(),
        verifications,
        longest_interval: intervals.into_iter().max().unwrap_or_default(),
        presented: metrics.presented().clone(),
    }
}
