//! The broker inside the process.

use std::sync::Arc;

use async_trait::async_trait;
use integration_tests::patience::eventually;
use shared::broker::embedded::{EmbeddedConsumer, EmbeddedDeadLetters};
use shared::broker::{Consumer, DeadLetters, Delivery};
use shared::outbox::{Entry, OpenError, Outbox, OutboxSettings};
use tempfile::TempDir;

use super::{DEAD_LETTER_BYTES, event, replay, subject};
use crate::Broker;

/// The broker inside the process, over the outbox.
pub(crate) struct Embedded {
    directory: TempDir,
    outbox: Outbox,
}

impl Embedded {
    fn settings(directory: &TempDir) -> OutboxSettings {
        OutboxSettings {
            directory: directory.path().to_owned(),
            max_bytes: 1 << 30,
            max_age: None,
            keep_settled: std::time::Duration::ZERO,
        }
    }
}

#[async_trait]
impl Broker for Embedded {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&Self::settings(&directory)).unwrap();
        Self { directory, outbox }
    }

    async fn publish(&self, name: &str) {
        let entry = Entry { subject: subject(name), event: event(name) };
        self.outbox.append(vec![entry], None).await.unwrap();
    }

    async fn consumer(&self) -> Box<dyn Consumer> {
        Box::new(EmbeddedConsumer::new(&self.outbox).unwrap())
    }

    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        let directory = self.directory.path();
        Arc::new(EmbeddedDeadLetters::open(directory, DEAD_LETTER_BYTES).unwrap())
    }

    async fn put_back(&self, delivery: &Delivery) {
        self.outbox.put_back(vec![replay(delivery)]).await.unwrap();
    }

    async fn restarted(self) -> Option<Self> {
        let Self { directory, outbox } = self;
        drop(outbox);
        let settings = Self::settings(&directory);
        let outbox = eventually("the directory to be let go of", || async {
            match Outbox::open(&settings) {
                Err(OpenError::InUse { .. }) => None,
                opened => Some(opened.unwrap()),
            }
        })
        .await;
        Some(Self { directory, outbox })
    }
}
