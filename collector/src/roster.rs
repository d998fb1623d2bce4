//! Who is polled now: a poller and a schedule for each endpoint, and how a change reaches them.
//!
//! Between the run and the schedules. A change is given as the whole list of endpoints; what is
//! the same goes on untouched. An endpoint that is another one under the same key keeps its
//! schedule and is asked anew at its next tick; one that is gone gets no tick more, its poll in hand
//! ends, and then it is forgotten. So every tick has its one outcome through all changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use shared::event::Source;
use shared::outbox::OpenTick;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::endpoint::Endpoint;
use crate::poll::{Poller, Site};
use crate::rhythm::Rhythm;
use crate::schedule;

/// The endpoints that are polled.
#[derive(Debug)]
pub(crate) struct Roster {
    site: Arc<Site>,
    members: BTreeMap<String, Member>,
    schedules: JoinSet<Schedule>,
    /// Those whose last poll may still run.
    leaving: BTreeMap<String, JoinHandle<()>>,
    /// Ticks of an earlier process, which no endpoint has told yet.
    open_ticks: Vec<OpenTick>,
}

/// An endpoint that is polled.
#[derive(Debug)]
struct Member {
    poller: Arc<Poller>,
    stop: CancellationToken,
    /// Its schedule and its polls.
    tasks: TaskTracker,
}

/// How a schedule ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schedule {
    /// It was stopped.
    Stopped,
    /// It ended by itself, which it never should.
    Ended,
}

/// How many endpoints a change concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
}

impl Roster {
    /// Nobody yet; `open_ticks` are those that an earlier process left without an outcome.
    pub(crate) fn new(site: Arc<Site>, open_ticks: Vec<OpenTick>) -> Self {
        Self {
            site,
            members: BTreeMap::new(),
            schedules: JoinSet::new(),
            leaving: BTreeMap::new(),
            open_ticks,
        }
    }

    /// Polls these endpoints from now on, and no others. Ticks that an earlier process left open
    /// are told before their endpoint is polled again.
    pub(crate) async fn apply(&mut self, endpoints: Vec<Endpoint>) -> Changes {
        let mut changes = Changes::default();
        self.site.recorder.polls(&endpoints);
        let wanted: BTreeSet<&str> = endpoints.iter().map(|one| one.key.as_str()).collect();
        let gone = self.members.keys().filter(|key| !wanted.contains(key.as_str()));
        for key in gone.cloned().collect::<Vec<_>>() {
            self.dismiss(key);
            changes.removed += 1;
        }
        let mut added = Vec::new();
        for endpoint in endpoints {
            match self.members.get(&endpoint.key) {
                Some(member) => changes.changed += usize::from(self.replace(member, endpoint)),
                None => added.push(Arc::new(Poller::new(endpoint, Arc::clone(&self.site)))),
            }
        }
        changes.added = added.len();
        self.see_off(&added).await;
        self.tell_interrupted(&added).await;
        self.begin(&added);
        let intervals = self.members.values().map(|one| one.poller.target().endpoint.interval);
        self.site.metrics.polls_every(intervals.max());
        if changes.removed > 0 || changes.changed > 0 {
            self.forget_certificates();
        }
        changes
    }

    /// Forgets what the servers presented that are polled no more: nobody is to be warned of it.
    fn forget_certificates(&self) {
        let targets = self.members.values().map(|member| member.poller.target());
        let hosts: BTreeSet<String> =
            targets.filter_map(|target| Some(target.endpoint.url.host_str()?.to_owned())).collect();
        self.site.metrics.presented().keep(|host| hosts.contains(host));
    }

    /// Settles the open ticks of endpoints that are not polled any more.
    pub(crate) async fn settle_unknown(&mut self) {
        let mut settling = JoinSet::new();
        for tick in std::mem::take(&mut self.open_ticks) {
            warn!(
                endpoint = tick.endpoint,
                ticks = tick.ticks,
                "Polls were open when the collector was stopped, and the endpoint is polled no longer."
            );
            let outbox = self.site.outbox.clone();
            // Together, so that they share a commit.
            settling.spawn(async move {
                if let Err(error) = outbox.append(Vec::new(), Some(&tick.endpoint)).await {
                    warn!(%error, "The mark of an open poll cannot be settled.");
                }
            });
        }
        while settling.join_next().await.is_some() {}
    }

