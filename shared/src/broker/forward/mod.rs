//! From the outbox to a broker: publishes in order, settles what the broker has confirmed.
//!
//! Several events are on their way at once, but only the confirmed front is settled, so that a kill
//! at any moment means at most that some are published again. An event that the broker will never
//! take becomes a dead letter; everything else is tried until it is confirmed. When a broker begins
//! a new life that may have forgotten some of it, what is still kept is published again, in order
//! and before anything new.

mod forwarded;
mod progress;
mod rewind;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Confirmed, DeadLetter, DeadLetters, Life, Outgoing, PublishError, Publisher};
use crate::backoff::Backoff;
use crate::envelope::Place;
use crate::outbox::{OpenError, Outbox, OutboxReader, ReadError, Stored};
use crate::settlement::{Auditor, Resend};

pub use forwarded::Forwarded;
use forwarded::Step;
pub use progress::tell_progress;
use rewind::Rewind;

/// Events on their way at once: enough to hide a broker's latency, few enough to be sent again.
const WINDOW: usize = 256;
/// What makes the id of an event that is published again another one.
const AGAIN: &str = "-again";
/// Payloads on their way beyond which nothing more is read: ordinary events never come to it, and
/// of the largest ones the window would be 230 MB.
const MAX_BYTES: usize = 8 << 20;
/// A broker that restarts is back within seconds.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// Why forwarding cannot go on.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// The outbox cannot be opened for reading.
    #[error("the outbox cannot be opened for reading")]
    Open(#[from] OpenError),
    /// The outbox cannot be read.
    #[error("the outbox cannot be read")]
    Read(#[from] ReadError),
}

/// Publishes what the outbox holds.
pub struct Forwarder {
    outbox: Outbox,
    reader: OutboxReader,
    publisher: Arc<dyn Publisher>,
    refused: Arc<dyn DeadLetters>,
    forwarded: Arc<Forwarded>,
    /// Positions of events to publish again.
    resends: Option<Resend>,
    on_their_way: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("forwarded", &self.forwarded).finish_non_exhaustive()
    }
}

/// How far a forwarder has come.
struct Way {
    /// The life of the broker in which everything on its way was published.
    life: u64,
    /// The last position that was read in this life.
    position: i64,
    /// The last position that was ever settled: whatever is at or before it was confirmed once.
    front: i64,
    /// The last position that was ever handed to the broker.
    handed: i64,
    /// In the order of their positions.
    ends: FuturesOrdered<BoxFuture<'static, End>>,
}

/// How the way of one event ended.
enum End {
    /// Nothing is missing of it any more.
    Settled { position: i64, place: Option<Place>, step: Step },
    /// The program ends before the broker took it; it stays in the outbox.
    Held,
    /// It was missing, and the broker has it again.
    Resent,
}

impl Forwarder {
    /// Begins with what is not settled; `refused` keeps what the broker will never take.
    pub fn new(
        outbox: &Outbox,
        publisher: Arc<dyn Publisher>,
        refused: Arc<dyn DeadLetters>,
    ) -> Result<Self, ForwardError> {
        let reader = outbox.reader()?;
        let (outbox, forwarded) = (outbox.clone(), Arc::default());
        let on_their_way = Arc::default();
        Ok(Self { reader, publisher, refused, outbox, forwarded, resends: None, on_their_way })
    }

    /// Tells an auditor what is confirmed, and publishes again what it finds missing.
    #[must_use]
    pub fn audited(mut self, auditor: Arc<Auditor>, resends: Resend) -> Self {
        self.forwarded.audited_by(auditor);
        self.resends = Some(resends);
        self
    }

    /// What it has done.
    pub fn forwarded(&self) -> Arc<Forwarded> {
        Arc::clone(&self.forwarded)
    }

