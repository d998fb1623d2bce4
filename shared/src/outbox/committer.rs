//! The task that owns the outbox's database and commits in groups.
//!
//! A commit of events waits for the disk, and a disk does that only so often: events that come
//! within [`GROUP_WINDOW`] of the last such commit share the next one. After an idle time no event
//! waits, and marks, which need not survive the machine, never do. Settlements go along with what
//! is committed next: what a crash takes of them is delivered again, and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::kept::Kept;
use super::reserve::Reserve;
use super::store::{self, Durability, Store};
use super::{AppendError, Entry, OutboxSettings, Shared, Stored};
use crate::broker::Outgoing;
use crate::subject::Subject;
use crate::timestamp::Timestamp;

/// Commits of events begin at least this far apart.
const GROUP_WINDOW: Duration = Duration::from_millis(20);
/// How long a settlement waits for something to go along with: a commit of its own for each would be
/// a third of the work of polling. Long enough for the next poll of a site of twenty servers.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);
/// Commands in one commit: bounds its length, and what is lost to one that fails.
const GROUP_SIZE: usize = 1_024;
/// How often the front is looked at for events beyond their age.
const EXPIRY_CHECK: Duration = Duration::from_mins(1);
/// Events given up or deleted for their age at once, so that a commit does not become slow.
const DELETED_AT_ONCE: i64 = 10_000;
/// The part of the limit beyond which settled events are not kept any longer: a half.
const CROWDED_DIVISOR: u64 = 2;

#[derive(Debug)]
pub(super) enum Command {
    Append {
        items: Vec<Item>,
        endpoint: Option<String>,
        reply: oneshot::Sender<Result<(), AppendError>>,
    },
    TickStarted {
        endpoint: String,
        sent: Timestamp,
        reply: oneshot::Sender<()>,
    },
    Settle {
        through: i64,
        broker: Option<String>,
    },
    Flush {
        reply: oneshot::Sender<()>,
    },
}

/// What is appended.
#[derive(Debug)]
pub(super) enum Item {
    /// An event of this process, which is given its sequence here.
    New(Entry),
    /// An event that has one.
    Again(Outgoing),
}

#[derive(Debug)]
pub(super) struct Committer {
    store: Store,
    reserve: Reserve,
    shared: Arc<Shared>,
    max_bytes: u64,
    max_age: Option<Duration>,
    /// What is settled and stays; none when nothing does.
    kept: Option<Kept>,
    /// The sequence that the next event gets.
    next_sequence: u64,
    /// Settled, but perhaps not yet in the database.
    settled_through: i64,
    next_expiry_check: Instant,
}

/// A group of commands.
#[derive(Debug, Default)]
struct Group {
    /// In the order of the commands.
    steps: Vec<Step>,
    settle_through: Option<i64>,
    /// What is to be remembered of the broker.
    broker: Option<String>,
    /// When the settlements are committed at the latest.
    settle_by: Option<Instant>,
    /// Answered after the commit.
    flushes: Vec<oneshot::Sender<()>>,
}

#[derive(Debug)]
enum Step {
    Append(Append),
    Mark { endpoint: String, sent: Timestamp },
}

#[derive(Debug)]
struct Append {
    items: Vec<Item>,
    endpoint: Option<String>,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

impl Committer {
    pub(super) fn new(
        store: Store,
        reserve: Reserve,
        settings: &OutboxSettings,
        shared: Arc<Shared>,
    ) -> Self {
        let settled_through = shared.settled.load(Ordering::Relaxed);
        let window = settings.keep_settled;
        let kept = (!window.is_zero()).then(|| Kept::new(window, Instant::now(), settled_through));
        Self {
            store,
            reserve,
            shared,
            max_bytes: settings.max_bytes,
            max_age: settings.max_age,
            kept,
            next_sequence: 1,
            settled_through,
            next_expiry_check: Instant::now(),
        }
    }

    /// Commits until every handle is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut received = Vec::with_capacity(GROUP_SIZE);
        let mut waiting = Group::default();
        let mut window_ends = Instant::now();
        loop {
            let due = waiting.due(window_ends);
            let mut is_last = false;
            tokio::select! {
                count = commands.recv_many(&mut received, GROUP_SIZE) => {
                    is_last = count == 0;
                    if is_last && waiting.is_empty() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or(window_ends)), if due.is_some() => {}
            }
            let mut now = waiting.take_in(&mut received);
            let is_due = waiting.due(window_ends).is_some_and(|due| due <= Instant::now());
            if is_due || is_last || waiting.steps.len() >= GROUP_SIZE {
                now.append(std::mem::take(&mut waiting));
            } else if !now.is_empty() {
                now.append(waiting.take_settlements());
            }
            if now.is_empty() {
                continue;
            }
            if now.has_events() {
                window_ends = Instant::now() + GROUP_WINDOW;
            }
            let committed = tokio::task::spawn_blocking(move || {
                self.commit(now);
                self
            });
            match committed.await {
                Ok(owner) => self = owner,
                Err(error) => {
                    tracing::error!(%error, "The outbox stopped working; events are not taken.");
                    return;
                }
            }
        }
    }

