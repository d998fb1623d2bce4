//! Into the dead letters, out of them, and the wait for room in them.

use std::sync::Arc;

use shared::broker::{DeadLetter, DeadLetterError};
use tokio::sync::OwnedSemaphorePermit;

use super::{Ended, Store};
use crate::batch::Held;
use crate::destination::Trouble;
use crate::reason;

impl Store {
    /// Puts an event into the dead letters, however long that takes, unless they are full.
    pub(super) async fn bury(
        &self,
        number: u64,
        held: &Held,
        letter: DeadLetter,
    ) -> Result<Result<(), DeadLetterError>, Ended> {
        let why = reason::for_log(&letter.reason);
        let mut failures = 0;
        while let Err(error) = self.dead_letters.put(letter.clone()).await {
            if let DeadLetterError::Full { .. } = error {
                return Ok(Err(error));
            }
            failures += 1;
            let trouble = Trouble::unavailable(error.to_string());
            self.hold(&self.letter_holds, number, trouble, failures).await?;
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
        Ok(Ok(()))
    }

    /// Removes the letter of an event that was replayed and is stored, however long that takes. No
    /// ack before that: until it is gone, nobody knows that the event is stored.
    pub(super) async fn unbury(
        &self,
        number: u64,
        held: &Held,
        letters: &[String],
    ) -> Result<(), Ended> {
        let mut failures = 0;
        for event_id in letters {
            while let Err(error) = self.dead_letters.remove(event_id).await {
                failures += 1;
                let trouble = Trouble::unavailable(error.to_string());
                self.hold(&self.letter_holds, number, trouble, failures).await?;
            }
        }
        self.letter_holds.passed(number);
        self.metrics.replayed.inc();
        if let Some(count) = self.said.replayed(1) {
            tracing::info!(
                count,
                subject = %held.subject.as_topic(),
                "events from the dead letters are stored now, and their letters removed"
            );
        }
        Ok(())
    }

    /// Waits for somebody to make room in the dead letters, then for the right to make requests.
    pub(super) async fn await_room(
        &self,
        number: u64,
        full: &DeadLetterError,
        failures: u32,
    ) -> Result<OwnedSemaphorePermit, Ended> {
        let trouble = Trouble::misconfigured(format!(
            "{full}; mend what the events were refused for, which `footman dead-letters list` \
             tells, or make room with `footman dead-letters replay` or `delete`, or raise \
             `broker.deadLetters.maxBytes`"
        ));
        self.hold(&self.letter_holds, number, trouble, failures).await?;
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Err(Ended),
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_closed| Ended),
        }
    }
}