    /// Forwards until `shutdown`; then publishes what the outbox still holds, as long as the broker
    /// takes it at once. What is left stays in the outbox.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ForwardError> {
        let ended = self.forward(shutdown).await;
        self.publisher.close().await;
        self.outbox.flush().await;
        ended
    }

    async fn forward(&mut self, shutdown: CancellationToken) -> Result<(), ForwardError> {
        let mut lives = self.publisher.life();
        let mut way = Way::after(self.outbox.settled());
        let life = lives.borrow_and_update().clone();
        self.begin(&mut way, &life).await?;
        loop {
            let free = self.room(&way);
            let nothing_left = way.ends.is_empty() && self.reader.is_at_end(way.position);
            tokio::select! {
                biased;
                life = next(&mut lives) => self.begin(&mut way, &life).await?,
                Some(end) = way.ends.next(), if !way.ends.is_empty() => {
                    if self.settle(&mut way, end).await.is_break() {
                        return Ok(());
                    }
                }
                read = self.reader.read_after(way.position, free), if free > 0 => {
                    for stored in read? {
                        self.count_published(&mut way, stored.position);
                        way.position = stored.position;
                        way.ends.push_back(self.publish(stored, shutdown.clone()).boxed());
                    }
                },
                position = resend(&mut self.resends), if free > 0 => {
                    if let Some(stored) = self.kept(position).await? {
                        way.ends.push_back(self.publish_again(stored, shutdown.clone()).boxed());
                    }
                }
                // Something may have been appended while this waited.
                () = shutdown.cancelled(), if nothing_left => {
                    if self.reader.is_at_end(way.position) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// How many events may be read now.
    fn room(&self, way: &Way) -> usize {
        if self.on_their_way.load(Ordering::Relaxed) >= MAX_BYTES {
            return 0;
        }
        WINDOW - way.ends.len()
    }

    /// Begins anew in a life of the broker. What is on its way may have been confirmed in the one
    /// before, so it is published again like everything else that is not certain.
    async fn begin(&mut self, way: &mut Way, life: &Life) -> Result<(), ForwardError> {
        let rewind = Rewind::into(life, way.front, self.reader.last());
        way.ends = FuturesOrdered::new();
        way.life = life.number;
        way.position = rewind.from;
        if rewind.is_needed() {
            rewind.log(self.reader.first_after(rewind.from).await?);
        }
        Ok(())
    }

    /// Settles what has ended, together with everything behind it that has ended as well.
    async fn settle(&self, way: &mut Way, first: End) -> ControlFlow<()> {
        let mut confirmed = None;
        let mut flow = ControlFlow::Continue(());
        let mut ended = Some(first);
        while let Some(end) = ended {
            let (position, place, step) = match end {
                End::Settled { position, place, step } => (position, place, step),
                End::Resent => {
                    ended = way.ends.next().now_or_never().flatten();
                    continue;
                }
                End::Held => {
                    flow = ControlFlow::Break(());
                    break;
                }
            };
            if position > way.front {
                self.forwarded.count(step);
            }
            way.front = way.front.max(position);
            confirmed = Some(Confirmed { life: way.life, position, place });
            ended = way.ends.next().now_or_never().flatten();
        }
        if let Some(confirmed) = confirmed {
            if let Some(auditor) = self.forwarded.auditor() {
                self.outbox.keep_from(auditor.unsettled_from());
            }
            let broker = self.publisher.confirmed_through(confirmed);
            match broker {
                // Not before everything that was confirmed in an earlier life is so in this one: a
                // restart in between has to find out again.
                Some(broker) if confirmed.position >= way.front => {
                    self.outbox.settle_and_remember(confirmed.position, broker).await;
                }
                _ => self.outbox.settle_through(confirmed.position).await,
            }
        }
        flow
    }

    fn count_published(&self, way: &mut Way, position: i64) {
        if position <= way.front {
            self.forwarded.count(Step::Republished);
        } else if position > way.handed {
            self.forwarded.count(Step::Published);
        }
        way.handed = way.handed.max(position);
    }

    fn publish(
        &self,
        stored: Stored,
        shutdown: CancellationToken,
    ) -> impl Future<Output = End> + use<> {
        let publisher = Arc::clone(&self.publisher);
        let refused = Arc::clone(&self.refused);
        let forwarded = Arc::clone(&self.forwarded);
        let on_its_way = OnItsWay::new(&self.on_their_way, stored.payload.len());
        async move {
            let _until_it_ends = on_its_way;
            let Stored { position, subject, id, payload } = stored;
            let place = Place::of(&payload);
            let settled = |step| End::Settled { position, place, step };
            let kind = subject.kind();
            let outgoing = Outgoing { subject, id, payload };
            let mut failures = 0;
            loop {
                // An event that waited in a backoff is tried once more: the broker may be there.
                let is_last_try = shutdown.is_cancelled();
                let trouble = match publisher.publish(outgoing.clone()).await {
                    Ok(()) => {
                        forwarded.broker_lives();
                        if let (Some(auditor), Some(place)) = (forwarded.auditor(), place) {
                            auditor.confirmed(position, place, kind);
                        }
                        return settled(Step::Confirmed);
                    }
                    Err(PublishError::Refused { why }) => {
                        match refused.put(letter(&outgoing, &why)).await {
                            Ok(()) => {
                                tracing::error!(subject = %outgoing.subject, why, "The broker will never take an event; it lies in the dead letters.");
                                if let (Some(auditor), Some(place)) = (forwarded.auditor(), place) {
                                    auditor.refused(place, kind);
                                }
                                return settled(Step::Refused);
                            }
                            Err(error) => error.to_string(),
                        }
                    }
                    Err(PublishError::Unavailable { why }) => why,
                };
                failures += 1;
                tracing::debug!(subject = %outgoing.subject, failures, trouble, "An event waits.");
                if is_last_try {
                    return End::Held;
                }
                tokio::select! {
                    () = tokio::time::sleep(BACKOFF.wait(failures)) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }
}

impl Forwarder {
    /// An event that was confirmed and is still in the outbox.
    async fn kept(&mut self, position: i64) -> Result<Option<Stored>, ForwardError> {
        let before = position.saturating_sub(1);
        // Reading waits for an event, so it is asked first whether there is one.
        let first = self.reader.first_after(before).await?;
        let is_kept = first.is_some_and(|(first, _)| first == position);
        let found = if is_kept { self.reader.read_after(before, 1).await?.pop() } else { None };
        let found = found.filter(|kept| kept.position == position);
        if found.is_none()
            && let Some(auditor) = self.forwarded.auditor()
        {
            auditor.is_gone(position);
        }
        Ok(found)
    }

    /// Publishes an event that the broker had confirmed. Once: if that fails, it is found missing
    /// again.
    fn publish_again(
        &self,
        stored: Stored,
        shutdown: CancellationToken,
    ) -> impl Future<Output = End> + use<> {
        let publisher = Arc::clone(&self.publisher);
        let forwarded = Arc::clone(&self.forwarded);
        let on_its_way = OnItsWay::new(&self.on_their_way, stored.payload.len());
        async move {
            let _until_it_ends = on_its_way;
            let Stored { subject, id, payload, .. } = stored;
            // Another id than the first time: a broker that recognises repetitions would take it
            // for one.
            let outgoing = Outgoing { subject, id: format!("{id}{AGAIN}"), payload };
            tokio::select! {
                published = publisher.publish(outgoing) => match published {
                    Ok(()) => forwarded.count(Step::Republished),
                    Err(error) => tracing::debug!(%error, "A missing event waits."),
                },
                () = shutdown.cancelled() => {}
            }
            End::Resent
        }
    }
}

/// Waits for an event that is to be published again.
async fn resend(resends: &mut Option<Resend>) -> i64 {
    match resends {
        Some(resends) => match resends.recv().await {
            Some(position) => position,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Counts a payload for as long as it is on its way.
struct OnItsWay {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl OnItsWay {
    fn new(all: &Arc<AtomicUsize>, bytes: usize) -> Self {
        all.fetch_add(bytes, Ordering::Relaxed);
        Self { all: Arc::clone(all), bytes }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Way {
    fn after(settled: i64) -> Self {
        Self {
            life: 0,
            position: settled,
            front: settled,
            handed: settled,
            ends: FuturesOrdered::new(),
        }
    }
}

/// Waits for the broker's next life.
async fn next(lives: &mut watch::Receiver<Life>) -> Life {
    if lives.changed().await.is_err() {
        // Nobody can tell of another one.
        std::future::pending::<()>().await;
    }
    lives.borrow_and_update().clone()
}

fn letter(outgoing: &Outgoing, why: &str) -> DeadLetter {
    let subject = outgoing.subject.as_topic().to_owned();
    DeadLetter::new(outgoing.id.clone(), subject, &outgoing.payload, why.to_owned())
}

#[cfg(test)]
mod tests;
