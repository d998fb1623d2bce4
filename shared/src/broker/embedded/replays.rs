//! Puts events back into the queue whose dead letters somebody wants replayed.
//!
//! The event is in the queue before its mark is taken away: a kill in between means that it is put
//! back twice, which overwrites. The letter itself stays until the writer has stored the event.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::EmbeddedDeadLetters;
use super::dead_letters::Wanted;
use crate::broker::{DeadLetterError, DeadLetters as _, Outgoing};
use crate::outbox::{AppendError, Outbox};
use crate::subject::Subject;

/// How often somebody's wish is looked for: a person waits for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events put back by one commit.
const AT_ONCE: usize = 64;
/// Bytes of them, beyond the first: bounds memory when events are large.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Looks for letters that are wanted, as long as the process runs.
#[derive(Debug)]
pub struct Replays {
    outbox: Outbox,
    dead_letters: EmbeddedDeadLetters,
    is_troubled: bool,
}

/// Why nothing can be put back now.
#[derive(Debug, Error)]
enum Trouble {
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    #[error(transparent)]
    Queue(#[from] AppendError),
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    PerhapsMore,
}

impl Replays {
    /// From the dead letters into the queue.
    pub fn new(outbox: &Outbox, dead_letters: EmbeddedDeadLetters) -> Self {
        Self { outbox: outbox.clone(), dead_letters, is_troubled: false }
    }

