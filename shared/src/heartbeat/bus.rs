//! The way of a beat to the broker: through the outbox, or straight to a publisher.
//!
//! Either way the sequences of a program have no gaps: a number is spent only on an event that is
//! kept for good.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::broker::{Outgoing, PublishError, Publisher};
use crate::envelope::Unnumbered;
use crate::outbox::{AppendError, Entry, Outbox};
use crate::subject::Subject;

/// The first sequence of an epoch, as in the outbox.
const FIRST_SEQUENCE: u64 = 1;
/// How long a publisher may take to confirm a beat: shorter than the time between beats, so that
/// they do not queue up behind a broker that is away.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);

/// Carries beats to the broker.
#[async_trait]
pub trait Bus: Send {
    /// Numbers an event and hands it on.
    async fn put(&mut self, subject: Subject, event: Unnumbered) -> Result<(), BusError>;

    /// Leaves the broker, where it is the bus' own.
    async fn close(&mut self) {}
}

/// Why a beat is not on the bus. The next one comes soon, so nobody tries again.
#[derive(Debug, Error)]
pub enum BusError {
    /// The outbox did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The broker did not confirm it.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The broker did not answer.
    #[error("the broker has not confirmed a beat for {} s", CONFIRMED_WITHIN.as_secs())]
    Unanswered,
}

/// Through the outbox, for programs that have one; it numbers the events.
#[derive(Debug)]
pub struct OutboxBus {
    outbox: Outbox,
}

impl OutboxBus {
    /// Beats wait in the outbox like every other event.
    pub fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }
}

#[async_trait]
impl Bus for OutboxBus {
    async fn put(&mut self, subject: Subject, event: Unnumbered) -> Result<(), BusError> {
        Ok(self.outbox.append(vec![Entry { subject, event }], None).await?)
    }
}

/// Straight to a broker, for programs that publish nothing else.
///
/// An event that was not confirmed may have arrived all the same. So it keeps its number and is
/// published again, unchanged, before any other; beats made in the meantime get no number at all.
pub struct PublisherBus {
    publisher: Arc<dyn Publisher>,
    next: u64,
    unconfirmed: Option<Outgoing>,
}

impl PublisherBus {
    /// Publishes through `publisher`, and closes it at the end.
    pub fn new(publisher: Arc<dyn Publisher>) -> Self {
        Self { publisher, next: FIRST_SEQUENCE, unconfirmed: None }
    }

    async fn publish(&mut self, outgoing: Outgoing) -> Result<(), BusError> {
        self.unconfirmed = Some(outgoing.clone());
        let published = self.publisher.publish(outgoing);
        match tokio::time::timeout(CONFIRMED_WITHIN, published).await {
            Err(_elapsed) => Err(BusError::Unanswered),
            Ok(Err(error @ PublishError::Unavailable { .. })) => Err(error.into()),
            // It is nowhere and never will be, so its number is free.
            Ok(Err(error @ PublishError::Refused { .. })) => {
                self.unconfirmed = None;
                Err(error.into())
            }
            Ok(Ok(())) => {
                self.unconfirmed = None;
                self.next += 1;
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for PublisherBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublisherBus").field("next", &self.next).finish_non_exhaustive()
    }
}

#[async_trait]
impl Bus for PublisherBus {
    async fn put(&mut self, subject: Subject, event: Unnumbered) -> Result<(), BusError> {
        if let Some(earlier) = self.unconfirmed.clone() {
            match self.publish(earlier).await {
                Ok(()) | Err(BusError::Publish(PublishError::Refused { .. })) => {}
                still => return still,
            }
        }
        let id = event.id().to_string();
        let payload = event.numbered(self.next);
        self.publish(Outgoing { subject, id, payload }).await
    }

    async fn close(&mut self) {
        self.publisher.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::envelope::{Envelope, Origin};
    use crate::heartbeat::tests::beat;
    use crate::timestamp::Timestamp;

    /// What the broker does with one publication.
    enum Mood {
        Confirms,
        /// It has the event, but its answer is lost.
        Swallows,
        IsAway,
        Refuses,
        Hangs,
    }

    #[derive(Default)]
    struct MoodyBroker {
        moods: Mutex<VecDeque<Mood>>,
        taken: Mutex<Vec<Envelope>>,
    }

    impl MoodyBroker {
        fn take(&self, outgoing: &Outgoing) {
            self.taken.lock().unwrap().push(Envelope::decode(&outgoing.payload).unwrap());
        }
    }

    #[async_trait]
    impl Publisher for MoodyBroker {
        async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
            let mood = self.moods.lock().unwrap().pop_front();
            let why = "test".to_owned();
            match mood.unwrap_or(Mood::Confirms) {
                Mood::Confirms => self.take(&outgoing),
                Mood::Swallows => {
                    self.take(&outgoing);
                    return Err(PublishError::Unavailable { why });
                }
                Mood::IsAway => return Err(PublishError::Unavailable { why }),
                Mood::Refuses => return Err(PublishError::Refused { why }),
                Mood::Hangs => std::future::pending().await,
            }
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sequences_have_no_gaps_whatever_the_broker_does() {
        let moods = [
            Mood::Confirms,
            Mood::IsAway,
            Mood::Hangs,
            Mood::Swallows,
            Mood::Confirms,
            Mood::Refuses,
            Mood::Confirms,
            Mood::IsAway,
            Mood::Refuses,
        ];
        let broker =
            Arc::new(MoodyBroker { moods: Mutex::new(moods.into()), ..MoodyBroker::default() });
        let mut bus = PublisherBus::new(Arc::clone(&broker) as Arc<dyn Publisher>);
        let origin = Origin::new("writer", "w1");
        for second in 1..=12_i64 {
            let time = Timestamp::from_nanos(second * 1_000_000_000);
            let event = Unnumbered::encode(&origin, "writer/w1", time, &beat(true)).unwrap();
            let _may_fail = bus.put(Subject::heartbeats("qliksense", "writer", "w1"), event).await;
        }
        let taken = broker.taken.lock().unwrap();
        let mut seen: Vec<(u64, &str)> =
            taken.iter().map(|event| (event.sequence.unwrap(), event.id.as_str())).collect();
        // The one whose confirmation was lost came twice, as the same event.
        seen.dedup();
        let sequences: Vec<u64> = seen.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, (1..=u64::try_from(sequences.len()).unwrap()).collect::<Vec<_>>());
        assert_eq!(taken.len(), seen.len() + 1);
        assert!(sequences.len() >= 6, "{sequences:?}");
    }
}
