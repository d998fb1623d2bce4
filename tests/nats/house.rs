//! A nats-server and programs connected to it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{PATIENCE, eventually};
use shared::broker::nats::{Nats, NatsSettings, Timing};
use shared::broker::{Consumer, Delivery, DeliveryTag, Outgoing, PublishError, Publisher};
use shared::config;
use shared::readiness::Readiness;
use shared::subject::{Subject, Token};
use tokio::time::timeout;

pub(crate) const GROUP: &str = "influxdb";
pub(crate) const DEAD_LETTER_BYTES: u64 = 4 << 20;
/// Long enough for a redelivery that should not be.
pub(crate) const ACK_WAIT: Duration = Duration::from_millis(1_500);

/// A program's connection, and how it says it stands.
pub(crate) struct Program {
    pub(crate) nats: Nats,
    pub(crate) readiness: Readiness,
}

/// Short enough for tests.
pub(crate) fn timing() -> Timing {
    Timing {
        ack_wait: ACK_WAIT,
        progress_every: ACK_WAIT / 5,
        fetch_expiry: Duration::from_secs(1),
        fetch_grace: Duration::from_secs(1),
        answer_wait: Duration::from_secs(2),
        retry_every: Duration::from_millis(200),
        backlog_every: Duration::from_millis(100),
    }
}

impl Program {
    /// Connects and waits until it is ready.
    pub(crate) async fn ready(server: &NatsServer) -> Self {
        let program = Self::with(&server.config(), timing()).await;
        program.is_ready().await;
        program
    }

    /// Connects and waits for nothing.
    pub(crate) async fn with(config: &config::Nats, timing: Timing) -> Self {
        let settings = NatsSettings {
            name: "test".to_owned(),
            topic_prefix: "qliksense".to_owned(),
            dead_letters_max_bytes: DEAD_LETTER_BYTES,
            timing,
        };
        let readiness = Readiness::default();
        let dependency = readiness.dependency("broker");
        let nats = Nats::connect(config, &settings, dependency).await.unwrap();
        Self { nats, readiness }
    }

    pub(crate) async fn is_ready(&self) {
        eventually("the broker to be there", || async {
            self.readiness.report().ready.then_some(())
        })
        .await;
    }

    /// Why the broker is missing, now.
    pub(crate) fn why(&self) -> String {
        self.readiness.report().dependencies["broker"].why.clone().unwrap_or_default()
    }

    /// Waits until it says why the broker is missing, with all of the words.
    pub(crate) async fn is_missing(&self, words: &[&str]) -> String {
        eventually(&format!("a reason with {words:?}"), || async {
            let why = self.why();
            words.iter().all(|word| why.contains(word)).then_some(why)
        })
        .await
    }

    pub(crate) fn consumer(&self) -> Box<dyn Consumer> {
        self.nats.consumer(GROUP)
    }

    /// Publishes each name once, confirmed.
    pub(crate) async fn publish(&self, names: &[String]) {
        let publisher = self.nats.publisher();
        for name in names {
            publisher.publish(outgoing(name)).await.unwrap();
        }
    }
}

/// An event whose id and payload is `name`.
pub(crate) fn outgoing(name: &str) -> Outgoing {
    let payload = Bytes::copy_from_slice(name.as_bytes());
    Outgoing { subject: subject(name), id: name.to_owned(), payload }
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject::health("qliksense", &Token::new(name))
}

pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number:05}")).collect()
}

/// Sizes of payloads that fill what is limited to its last bytes: one that was not taken makes way
/// for a smaller one.
pub(crate) struct Sizes(pub(crate) usize);

impl Sizes {
    /// The next smaller one, none after one byte.
    pub(crate) fn was_not_taken(&mut self) -> bool {
        self.0 = if self.0 > 1_024 { self.0 / 2 } else { self.0.saturating_sub(16) };
        self.0 > 0
    }
}

/// Publishes until it is confirmed, as the collector does.
pub(crate) async fn publish_until_confirmed(publisher: &dyn Publisher, name: &str) {
    eventually("a confirmation", || async {
        match publisher.publish(outgoing(name)).await {
            Ok(()) => Some(()),
            Err(PublishError::Unavailable { .. }) => None,
            Err(refused) => panic!("{refused}"),
        }
    })
    .await;
}

/// Receives exactly `count` deliveries, whatever they are.
pub(crate) async fn receive(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut received = Vec::new();
    while received.len() < count {
        let wanted = count - received.len();
        let some = timeout(PATIENCE, consumer.receive(wanted)).await;
        received.extend(some.expect("nothing more was delivered").unwrap());
    }
    received
}

/// Receives and acks until every name was delivered, and says how often each was.
pub(crate) async fn receive_all(
    consumer: &mut dyn Consumer,
    wanted: &[String],
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    while !wanted.iter().all(|name| counts.contains_key(name)) {
        let missing = || wanted.iter().filter(|name| !counts.contains_key(*name)).count();
        let Ok(some) = timeout(PATIENCE, consumer.receive(500)).await else {
            panic!("{} of {} never came", missing(), wanted.len());
        };
        let some = some.unwrap();
        consumer.ack(&tags_of(&some)).await.unwrap();
        for name in names_of(&some) {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

pub(crate) fn names_of(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|d| String::from_utf8_lossy(&d.payload).into_owned()).collect()
}

pub(crate) fn tags_of(deliveries: &[Delivery]) -> Vec<DeliveryTag> {
    deliveries.iter().map(|delivery| delivery.tag).collect()
}

/// How many events the stream holds, as the server says.
pub(crate) async fn held(client: &async_nats::Client) -> u64 {
    let jetstream = async_nats::jetstream::new(client.clone());
    let stream = jetstream.get_stream("QLIKSENSE").await.unwrap();
    stream.cached_info().state.messages
}
