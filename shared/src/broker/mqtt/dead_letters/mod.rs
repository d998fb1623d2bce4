//! Dead letters as retained messages, one topic each, so that the broker itself keeps them.
//!
//! One client knows of every letter its size, first time and count, and nothing more: the letters
//! themselves may be far larger than what a writer should hold. It learns them when it connects and
//! from everybody's changes afterwards, and says nothing of a letter before it knows all.

mod client;
mod list;
mod mirror;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Mutex as TurnMutex, watch};

pub(super) use self::client::END;

use self::client::DeadLettersRole;
use self::mirror::Mirror;
use super::endpoint::Endpoint;
use super::flight::{Flight, Publication};
use super::link::Link;
use super::topics::Topics;
use super::{MqttSettings, confirm};
use crate::broker::{DeadLetter, DeadLetterError, DeadLetters, Look, PublishError};
use crate::subject::Token;

/// How long a caller waits for a broker that is away, before it is told so.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
/// A letter of this size is not made smaller: a broker that refuses it takes no event either.
const LEAST_LETTER: usize = 16 * 1024;

/// The dead letters of a consumer group, at the MQTT broker.
#[derive(Debug)]
pub struct MqttDeadLetters {
    shared: Arc<Shared>,
    endpoint: Endpoint,
    max_bytes: u64,
    /// One change after the other: each is based on what is there.
    turn: TurnMutex<()>,
    link: Link,
}

/// What the event loop's task and the callers have in common.
#[derive(Debug)]
struct Shared {
    topics: Topics,
    /// The first part of the client ids.
    client_name: String,
    group: String,
    mirror: Mutex<Mirror>,
    /// The connection, once every letter is known; otherwise what is in the way.
    ready: watch::Sender<Result<Arc<Flight>, String>>,
}

impl MqttDeadLetters {
    /// Starts to connect, and goes on for as long as it lives. `max_bytes` is what all letters of
    /// `group` may take together.
    pub fn start(settings: &MqttSettings, group: &str, max_bytes: u64) -> Self {
        let shared = Arc::new(Shared {
            topics: Topics::new(&settings.topic_prefix),
            client_name: format!("{}-{group}-dead-letters", settings.topic_prefix),
            group: group.to_owned(),
            mirror: Mutex::default(),
            ready: watch::Sender::new(Err("not connected yet".to_owned())),
        });
        let endpoint = Endpoint::new(&settings.broker);
        let role = DeadLettersRole::new(Arc::clone(&shared));
        let link = Link::start(endpoint.clone(), role);
        Self { shared, endpoint, max_bytes, turn: TurnMutex::default(), link }
    }

    /// Leaves the broker.
    pub async fn close(&self) {
        self.link.close().await;
    }

    async fn ready(&self) -> Result<Arc<Flight>, DeadLetterError> {
        let mut ready = self.shared.ready.subscribe();
        let waited = tokio::time::timeout(READY_TIMEOUT, ready.wait_for(Result::is_ok)).await;
        if let Ok(Ok(ready)) = waited {
            return ready.clone().map_err(unavailable);
        }
        let why = self.shared.ready.borrow().clone().err();
        Err(unavailable(why.unwrap_or_else(|| "the broker does not answer".to_owned())))
    }

    async fn publish(
        &self,
        flight: &Flight,
        topic: &str,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let publication =
            Publication { retain: true, ..Publication::new(topic.to_owned(), payload) };
        confirm::retained(flight.publish(publication).await?, topic)
    }

    /// Publishes a letter, made smaller as often as the broker finds it too large, and gives its
    /// size; some brokers tell their limit by refusing alone.
    async fn publish_fitting(
        &self,
        topic: &str,
        letter: &DeadLetter,
        room: u64,
    ) -> Result<u64, DeadLetterError> {
        // Larger than all the letters may be together it could never be kept.
        let mut limit = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        loop {
            let flight = self.ready().await?;
            let text = letter.to_json_within(limit.min(flight.max_payload(topic)));
            let text = text.map_err(|error| unavailable(error.to_string()))?;
            let bytes = text.len();
            if bytes as u64 > room {
                return Err(DeadLetterError::Full { limit_bytes: self.max_bytes });
            }
            match self.publish(&flight, topic, text.into()).await {
                Ok(()) => return Ok(bytes as u64),
                Err(PublishError::Refused { .. }) if bytes > LEAST_LETTER => limit = bytes / 2,
                Err(refused) => return Err(not_kept(refused)),
            }
        }
    }
}

#[async_trait]
impl DeadLetters for MqttDeadLetters {
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError> {
        let _turn = self.turn.lock().await;
        // Before the look at what is known: it is known once the connection stands.
        self.ready().await?;
        let token = Token::new(&letter.event_id);
        let known = self.shared.mirror().get(token.as_str());
        let letter = match known {
            Some(known) => DeadLetter {
                first_time: known.first_time,
                count: known.count.saturating_add(1),
                ..letter
            },
            None => letter,
        };
        let room =
            self.max_bytes.saturating_sub(self.shared.mirror().bytes_without(token.as_str()));
        let topic = self.shared.topics.dead_letter(&self.shared.group, &letter.event_id);
        let bytes = self.publish_fitting(&topic, &letter, room).await?;
        self.shared.mirror().insert(token.as_str(), &letter, bytes);
        Ok(())
    }

    async fn each(&self, look: Look<'_>) -> Result<(), DeadLetterError> {
        let all = self.shared.topics.dead_letters(&self.shared.group);
        let looked = list::each(&self.endpoint, &self.shared, all, look).await;
        looked.map_err(|failure| unavailable(failure.why))
    }

    async fn get(&self, event_id: &str) -> Result<Option<DeadLetter>, DeadLetterError> {
        let topic = self.shared.topics.dead_letter(&self.shared.group, event_id);
        let mut found = None;
        let mut look = |letter, _bytes| found = Some(letter);
        let looked = list::each(&self.endpoint, &self.shared, topic, &mut look).await;
        looked.map_err(|failure| unavailable(failure.why))?;
        Ok(found)
    }

    async fn count(&self, event_id: &str) -> Result<Option<u64>, DeadLetterError> {
        let flight = self.ready().await?;
        let known = self.shared.mirror().get(Token::new(event_id).as_str());
        // What is known is forgotten with the connection; then nothing may be concluded from it.
        let is_current =
            matches!(&*self.shared.ready.borrow(), Ok(now) if Arc::ptr_eq(now, &flight));
        if !is_current {
            return Err(unavailable("the connection to the broker was lost"));
        }
        Ok(known.map(|known| known.count))
    }

    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError> {
        let _turn = self.turn.lock().await;
        let flight = self.ready().await?;
        let topic = self.shared.topics.dead_letter(&self.shared.group, event_id);
        self.publish(&flight, &topic, Bytes::new()).await.map_err(not_kept)?;
        self.shared.mirror().remove(Token::new(event_id).as_str());
        Ok(())
    }
}

impl Shared {
    fn mirror(&self) -> MutexGuard<'_, Mirror> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_kept(error: PublishError) -> DeadLetterError {
    match error {
        PublishError::Unavailable { why } | PublishError::Refused { why } => unavailable(why),
    }
}

fn unavailable(why: impl Into<String>) -> DeadLetterError {
    DeadLetterError::Unavailable { why: why.into() }
}
