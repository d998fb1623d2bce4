//! The flush: a batch is tried until each of its deliveries may be acked.
//!
//! Between the batcher and the frontier. A delivery is settled when its lines are stored, are older
//! than the retention policy keeps, or lie in the dead letters; anything else holds the batch.
//! No ack happens here: see [`crate::consume`].

use std::sync::Arc;
use std::time::Duration;

use shared::broker::{DeadLetter, DeadLetterError, DeadLetters, DeliveryTag};
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

/// Stores a batch.
pub(crate) async fn flush(store: Arc<Store>, number: u64, batch: Batch) -> Flushed {
    let mut split = Split::new(&batch.lines);
    while let Some(part) = split.next_part() {
        if store.write(number, &batch.lines, &mut split, part).await.is_err() {
            return Flushed::GivenUp;
        }
    }
    store.count(&split);
    for held in &batch.held {
        let Some(letter) = letter::letter(held, &batch.lines, &split) else {
            store.metrics.stored.inc();
            continue;
        };
        if store.bury(number, held, letter).await.is_err() {
            return Flushed::GivenUp;
        }
    }
    Flushed::Settled(batch.held.iter().map(|held| held.tag).collect())
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

    /// Puts an event into the dead letters, however long that takes.
    async fn bury(&self, number: u64, held: &Held, letter: DeadLetter) -> Result<(), Ended> {
        let why = letter::for_log(&letter.reason);
        let mut failures = 0;
        while let Err(error) = self.dead_letters.put(letter.clone()).await {
            let kind = match error {
                DeadLetterError::Full { .. } => TroubleKind::Misconfigured,
                DeadLetterError::Unavailable { .. } => {
                    TroubleKind::Unavailable { retry_after: None }
                }
            };
            let why = match error {
                DeadLetterError::Full { .. } => format!(
                    "{error}; make room with `footman dead-letters replay`, or raise \
                     `broker.deadLetters.maxBytes`"
                ),
                DeadLetterError::Unavailable { .. } => error.to_string(),
            };
            failures += 1;
            self.hold(&self.letter_holds, number, Trouble { kind, why }, failures).await?;
        }
        self.letter_holds.passed(number);
        self.metrics.dead_lettered.inc();
        if let Some(count) = self.said.dead_letters(1) {
            tracing::warn!(
                count,
                subject = %held.subject.as_topic(),
                "events went to the dead letters, the last one because {why}; \
                 `footman dead-letters list` shows them"
            );
        }
        Ok(())
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
        holds.failed(number, trouble);
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Ended),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    fn count(&self, split: &Split<'_>) {
        self.metrics.points.inc_by(split.count(Fate::Stored));
        let expired = split.count(Fate::Expired);
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