    fn commit(&mut self, mut group: Group) {
        if let Some(through) = group.settle_through {
            self.settled_through = self.settled_through.max(through);
        }
        let steps = self.admit(std::mem::take(&mut group.steps));
        let broker = group.broker.as_deref();
        if let Err(error) = self.write(&steps, broker) {
            tracing::debug!(%error, "The outbox could not commit.");
            let is_full = store::is_full(&error);
            let marks = answer(steps, &Err(append_error(&error)));
            if is_full && self.reserve.release() {
                tracing::warn!(
                    "The outbox's disk is full; its reserve makes room for what leaves."
                );
            }
            // What leaves makes room, so it must not wait for what comes.
            if let Err(error) = self.write(&marks, broker) {
                tracing::debug!(%error, "The outbox could not settle.");
            }
            if is_full && let Err(error) = self.store.shrink() {
                tracing::debug!(%error, "The outbox could not give its room back.");
            }
        } else {
            answer(steps, &Ok(()));
        }
        for flushed in group.flushes {
            let _gone = flushed.send(());
        }
        if let Err(error) = self.store.give_back() {
            tracing::debug!(%error, "The outbox could not give back free pages.");
        }
    }

    /// Refuses what the outbox has no room for.
    fn admit(&mut self, steps: Vec<Step>) -> Vec<Step> {
        // The place of the reserve may be in the database itself, in pages that are free by now.
        if self.reserve.asks_now()
            && let Err(error) = self.store.shrink()
        {
            tracing::debug!(%error, "The outbox could not give its room back.");
        }
        if !self.reserve.is_held() && steps.iter().any(Step::has_events) {
            let full = AppendError::Full { why: "the disk has no room".to_owned() };
            return answer(steps, &Err(full));
        }
        let mut used = self.store.used_bytes();
        let mut admitted = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Append(append) if !append.fits(&mut used, self.max_bytes) => {
                    let why = format!("its limit of {} bytes is reached", self.max_bytes);
                    let _gone = append.reply.send(Err(AppendError::Full { why }));
                }
                step => admitted.push(step),
            }
        }
        admitted
    }

    /// Writes everything in one transaction, then tells the handles.
    fn write(&mut self, steps: &[Step], broker: Option<&str>) -> Result<(), rusqlite::Error> {
        let durability =
            if steps.iter().any(Step::has_events) { Durability::Disk } else { Durability::Process };
        let expire_before = self.expiry();
        let tapped = self.shared.taps.receiver_count() > 0;
        let mut sequence = self.next_sequence;
        let mut settled = self.settled_through;
        let mut last = *self.shared.committed.borrow();
        let mut taken = Vec::new();
        let mut expired = 0;
        let (kept, shared) = (&mut self.kept, &self.shared);
        // What is settled stays only as long as it takes no room from what is not.
        let crowded =
            !self.reserve.has_place() || self.store.used_bytes() > self.max_bytes / CROWDED_DIVISOR;
        self.store.transaction(durability, |transaction| {
            let now = Timestamp::now();
            for step in steps {
                let append = match step {
                    Step::Append(append) => append,
                    Step::Mark { endpoint, sent } => {
                        store::mark_tick(transaction, endpoint, *sent)?;
                        continue;
                    }
                };
                for item in &append.items {
                    let (subject, id, payload) = item.numbered(sequence);
                    last = store::insert(transaction, now, subject.as_topic(), &id, &payload)?;
                    sequence += u64::from(item.is_new());
                    if tapped {
                        let subject = subject.clone();
                        taken.push(Stored { position: last, subject, id, payload });
                    }
                }
                if let Some(endpoint) = &append.endpoint {
                    store::settle_ticks(transaction, endpoint)?;
                }
            }
            if let Some(moment) = expire_before
                && let Some(through) = store::older_than(transaction, moment, DELETED_AT_ONCE)?
                && through > settled
            {
                expired = through - settled;
                settled = through;
            }
            let Some(kept) = kept else {
                store::delete_through(transaction, settled)?;
                return Ok(());
            };
            store::remember_settled(transaction, settled, broker)?;
            let kept_long_enough = kept.settle(Instant::now(), settled);
            let needed_from = shared.needed_from.load(Ordering::Relaxed);
            let let_go =
                if crowded { settled } else { kept_long_enough.min(needed_from.saturating_sub(1)) };
            store::delete_some_through(transaction, let_go, DELETED_AT_ONCE)?;
            Ok(())
        })?;
        self.report(sequence, settled, last, expired);
        for stored in taken {
            let _nobody = self.shared.taps.send(stored);
        }
        Ok(())
    }

    fn expiry(&mut self) -> Option<Timestamp> {
        let max_age = self.max_age?;
        let now = Instant::now();
        if now < self.next_expiry_check {
            return None;
        }
        self.next_expiry_check = now + EXPIRY_CHECK;
        let age = i64::try_from(max_age.as_nanos()).unwrap_or(i64::MAX);
        Some(Timestamp::from_nanos(Timestamp::now().nanos().saturating_sub(age)))
    }

    fn report(&mut self, next_sequence: u64, settled: i64, last: i64, expired: i64) {
        let appended = next_sequence - self.next_sequence;
        self.next_sequence = next_sequence;
        self.settled_through = settled;
        self.shared.appended.fetch_add(appended, Ordering::Relaxed);
        self.shared.settled.store(settled.min(last), Ordering::Relaxed);
        self.shared
            .committed
            .send_if_modified(|committed| std::mem::replace(committed, last) != last);
        if expired > 0 {
            let count = u64::try_from(expired).unwrap_or(0);
            self.shared.expired.fetch_add(count, Ordering::Relaxed);
            tracing::error!(
                events = count,
                "Gave up events that nobody stored within the queue's maxAge; they are lost."
            );
        }
    }
}

