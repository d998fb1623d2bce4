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

use self::client::DeadLettersRole;
use self::mirror::Mirror;
use super::endpoint::Endpoint;
use super::flight::{Flight, Publication};
use super::link::Link;
use super::topics::Topics;
use super::{MqttSettings, confirm};
use crate::broker::{DeadLetter, DeadLetterError, DeadLetters, PublishError};
use crate::subject::Token;

/// How long a caller waits for a broker that is away, before it is told so.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

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
    ) -> Result<(), DeadLetterError> {
        let publication = Publication { topic: topic.to_owned(), payload, retain: true };
        let answer = flight.publish(publication).await;
        match answer.and_then(|reason| confirm::retained(reason, topic)) {
            Ok(()) => Ok(()),
            Err(PublishError::Unavailable { why } | PublishError::Refused { why }) => {
                Err(unavailable(why))
            }
        }
    }
}

#[async_trait]
impl DeadLetters for MqttDeadLetters {
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError> {
        let _turn = self.turn.lock().await;
        let flight = self.ready().await?;
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
        let text = serde_json::to_vec(&letter).map_err(|error| unavailable(error.to_string()))?;
        let bytes = text.len() as u64;
        let others = self.shared.mirror().bytes_without(token.as_str());
        if others.saturating_add(bytes) > self.max_bytes {
            return Err(DeadLetterError::Full { limit_bytes: self.max_bytes });
        }
        let topic = self.shared.topics.dead_letter(&self.shared.group, &letter.event_id);
        self.publish(&flight, &topic, text.into()).await?;
        self.shared.mirror().insert(token.as_str(), &letter, bytes);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let Shared { topics, client_name, group, .. } = &*self.shared;
        let listed = list::list(&self.endpoint, topics, client_name, group).await;
        listed.map_err(|failure| unavailable(failure.why))
    }

    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError> {
        let _turn = self.turn.lock().await;
        let flight = self.ready().await?;
        let topic = self.shared.topics.dead_letter(&self.shared.group, event_id);
        self.publish(&flight, &topic, Bytes::new()).await?;
        self.shared.mirror().remove(Token::new(event_id).as_str());
        Ok(())
    }
}

impl Shared {
    fn mirror(&self) -> MutexGuard<'_, Mirror> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(why: impl Into<String>) -> DeadLetterError {
    DeadLetterError::Unavailable { why: why.into() }
}
