//! The broker inside the process: the outbox is the queue, and acks let go of its front.
//!
//! Needs no server, and an event is written once. One consumer, since one process has it all.

mod dead_letters;
mod replays;

use async_trait::async_trait;

use super::{ConsumeError, Consumer, Delivery, DeliveryTag};
use crate::outbox::{OpenError, Outbox, OutboxReader, ReadError};

pub use dead_letters::EmbeddedDeadLetters;
pub use replays::Replays;

/// Consumes straight from the outbox.
#[derive(Debug)]
pub struct EmbeddedConsumer {
    outbox: Outbox,
    reader: OutboxReader,
    position: i64,
}

impl EmbeddedConsumer {
    /// Begins with everything that is not acked.
    pub fn new(outbox: &Outbox) -> Result<Self, OpenError> {
        Ok(Self { reader: outbox.reader()?, outbox: outbox.clone(), position: 0 })
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError> {
        let stored = self.reader.read_after(self.position, limit).await?;
        self.position = stored.last().map_or(self.position, |stored| stored.position);
        let deliveries = stored.into_iter().map(|stored| Delivery {
            tag: tag_of(stored.position),
            redelivered: self.reader.is_from_before(stored.position),
            subject: stored.subject,
            payload: stored.payload,
            lane: 0,
        });
        Ok(deliveries.collect())
    }

    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError> {
        // Acks come in order of receipt, so the last one speaks for all before it.
        if let Some(position) = tags.iter().max().and_then(|tag| i64::try_from(tag.0).ok()) {
            self.outbox.settle_through(position).await;
        }
        Ok(())
    }

    fn backlog(&self) -> Option<u64> {
        Some(self.reader.depth())
    }

    async fn close(self: Box<Self>) -> Result<(), ConsumeError> {
        self.outbox.flush().await;
        Ok(())
    }
}

/// Positions begin at 1, so they are tags as they are.
fn tag_of(position: i64) -> DeliveryTag {
    DeliveryTag(u64::try_from(position).unwrap_or(0))
}

impl From<ReadError> for ConsumeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Closed => Self::Closed,
            ReadError::Unreadable(source) => Self::Unusable { why: source.to_string() },
        }
    }
}