    /// Waits until a schedule ends by itself, which is a fault; for ever when none does.
    pub(crate) async fn fault(&mut self) {
        loop {
            match self.schedules.join_next().await {
                Some(Ok(Schedule::Stopped)) => {}
                Some(Ok(Schedule::Ended) | Err(_)) => return,
                None => std::future::pending().await,
            }
        }
    }

    /// Lets the polls in hand end for so long, once ticking was stopped, and tells what the outbox
    /// did not take.
    pub(crate) async fn drain(self, grace: Duration) {
        let ending = async {
            for member in self.members.values() {
                member.tasks.close();
                member.tasks.wait().await;
            }
            for leaving in self.leaving.into_values() {
                // One that panicked has ended too.
                let _ended = leaving.await;
            }
        };
        if tokio::time::timeout(grace, ending).await.is_err() {
            let open = self.members.values().filter(|member| !member.tasks.is_empty()).count();
            warn!(
                open,
                "Polls are still open after half of shutdownGrace; the next start tells of them."
            );
        }
        for member in self.members.values() {
            member.poller.close().await;
        }
    }

    fn replace(&self, member: &Member, endpoint: Endpoint) -> bool {
        let key = endpoint.key.clone();
        let is_other = member.poller.replace(endpoint);
        if is_other {
            self.site.recorder.forget(&key);
        }
        is_other
    }

    /// Stops the schedule of an endpoint, and forgets it when its poll in hand has ended.
    fn dismiss(&mut self, key: String) {
        let Some(Member { poller, stop, tasks }) = self.members.remove(&key) else { return };
        stop.cancel();
        let site = Arc::clone(&self.site);
        let farewell = async move {
            tasks.close();
            tasks.wait().await;
            poller.close().await;
            site.recorder.forget(&poller.target().endpoint.key);
        };
        self.leaving.retain(|_, leaving| !leaving.is_finished());
        self.leaving.insert(key, tokio::spawn(farewell));
    }

    /// Waits for those who are still leaving and are back already: no two polls of one endpoint
    /// overlap, and the mark of the one is not settled by the other.
    async fn see_off(&mut self, added: &[Arc<Poller>]) {
        for poller in added {
            let Some(leaving) = self.leaving.remove(&poller.target().endpoint.key) else {
                continue;
            };
            tokio::select! {
                _ended = leaving => {}
                () = self.site.stop.cancelled() => return,
            }
        }
    }

    /// Tells of the ticks that were open when the process before this one was killed.
    async fn tell_interrupted(&mut self, added: &[Arc<Poller>]) {
        let mut telling = JoinSet::new();
        self.open_ticks.retain(|tick| {
            let same = |poller: &&Arc<Poller>| poller.target().endpoint.key == tick.endpoint;
            let Some(poller) = added.iter().find(same).cloned() else { return true };
            let tick = tick.clone();
            // Together, so that they share a commit.
            telling.spawn(async move { poller.interrupted(&tick).await });
            false
        });
        while telling.join_next().await.is_some() {}
    }

    /// Begins a schedule for each; those of one API share an interval and are spread over it.
    fn begin(&mut self, added: &[Arc<Poller>]) {
        let targets: Vec<_> = added.iter().map(|poller| poller.target()).collect();
        let connections: BTreeSet<(Source, &str)> = targets
            .iter()
            .map(|target| (target.endpoint.source, target.endpoint.host.as_str()))
            .collect();
        let mut totals: BTreeMap<Source, usize> = BTreeMap::new();
        for target in &targets {
            *totals.entry(target.endpoint.source).or_default() += 1;
        }
        let mut begun: BTreeMap<Source, usize> = BTreeMap::new();
        let start = Instant::now();
        for (poller, target) in added.iter().zip(&targets) {
            let Endpoint { source, interval, key, .. } = &target.endpoint;
            let index = begun.entry(*source).or_default();
            let total = totals.get(source).copied().unwrap_or(1);
            let rhythm = Rhythm::new(*interval, *index, total, connections.len());
            *index += 1;
            let member = Member {
                poller: Arc::clone(poller),
                stop: self.site.stop.child_token(),
                tasks: TaskTracker::new(),
            };
            let (tasks, stop) = (member.tasks.clone(), member.stop.clone());
            let kept = schedule::keep(Arc::clone(poller), rhythm, start, tasks, stop.clone());
            self.schedules.spawn(member.tasks.track_future(async move {
                kept.await;
                if stop.is_cancelled() { Schedule::Stopped } else { Schedule::Ended }
            }));
            self.members.insert(key.clone(), member);
        }
    }
}
