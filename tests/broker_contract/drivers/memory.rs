//! The broker in memory.

use std::sync::Arc;

use async_trait::async_trait;
use shared::broker::memory::MemoryBroker;
use shared::broker::{Consumer, DeadLetters, Delivery, Outgoing, Publisher};

use super::{event, replay, subject};
use crate::Broker;

/// The broker in memory.
pub(crate) struct Memory(MemoryBroker);

#[async_trait]
impl Broker for Memory {
    async fn start() -> Self {
        Self(MemoryBroker::default())
    }

    async fn publish(&self, name: &str) {
        let event = event(name);
        let id = event.id().to_string();
        let outgoing = Outgoing { subject: subject(name), id, payload: event.numbered(1) };
        self.0.publish(outgoing).await.unwrap();
    }

    async fn consumer(&self) -> Box<dyn Consumer> {
        self.0.consumer()
    }

    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        Arc::new(self.0.clone())
    }

    async fn put_back(&self, delivery: &Delivery) {
        self.0.publish(replay(delivery)).await.unwrap();
    }

    async fn restarted(self) -> Option<Self> {
        None
    }
}
