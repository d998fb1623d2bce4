//! From the outbox to a broker: publishes in order, settles what the broker has confirmed.
//!
//! Several events are on their way at once, but only the confirmed front is settled, so that a kill
//! at any moment means at most that some are published again. An event that the broker will never
//! take becomes a dead letter; everything else is tried until it is confirmed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesOrdered, StreamExt as _};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{DeadLetter, DeadLetters, Outgoing, PublishError, Publisher};
use crate::backoff::Backoff;
use crate::outbox::{OpenError, Outbox, OutboxReader, ReadError, Stored};

/// Events on their way at once: enough to hide a broker's latency, few enough to be sent again.
const WINDOW: usize = 256;
/// A broker that restarts is back within seconds.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// What a forwarder has done, for metrics and heartbeats.
#[derive(Debug, Default)]
pub struct Forwarded {
    published: AtomicU64,
    confirmed: AtomicU64,
    refused: AtomicU64,
    last_confirmed: Mutex<Option<Instant>>,
}

impl Forwarded {
    /// Events handed to the broker, repetitions not counted.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Events that the broker confirmed.
    pub fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// Time since the broker confirmed an event; none before the first.
    pub fn since_last_confirmed(&self) -> Option<Duration> {
        let last = *self.last_confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        last.map(|last| last.elapsed())
    }

    /// Events that the broker will never take, which became dead letters.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn confirm(&self) {
        self.confirmed.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last_confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Instant::now());
    }
}

impl Collector for Forwarded {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counters = [
            ("published_events", "Events handed to the broker", self.published()),
            ("confirmed_events", "Events that the broker confirmed", self.confirmed()),
            ("refused_events", "Events that the broker will never take", self.refused()),
        ];
        for (name, help, value) in counters {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        Ok(())
    }
}

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
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("forwarded", &self.forwarded).finish_non_exhaustive()
    }
}