    /// Obeys until `stop`. What is wanted then stays marked for the next start.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), std::convert::Infallible> {
        while !stop.is_cancelled() {
            let found = self.look().await;
            if !matches!(found, Ok(Found::PerhapsMore)) {
                self.report(&found);
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        Ok(())
    }

    async fn look(&self) -> Result<Found, Trouble> {
        let mut wanted = self.dead_letters.wanted(AT_ONCE).await?;
        if wanted.is_empty() {
            return Ok(Found::Nothing);
        }
        let events = self.events(&mut wanted).await?;
        let count = events.len();
        self.outbox.put_back(events).await?;
        self.dead_letters.fulfilled(wanted).await?;
        tracing::info!(events = count, "Events were put back from the dead letters.");
        Ok(Found::PerhapsMore)
    }

    /// The events of the letters that are wanted, or of as many as may be in memory at once; `wanted`
    /// keeps those that were looked at.
    async fn events(&self, wanted: &mut Vec<Wanted>) -> Result<Vec<Outgoing>, Trouble> {
        let (mut events, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        for Wanted { event_id, .. } in &*wanted {
            if bytes > BYTES_AT_ONCE {
                break;
            }
            looked_at += 1;
            if let Some(event) = self.event(event_id).await? {
                bytes += event.payload.len();
                events.push(event);
            }
        }
        wanted.truncate(looked_at);
        Ok(events)
    }

    async fn event(&self, event_id: &str) -> Result<Option<Outgoing>, Trouble> {
        let Some(letter) = self.dead_letters.get(event_id).await? else {
            return Ok(None);
        };
        let subject = Subject::from_neutral(letter.subject.clone()).for_replay();
        let (Some(subject), Some(payload)) = (subject, letter.whole_payload()) else {
            tracing::warn!(event_id, "A dead letter cannot be replayed: its event is not whole.");
            return Ok(None);
        };
        Ok(Some(Outgoing { subject, id: letter.event_id, payload: Bytes::from(payload) }))
    }

    /// Says once that nothing can be put back, and once that it can again.
    fn report(&mut self, found: &Result<Found, Trouble>) {
        match found {
            Err(trouble) if !self.is_troubled => {
                tracing::warn!("Dead letters that are wanted wait: {trouble}.");
            }
            Ok(_) if self.is_troubled => tracing::info!("Dead letters can be put back again."),
            _ => {}
        }
        self.is_troubled = found.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::DeadLetter;
    use crate::broker::embedded::EmbeddedConsumer;
    use crate::broker::{Consumer as _, Delivery};
    use crate::outbox::OutboxSettings;

    const PATIENCE: Duration = Duration::from_secs(20);
    const ROOM: u64 = 64 << 20;

    struct House {
        _directory: tempfile::TempDir,
        outbox: Outbox,
        dead: EmbeddedDeadLetters,
    }

    impl House {
        fn new(max_bytes: u64) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let settings = OutboxSettings {
                directory: directory.path().to_owned(),
                max_bytes,
                max_age: None,
                keep_settled: Duration::ZERO,
            };
            let outbox = Outbox::open(&settings).unwrap();
            let dead = EmbeddedDeadLetters::open(directory.path(), ROOM).unwrap();
            Self { _directory: directory, outbox, dead }
        }

        async fn letter(&self, id: &str, payload: &[u8]) {
            let subject = "qliksense/v1/health/a".to_owned();
            let letter = DeadLetter::new(id.to_owned(), subject, payload, "refused".to_owned());
            self.dead.put(letter).await.unwrap();
        }

        fn replays(&self) -> Replays {
            Replays::new(&self.outbox, self.dead.clone())
        }

        async fn deliveries(&self, count: usize) -> Vec<Delivery> {
            let mut consumer = EmbeddedConsumer::new(&self.outbox).unwrap();
            let mut received = Vec::new();
            while received.len() < count {
                let some = tokio::time::timeout(PATIENCE, consumer.receive(count)).await;
                received.extend(some.unwrap().unwrap());
            }
            received
        }
    }

    #[tokio::test]
    async fn wanted_events_are_put_back_unchanged_and_their_letters_stay() {
        let house = House::new(ROOM);
        let event = br#"{"id": "1",  "sequence": "000000000000000007"}"#;
        house.letter("1", event).await;
        house.letter("2", br#"{"id": "2"}"#).await;
        house.dead.want("1").await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(house.replays().run(stop.clone()));
        let delivered = house.deliveries(1).await.remove(0);
        assert_eq!(delivered.payload, &event[..]);
        assert_eq!(delivered.subject.as_topic(), "qliksense/v1/replay/health/a");
        assert_eq!(house.outbox.appended(), 0, "no event of this process' own");
        stop.cancel();
        running.await.unwrap().unwrap();
        assert!(!house.dead.is_wanted("1").await.unwrap());
        assert_eq!(house.dead.headers().await.unwrap().len(), 2);
        assert_eq!(house.outbox.depth(), 1);
    }

    #[tokio::test]
    async fn many_and_large_ones_all_come() {
        let house = House::new(ROOM);
        let mut ids: Vec<String> = (0..150).map(|number| format!("{number:03}")).collect();
        for (number, id) in ids.iter().enumerate() {
            let filling = "x".repeat(if number < 20 { 800_000 } else { 0 });
            house.letter(id, format!(r#"{{"id":"{id}","filling":"{filling}"}}"#).as_bytes()).await;
            house.dead.want(id).await.unwrap();
        }
        let replays = house.replays();
        while replays.look().await.unwrap() == Found::PerhapsMore {}
        let deliveries = house.deliveries(ids.len()).await;
        let mut came: Vec<String> =
            deliveries.iter().map(|d| crate::broker::stated_id(&d.payload).unwrap()).collect();
        came.sort();
        ids.sort();
        assert_eq!(came, ids);
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_mark_away() {
        let house = House::new(1);
        house.letter("1", br#"{"id":"1"}"#).await;
        house.dead.want("1").await.unwrap();
        let trouble = house.replays().look().await.unwrap_err();
        assert!(matches!(trouble, Trouble::Queue(AppendError::Full { .. })), "{trouble}");
        assert!(house.dead.is_wanted("1").await.unwrap());
    }

    #[tokio::test]
    async fn what_is_no_whole_event_is_wanted_in_vain() {
        let house = House::new(ROOM);
        house.letter("1", br#"{"id":"another"}"#).await;
        house.dead.want("1").await.unwrap();
        assert_eq!(house.replays().look().await.unwrap(), Found::PerhapsMore);
        assert!(!house.dead.is_wanted("1").await.unwrap());
        assert_eq!((house.dead.headers().await.unwrap().len(), house.outbox.depth()), (1, 0));
    }
}
