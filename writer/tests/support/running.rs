//! A writer that runs in this process, over a broker in memory, watched at its acks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::registry::Registry;
use shared::broker::memory::MemoryBroker;
use shared::broker::{
    ConsumeError, Consumer, DeadLetter, DeadLetters, Delivery, DeliveryTag, Outgoing, Publisher,
};
use shared::config::{
    Batch, IncludeFields, InfluxDb, Retention, RetentionPolicy, Version, Writer, WriterHttp,
};
use shared::readiness::Readiness;
use shared::secret::Secret;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use writer::{Metrics, Pace, RunError, WriterContext};

use super::eventually;

/// Says of a payload whether it may be acked now.
pub(crate) type MayAck = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// A running writer.
pub(crate) struct Running {
    /// Where its events come from and its dead letters go.
    pub(crate) broker: MemoryBroker,
    /// What it depends on.
    pub(crate) readiness: Readiness,
    /// What it counts.
    pub(crate) metrics: Arc<Metrics>,
    /// What it acked, in that order.
    pub(crate) acked: Arc<Mutex<Vec<u64>>>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

/// InfluxDB 1.x at `url`, with the database `sense ops`.
pub(crate) fn v1(url: &str, credentials: Option<(&str, &str)>) -> InfluxDb {
    InfluxDb {
        url: url.parse().unwrap(),
        version: Version::V1 {
            database: "sense ops".to_owned(),
            retention_policy: RetentionPolicy {
                name: "10d".to_owned(),
                duration: Retention {
                    text: "10d".to_owned(),
                    duration: Some(Duration::from_hours(240)),
                },
            },
            credentials: credentials.map(|(user, secret)| (user.to_owned(), Secret::new(secret))),
        },
        timeout: Duration::from_millis(500),
        ca: None,
    }
}

/// A writer's configuration with small batches.
pub(crate) fn config(influxdb: Option<InfluxDb>) -> Writer {
    Writer {
        instance: None,
        consumer_group: "influxdb".to_owned(),
        batch: Batch { max_points: 100, max_age: Duration::from_millis(20) },
        max_requests_in_flight: 2,
        influxdb,
        include_fields: IncludeFields { active: true, loaded: true, in_memory: true },
        app_names_enabled: true,
        failed_polls: Some("butler_sos_errors".to_owned()),
        memory_usage_instance: Some("DEV".to_owned()),
        session_details: true,
        line_protocol_file: None,
        http: WriterHttp { listen: "127.0.0.1:0".parse().unwrap(), may_move: true },
        heartbeat: None,
    }
}

/// Waits that tests can afford.
pub(crate) fn pace() -> Pace {
    Pace {
        first_backoff: Duration::from_millis(5),
        longest_backoff: Duration::from_millis(40),
        slow: Duration::from_millis(60),
        longest_retry_after: Duration::from_secs(2),
        ..Pace::default()
    }
}

/// Starts a writer.
pub(crate) fn start(config: Writer) -> Running {
    start_watched(config, MemoryBroker::default(), Arc::new(|_| true))
}

/// Starts a writer on a broker; an ack that comes too early is a panic in the writer.
pub(crate) fn start_watched(config: Writer, broker: MemoryBroker, may_ack: MayAck) -> Running {
    super::install_tls_provider();
    let (readiness, acked) = (Readiness::default(), Arc::default());
    let metrics = Metrics::register(&mut Registry::default());
    let shutdown = CancellationToken::new();
    let consumer = Watched {
        inner: broker.consumer(),
        received: BTreeMap::new(),
        acked: Arc::clone(&acked),
        may_ack,
    };
    let context = WriterContext {
        config,
        shutdown_grace: Duration::from_secs(2),
        consumer: Box::new(consumer),
        dead_letters: Arc::new(broker.clone()),
        readiness: readiness.clone(),
        metrics: Arc::clone(&metrics),
        pace: pace(),
    };
    Running {
        task: tokio::spawn(writer::run(context, shutdown.clone())),
        broker,
        readiness,
        metrics,
        acked,
        shutdown,
    }
}

impl Running {
    /// Publishes events for the writer.
    pub(crate) async fn publish(&self, events: impl IntoIterator<Item = Outgoing>) {
        for event in events {
            self.broker.publish(event).await.unwrap();
        }
    }

    /// Waits until every event is acked.
    pub(crate) async fn all_acked(&self) {
        eventually("every event is acked", async || (self.broker.held() == 0).then_some(())).await;
        // The broker forgets an event a moment before the writer knows that it did.
        eventually("the writer holds nothing", async || {
            (self.metrics.counters().backlog == Some(0)).then_some(())
        })
        .await;
    }

    /// The dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.broker.list().await.unwrap()
    }

    /// Waits until the writer is not ready, and gives the reason.
    pub(crate) async fn why_not_ready(&self, word: &str) -> String {
        eventually(&format!("readiness says {word:?}"), async || {
            let report = self.readiness.report();
            report
                .dependencies
                .values()
                .find_map(|dependency| dependency.why.clone().filter(|why| why.contains(word)))
        })
        .await
    }

    /// Waits until the writer is ready.
    pub(crate) async fn ready(&self) {
        eventually("the writer is ready", async || self.readiness.report().ready.then_some(()))
            .await;
    }

    /// Ends the writer.
    pub(crate) async fn stop(self) -> Result<(), RunError> {
        self.shutdown.cancel();
        self.task.await.unwrap()
    }

    /// Ends the writer without a drain, as a crash does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
}

struct Watched {
    inner: Box<dyn Consumer>,
    received: BTreeMap<DeliveryTag, bytes::Bytes>,
    acked: Arc<Mutex<Vec<u64>>>,
    may_ack: MayAck,
}

#[async_trait]
impl Consumer for Watched {
    async fn receive(&mut self, limit: usize) -> Result<Vec<Delivery>, ConsumeError> {
        let deliveries = self.inner.receive(limit).await?;
        for delivery in &deliveries {
            self.received.insert(delivery.tag, delivery.payload.clone());
        }
        Ok(deliveries)
    }

    async fn ack(&mut self, tags: &[DeliveryTag]) -> Result<(), ConsumeError> {
        for tag in tags {
            let (first, payload) = self.received.pop_first().unwrap();
            assert_eq!(first, *tag, "acks must be in order of receipt");
            assert!((self.may_ack)(&payload), "acked before it was stored: {payload:?}");
            self.acked.lock().unwrap().push(tag.0);
        }
        self.inner.ack(tags).await
    }

    fn backlog(&self) -> Option<u64> {
        self.inner.backlog()
    }

    async fn close(self: Box<Self>) -> Result<(), ConsumeError> {
        self.inner.close().await
    }
}
