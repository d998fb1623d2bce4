//! The drivers under test.

use std::sync::Arc;

use async_trait::async_trait;
use integration_tests::patience::eventually;
use shared::broker::embedded::{EmbeddedConsumer, EmbeddedDeadLetters};
use shared::broker::memory::MemoryBroker;
use shared::broker::{Consumer, DeadLetters, Outgoing, Publisher};
use shared::envelope::{Origin, Unnumbered};
use shared::event::{AppNames, Event, Poll};
use shared::outbox::{Entry, OpenError, Outbox, OutboxSettings};
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;
use tempfile::TempDir;

use crate::Broker;

/// Room for every test's dead letters.
const DEAD_LETTER_BYTES: u64 = 16 << 20;

/// An event about `name`.
fn event(name: &str) -> Unnumbered {
    let now = Timestamp::now();
    let poll = Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None };
    let event = Event::AppNames(AppNames {
        repository: name.to_owned(),
        poll,
        part: 1,
        parts: 1,
        full: true,
        apps: vec![],
    });
    Unnumbered::encode(&Origin::new("collector", "test"), name, now, &event).unwrap()
}

fn subject(name: &str) -> Subject {
    Subject::app_names("qliksense", &Token::new(name))
}

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

    async fn restarted(self) -> Option<Self> {
        None
    }
}

/// The broker inside the process, over the outbox.
pub(crate) struct Embedded {
    directory: TempDir,
    outbox: Outbox,
}

impl Embedded {
    fn settings(directory: &TempDir) -> OutboxSettings {
        OutboxSettings { directory: directory.path().to_owned(), max_bytes: 1 << 30, max_age: None }
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
