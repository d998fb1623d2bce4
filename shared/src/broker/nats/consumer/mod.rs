//! Consumes as a member of a group: one durable pull consumer at the server, shared by all members.
//!
//! A task does all the talking, so that dropping a `receive` loses nothing and signs of life reach
//! the server while nobody receives. Nothing is fetched that was not asked for.

mod arrival;
mod fetch;
mod hand;
mod member;
mod seat;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::hand::Hand;
use self::member::{Backlog, Member};
use super::Shared;
use super::standing::Part;
use crate::broker::{ConsumeError, Consumer, Delivery, DeliveryTag};

/// A member of a consumer group.
#[derive(Debug)]
pub(super) struct NatsConsumer {
    hand: Arc<Hand>,
    backlog: Arc<Backlog>,
    closing: CancellationToken,
    task: JoinHandle<()>,
    shared: Arc<Shared>,
    /// Ends the task of a consumer that is dropped without being closed.
    _ends_task: DropGuard,
}

impl NatsConsumer {
    /// Joins; the consumer at the server is made when it is missing.
    pub(super) fn join(shared: Arc<Shared>, group: &str) -> Self {
        let hand = Arc::new(Hand::default());
        let backlog = Arc::new(Backlog::default());
        let (closing, ended) = (CancellationToken::new(), CancellationToken::new());
        let member =
            Member::new(&shared, group, Arc::clone(&hand), Arc::clone(&backlog), closing.clone());
        let over = ended.clone();
        let running = Box::pin(member.run());
        let task = tokio::spawn(async move {
            over.run_until_cancelled(running).await;
        });
        Self { hand, backlog, closing, task, shared, _ends_task: ended.drop_guard() }
    }
}

impl Drop for NatsConsumer {
    fn drop(&mut self) {
        // Nobody waits for it any more.
        self.shared.standing.is_there(Part::Consumer);
    }
}

#[async_trait]
impl Consumer for NatsConsumer {
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError> {
        Ok(self.hand.take(limit).await)
    }

    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError> {
        self.hand.ack(tags);
        Ok(())
    }

    fn backlog(&self) -> Option<u64> {
        self.backlog.get()
    }

    async fn close(mut self: Box<Self>) -> Result<(), ConsumeError> {
        self.closing.cancel();
        // What the server does not hear in time it delivers again.
        let _left = tokio::time::timeout(self.shared.timing.answer_wait * 2, &mut self.task).await;
        Ok(())
    }
}
