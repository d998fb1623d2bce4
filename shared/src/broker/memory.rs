//! A broker in memory, for tests: redelivers what was not acked, forgets all at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{
    ConsumeError, Consumer, DeadLetter, DeadLetterError, DeadLetters, Delivery, DeliveryTag, Look,
    Outgoing, PublishError, Publisher,
};

/// The broker; clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryBroker {
    state: Arc<Mutex<State>>,
    published: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    held: BTreeMap<u64, Outgoing>,
    delivered: BTreeSet<u64>,
    dead: BTreeMap<String, DeadLetter>,
}

impl MemoryBroker {
    /// A consumer that starts with everything that is not acked.
    pub fn consumer(&self) -> Box<dyn Consumer> {
        Box::new(MemoryConsumer { broker: self.clone(), position: None })
    }

    /// Payloads that are not acked.
    pub fn held(&self) -> usize {
        self.with(|state| state.held.len())
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Publisher for MemoryBroker {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        self.with(|state| {
            state.held.insert(state.next, outgoing);
            state.next += 1;
        });
        self.published.notify_waiters();
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for MemoryBroker {
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError> {
        self.with(|state| match state.dead.get_mut(&letter.event_id) {
            Some(known) => {
                let (first_time, count) = (known.first_time, known.count + 1);
                *known = DeadLetter { first_time, count, ..letter };
            }
            None => {
                state.dead.insert(letter.event_id.clone(), letter);
            }
        });
        Ok(())
    }

    async fn each(&self, look: Look<'_>) -> Result<(), DeadLetterError> {
        let letters: Vec<DeadLetter> = self.with(|state| state.dead.values().cloned().collect());
        for letter in letters {
            let bytes = serde_json::to_vec(&letter).map_or(0, |text| text.len() as u64);
            look(letter, bytes);
        }
        Ok(())
    }

    async fn get(&self, event_id: &str) -> Result<Option<DeadLetter>, DeadLetterError> {
        Ok(self.with(|state| state.dead.get(event_id).cloned()))
    }

    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError> {
        self.with(|state| state.dead.remove(event_id));
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryConsumer {
    broker: MemoryBroker,
    position: Option<u64>,
}

impl MemoryConsumer {
    fn take(&mut self, limit: usize) -> Vec<Delivery> {
        let from = self.position.map_or(0, |position| position + 1);
        let taken: Vec<Delivery> = self.broker.with(|state| {
            let State { held, delivered, .. } = state;
            held.range(from..)
                .take(limit)
                .map(|(&tag, outgoing)| Delivery {
                    tag: DeliveryTag(tag),
                    subject: outgoing.subject.clone(),
                    payload: outgoing.payload.clone(),
                    redelivered: !delivered.insert(tag),
                    lane: 0,
                })
                .collect()
        });
        self.position = taken.last().map(|delivery| delivery.tag.0).or(self.position);
        taken
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError> {
        let published = self.broker.published.clone();
        loop {
            let notified = published.notified();
            let taken = self.take(limit);
            if !taken.is_empty() {
                return Ok(taken);
            }
            notified.await;
        }
    }

    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError> {
        self.broker.with(|state| tags.iter().for_each(|tag| drop(state.held.remove(&tag.0))));
        Ok(())
    }

    fn backlog(&self) -> Option<u64> {
        u64::try_from(self.broker.held()).ok()
    }

    async fn close(self: Box<Self>) -> Result<(), ConsumeError> {
        Ok(())
    }
}