impl Forwarder {
    /// Begins with what is not settled; `refused` keeps what the broker will never take.
    pub fn new(
        outbox: &Outbox,
        publisher: Arc<dyn Publisher>,
        refused: Arc<dyn DeadLetters>,
    ) -> Result<Self, ForwardError> {
        let reader = outbox.reader()?;
        Ok(Self { reader, publisher, refused, outbox: outbox.clone(), forwarded: Arc::default() })
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
        let mut position = self.outbox.settled();
        let mut on_their_way = FuturesOrdered::new();
        loop {
            let free = WINDOW - on_their_way.len();
            let nothing_left = on_their_way.is_empty() && self.reader.is_at_end(position);
            tokio::select! {
                biased;
                Some(end) = on_their_way.next(), if !on_their_way.is_empty() => match end {
                    End::Settled { position } => self.outbox.settle_through(position).await,
                    End::Held => return Ok(()),
                },
                read = self.reader.read_after(position, free), if free > 0 => {
                    for stored in read? {
                        position = stored.position;
                        on_their_way.push_back(self.publish(stored, shutdown.clone()));
                    }
                },
                // Something may have been appended while this waited.
                () = shutdown.cancelled(), if nothing_left => {
                    if self.reader.is_at_end(position) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn publish(
        &self,
        stored: Stored,
        shutdown: CancellationToken,
    ) -> impl Future<Output = End> + use<> {
        let publisher = Arc::clone(&self.publisher);
        let refused = Arc::clone(&self.refused);
        let forwarded = Arc::clone(&self.forwarded);
        forwarded.published.fetch_add(1, Ordering::Relaxed);
        async move {
            let Stored { position, subject, id, payload } = stored;
            let outgoing = Outgoing { subject, id, payload };
            let mut failures = 0;
            loop {
                let trouble = match publisher.publish(outgoing.clone()).await {
                    Ok(()) => {
                        forwarded.confirm();
                        return End::Settled { position };
                    }
                    Err(PublishError::Refused { why }) => {
                        match refused.put(letter(&outgoing, &why)).await {
                            Ok(()) => {
                                forwarded.refused.fetch_add(1, Ordering::Relaxed);
                                tracing::error!(subject = %outgoing.subject, why, "The broker will never take an event; it lies in the dead letters.");
                                return End::Settled { position };
                            }
                            Err(error) => error.to_string(),
                        }
                    }
                    Err(PublishError::Unavailable { why }) => why,
                };
                failures += 1;
                tracing::debug!(subject = %outgoing.subject, failures, trouble, "An event waits.");
                tokio::select! {
                    () = tokio::time::sleep(BACKOFF.wait(failures)) => {}
                    () = shutdown.cancelled() => return End::Held,
                }
            }
        }
    }
}

/// How the way of one event ended.
enum End {
    /// Up to here nothing is missing any more, once all before it have ended.
    Settled { position: i64 },
    /// The program ends before the broker took it; it stays in the outbox.
    Held,
}

fn letter(outgoing: &Outgoing, why: &str) -> DeadLetter {
    let subject = outgoing.subject.as_topic().to_owned();
    DeadLetter::new(outgoing.id.clone(), subject, &outgoing.payload, why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use async_trait::async_trait;

    use super::*;
    use crate::broker::memory::MemoryBroker;
    use crate::envelope::{Origin, Unnumbered};
    use crate::event::{AppNames, Event, Poll};
    use crate::outbox::{Entry, OutboxSettings};
    use crate::subject::{Subject, Token};
    use crate::timestamp::Timestamp;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes nothing while it is away, and never anything about `poison`.
    #[derive(Default)]
    struct Moody {
        away: AtomicBool,
        taken: Mutex<Vec<String>>,
        changed: tokio::sync::Notify,
    }

    #[async_trait]
    impl Publisher for Moody {
        async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
            if outgoing.subject.as_topic().ends_with("poison") {
                return Err(PublishError::Refused { why: "poison".to_owned() });
            }
            if self.away.load(Ordering::Relaxed) {
                return Err(PublishError::Unavailable { why: "away".to_owned() });
            }
            self.taken.lock().unwrap().push(outgoing.id);
            self.changed.notify_one();
            Ok(())
        }
    }

    struct House {
        _directory: tempfile::TempDir,
        outbox: Outbox,
        moody: Arc<Moody>,
        refused: MemoryBroker,
    }

    impl House {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let settings = OutboxSettings {
                directory: directory.path().to_owned(),
                max_bytes: 1 << 26,
                max_age: None,
                keep_settled: Duration::ZERO,
            };
            let outbox = Outbox::open(&settings).unwrap();
            let (moody, refused) = (Arc::default(), MemoryBroker::default());
            Self { _directory: directory, outbox, moody, refused }
        }

        fn forwarder(&self) -> Forwarder {
            let publisher: Arc<dyn Publisher> = Arc::clone(&self.moody) as _;
            Forwarder::new(&self.outbox, publisher, Arc::new(self.refused.clone())).unwrap()
        }

        async fn append(&self, name: &str) -> String {
            let now = Timestamp::now();
            let event = Event::AppNames(AppNames {
                repository: name.to_owned(),
                poll: Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None },
                part: 1,
                parts: 1,
                full: true,
                apps: vec![],
            });
            let origin = Origin::new("collector", "test");
            let event = Unnumbered::encode(&origin, name, now, &event).unwrap();
            let id = event.id().to_string();
            let subject = Subject::app_names("qliksense", &Token::new(name));
            self.outbox.append(vec![Entry { subject, event }], None).await.unwrap();
            id
        }

        async fn taken(&self, count: usize) {
            tokio::time::timeout(PATIENCE, async {
                while self.moody.taken.lock().unwrap().len() < count {
                    self.moody.changed.notified().await;
                }
            })
            .await
            .unwrap();
        }
    }

    #[tokio::test]
    async fn everything_is_forwarded_and_then_settled() {
        let house = House::new();
        let mut ids = BTreeSet::from([house.append("a").await, house.append("b").await]);
        let stop = CancellationToken::new();
        let forwarder = house.forwarder();
        let done = forwarder.forwarded();
        let running = tokio::spawn(forwarder.run(stop.clone()));
        house.taken(2).await;
        ids.insert(house.append("c").await);
        house.taken(3).await;
        stop.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(BTreeSet::from_iter(house.moody.taken.lock().unwrap().clone()), ids);
        assert_eq!((done.published(), done.confirmed()), (3, 3));
        assert!(done.since_last_confirmed().is_some());
        house.outbox.flush().await;
        assert_eq!(house.outbox.depth(), 0);
    }

    #[tokio::test]
    async fn what_the_broker_does_not_take_waits_and_survives_the_end() {
        let house = House::new();
        house.moody.away.store(true, Ordering::Relaxed);
        let id = house.append("a").await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(house.forwarder().run(stop.clone()));
        stop.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(house.outbox.depth(), 1);

        house.moody.away.store(false, Ordering::Relaxed);
        let stop = CancellationToken::new();
        let running = tokio::spawn(house.forwarder().run(stop.clone()));
        house.taken(1).await;
        stop.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(*house.moody.taken.lock().unwrap(), [id]);
    }

    #[tokio::test]
    async fn what_the_broker_never_takes_becomes_a_dead_letter_and_blocks_nothing() {
        let house = House::new();
        let poison = house.append("poison").await;
        let id = house.append("a").await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(house.forwarder().run(stop.clone()));
        house.taken(1).await;
        stop.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(*house.moody.taken.lock().unwrap(), [id]);
        let letters = house.refused.list().await.unwrap();
        assert_eq!(letters.iter().map(|letter| &letter.event_id).collect::<Vec<_>>(), [&poison]);
        house.outbox.flush().await;
        assert_eq!(house.outbox.depth(), 0);
    }
}
