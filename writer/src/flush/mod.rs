//! The flush: a batch is tried until each of its deliveries may be acked.
//!
//! Between the batcher and the frontier. A delivery is settled when its lines are stored, are older
//! than the retention policy keeps, or lie in the dead letters; anything else holds the batch.
//! The letter of an event that was replayed goes when the event is stored.
//! No ack happens here: see [`crate::consume`].

mod letters;

use std::sync::Arc;
use std::time::Duration;

use shared::broker::{DeadLetterError, DeadLetters, DeliveryTag};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Held};
use crate::destination::{Answer, Destination, Prepared, Trouble, TroubleKind};
use crate::holds::Holds;
use crate::letter;
use crate::line_protocol::Lines;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::repeated::Repeated;
use crate::split::{Fate, Part, Split};

/// Under this number the preparation at start is held; batches count from 1.
pub(crate) const PREPARATION: u64 = 0;

/// Everything that flushes share.
pub(crate) struct Store {
    pub(crate) destination: Box<dyn Destination>,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) destination_holds: Holds,
    pub(crate) letter_holds: Holds,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pace: Pace,
    pub(crate) said: Repeated,
    /// One for each batch whose requests may be on their way.
    pub(crate) permits: Arc<Semaphore>,
    /// Set when the program ends: nothing is waited for any more.
    pub(crate) draining: CancellationToken,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Its deliveries may be acked.
    Settled(Vec<DeliveryTag>),
    /// The program ends first; the deliveries stay with the broker.
    GivenUp,
}

/// The program ends before something could be done.
struct Ended;

/// What one try has left.
struct Round {
    /// The deliveries of the batch that are not settled, by their place in it.
    unsettled: Vec<usize>,
    /// Why: the dead letters have no room.
    full: Option<DeadLetterError>,
}

/// Stores a batch. `permit` is for its requests; it is given back while it makes none for long.
pub(crate) async fn flush(
    store: Arc<Store>,
    number: u64,
    mut batch: Batch,
    mut permit: OwnedSemaphorePermit,
) -> Flushed {
    let tags: Vec<DeliveryTag> = batch.held.iter().map(|held| held.tag).collect();
    let mut failures = 0;
    loop {
        let unsettled = match store.round(number, &batch).await {
            Ok(Round { unsettled, full: Some(full) }) => {
                failures += 1;
                drop(permit);
                let Ok(again) = store.await_room(number, &full, failures).await else { break };
                permit = again;
                unsettled
            }
            Ok(Round { full: None, .. }) => {
                if failures > 0 {
                    store.letter_holds.passed(number);
                }
                return Flushed::Settled(tags);
            }
            Err(Ended) => break,
        };
        // Whoever is to make room may have mended what the lines were refused for.
        batch = batch.only(&unsettled);
    }
    Flushed::GivenUp
}

/// Makes sure that there is a place for the points, as long as no write has shown it.
pub(crate) async fn prepare(store: Arc<Store>) {
    let mut failures = 0;
    loop {
        let trouble = match store.destination.prepare().await {
            Err(trouble) => trouble,
            Ok(Prepared::Ready) => break,
            Ok(Prepared::Unseen(trouble)) => {
                tracing::info!("Writing will show whether this matters: {}", trouble.why);
                break;
            }
        };
        if store.metrics.has_written() {
            break;
        }
        failures += 1;
        if store.hold(&store.destination_holds, PREPARATION, trouble, failures).await.is_err() {
            return;
        }
    }
    store.destination_holds.passed(PREPARATION);
}

impl Store {
    /// Sends a part until it has an answer about its lines.
    async fn write(
        &self,
        number: u64,
        lines: &Lines,
        split: &mut Split<'_>,
        part: Part,
    ) -> Result<(), Ended> {
        let body = part.body(lines);
        let mut failures = 0;
        let mut prepared = false;
        loop {
            let trouble = match self.request(&body).await {
                Answer::Stored => {
                    split.stored(&part);
                    self.metrics.wrote();
                    break;
                }
                Answer::Refused(refusal) => {
                    split.refused(part, refusal);
                    break;
                }
                Answer::TooLarge(why) => {
                    split.too_large(part, why);
                    break;
                }
                Answer::Missing(why) if prepared => Trouble::misconfigured(why),
                Answer::Missing(_) => match self.destination.prepare().await {
                    Ok(Prepared::Ready) => {
                        prepared = true;
                        continue;
                    }
                    Ok(Prepared::Unseen(trouble)) | Err(trouble) => trouble,
                },
                Answer::Trouble(trouble) => trouble,
            };
            prepared = false;
            failures += 1;
            self.hold(&self.destination_holds, number, trouble, failures).await?;
        }
        self.destination_holds.passed(number);
        Ok(())
    }

    async fn request(&self, body: &[u8]) -> Answer {
        let sent = Instant::now();
        let answer = self.destination.write(body).await;
        self.metrics.request_seconds.observe(sent.elapsed().as_secs_f64());
        self.metrics.requests.inc();
        if answer != Answer::Stored {
            self.metrics.failed_writes.inc();
        }
        answer
    }

    /// Tries to settle every delivery of a batch.
    async fn round(&self, number: u64, batch: &Batch) -> Result<Round, Ended> {
        let mut split = Split::new(&batch.lines);
        while let Some(part) = split.next_part() {
            self.write(number, &batch.lines, &mut split, part).await?;
        }
        let (mut refused, mut full) = (Vec::new(), None);
        // First what is stored: a letter that is not needed any more makes room for another.
        for (place, held) in batch.held.iter().enumerate() {
            if letter::is_needed(held, &split) {
                refused.push(place);
                continue;
            }
            let letters = letter::replayed(held);
            if !letters.is_empty() {
                self.unbury(number, held, &letters).await?;
            }
            self.metrics.stored.inc();
            self.count(held, &split);
        }
        let mut unsettled = Vec::new();
        for place in refused {
            let Some(held) = batch.held.get(place) else { continue };
            let letter = letter::letter(held, &batch.lines, &split);
            match self.bury(number, held, letter).await? {
                Ok(()) => self.count(held, &split),
                Err(no_room) => {
                    unsettled.push(place);
                    full = Some(no_room);
                }
            }
        }
        Ok(Round { unsettled, full })
    }

    /// Waits before the next try.
    async fn hold(
        &self,
        holds: &Holds,
        number: u64,
        trouble: Trouble,
        failures: u32,
    ) -> Result<(), Ended> {
        let wait: Duration = self.pace.wait(trouble.kind, failures);
        let may_be_mended = trouble.kind == TroubleKind::Misconfigured;
        holds.failed(number, trouble);
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Ended),
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.destination.credentials_changed(), if may_be_mended => Ok(()),
        }
    }

    /// Counts the points of a delivery that is settled.
    fn count(&self, held: &Held, split: &Split<'_>) {
        self.metrics.points.inc_by(split.count(held.lines.clone(), Fate::Stored));
        let expired = split.count(held.lines.clone(), Fate::Expired);
        self.metrics.expired.inc_by(expired);
        if expired > 0
            && let Some(count) = self.said.expired(expired)
        {
            tracing::warn!(
                count,
                "Points are older than InfluxDB's retention policy keeps, and were not kept."
            );
        }
    }
}

#[cfg(test)]
mod tests;