impl Item {
    fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }

    fn size(&self) -> usize {
        match self {
            Self::New(entry) => entry.event.size(),
            Self::Again(event) => event.payload.len(),
        }
    }

    /// Subject, id and payload; a new event takes `sequence`.
    fn numbered(&self, sequence: u64) -> (&Subject, String, Bytes) {
        match self {
            Self::New(Entry { subject, event }) => {
                (subject, event.id().to_string(), event.clone().numbered(sequence))
            }
            Self::Again(Outgoing { subject, id, payload }) => {
                (subject, id.clone(), payload.clone())
            }
        }
    }
}

impl Append {
    /// Whether there is room for all entries; if so, counts them as `used`.
    fn fits(&self, used: &mut u64, max_bytes: u64) -> bool {
        let bytes: u64 = self.items.iter().map(|item| store::bytes_of(item.size())).sum();
        if bytes > 0 && used.saturating_add(bytes) > max_bytes {
            return false;
        }
        *used = used.saturating_add(bytes);
        true
    }
}

/// Answers the appends and gives back the other steps.
fn answer(steps: Vec<Step>, result: &Result<(), AppendError>) -> Vec<Step> {
    let mut others = Vec::new();
    for step in steps {
        match step {
            Step::Append(append) => {
                let _gone = append.reply.send(result.clone());
            }
            mark @ Step::Mark { .. } => others.push(mark),
        }
    }
    others
}

impl Group {
    /// Takes in commands: keeps those that share the next commit of events, and gives back those
    /// that need not wait for it.
    ///
    /// A mark may so overtake events, but none of its own endpoint: an endpoint's next tick begins
    /// after the events of the one before are on the disk.
    fn take_in(&mut self, commands: &mut Vec<Command>) -> Self {
        let mut at_once = Self::default();
        for command in commands.drain(..) {
            match command {
                Command::Append { items, endpoint, reply } => {
                    self.steps.push(Step::Append(Append { items, endpoint, reply }));
                }
                Command::TickStarted { endpoint, sent, reply } => {
                    at_once.steps.push(Step::Mark { endpoint, sent });
                    at_once.flushes.push(reply);
                }
                Command::Settle { through, broker } => {
                    self.settle_through = self.settle_through.max(Some(through));
                    self.broker = broker.or(self.broker.take());
                    self.settle_by.get_or_insert_with(|| Instant::now() + SETTLES_WITHIN);
                }
                // Behind the events that came before it.
                Command::Flush { reply } => self.flushes.push(reply),
            }
        }
        at_once
    }

    fn append(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.settle_through = self.settle_through.max(other.settle_through);
        self.broker = other.broker.or(self.broker.take());
        self.flushes.extend(other.flushes);
    }

    /// When it is to be committed.
    fn due(&self, window_ends: Instant) -> Option<Instant> {
        if self.steps.is_empty() && self.flushes.is_empty() {
            self.settle_by
        } else {
            Some(window_ends)
        }
    }

    /// What is settled, without what waits for the disk.
    fn take_settlements(&mut self) -> Self {
        self.settle_by = None;
        Self {
            settle_through: self.settle_through.take(),
            broker: self.broker.take(),
            ..Self::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.settle_through.is_none() && self.flushes.is_empty()
    }

    fn has_events(&self) -> bool {
        self.steps.iter().any(Step::has_events)
    }
}

impl Step {
    fn has_events(&self) -> bool {
        matches!(self, Self::Append(append) if !append.items.is_empty())
    }
}

fn append_error(error: &rusqlite::Error) -> AppendError {
    if store::is_full(error) {
        AppendError::Full { why: "the disk has no room".to_owned() }
    } else {
        AppendError::Unusable { why: error.to_string() }
    }
}
