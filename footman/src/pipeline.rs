//! The whole path in one process: collector, outbox as broker, writer, and the pages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use collector::CollectorContext;
use prometheus_client::registry::Registry;
use shared::broker::embedded::{EmbeddedConsumer, EmbeddedDeadLetters};
use shared::config::{Config, Embedded, Transport};
use shared::envelope::Origin;
use shared::outbox::{Outbox, OutboxSettings};
use shared::readiness::Readiness;
use shared::stages::{Drain, Stages};
use shared::status::{self, Status};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use writer::WriterContext;

/// The name of this program in logs, events and points.
pub const PROCESS: &str = "footman";
/// Outcomes that a view may lag behind.
const OUTCOMES: usize = 1_024;

/// `footman run` was given a broker of its own.
#[derive(Debug, thiserror::Error)]
#[error(
    "broker.type is {broker}: this version carries events over the embedded broker alone; set \
     broker.type to embedded, or leave it out"
)]
pub struct NotEmbedded {
    broker: &'static str,
}

/// A running pipeline.
#[derive(Debug)]
pub struct Pipeline {
    config: Arc<Config>,
    outbox: Outbox,
    readiness: Readiness,
    page: SocketAddr,
    mqtt: Option<SocketAddr>,
    collector_metrics: Arc<collector::Metrics>,
    writer_metrics: Arc<writer::Metrics>,
    outcomes: broadcast::Sender<collector::Outcome>,
    stages: Stages,
}

impl Pipeline {
    /// Starts every part.
    pub async fn start(config: Arc<Config>, instance: &str) -> anyhow::Result<Self> {
        let embedded = embedded(&config)?.clone();
        let listener = status::listen(config.collector.http.listen, 0).await?;
        let page = listener.local_addr()?;
        let outbox = Outbox::open(&OutboxSettings {
            directory: embedded.directory.clone(),
            max_bytes: embedded.max_bytes,
            max_age: Some(embedded.max_age),
            keep_settled: Duration::ZERO,
        })?;

        let mut registry = Registry::default();
        let collector_metrics = Arc::new(collector::Metrics::default());
        collector_metrics.register(&mut registry);
        let writer_metrics = writer::Metrics::register(&mut registry);
        let readiness = Readiness::default();
        let mut pipeline = Self {
            outbox,
            readiness: readiness.clone(),
            page,
            mqtt: None,
            outcomes: broadcast::Sender::new(OUTCOMES),
            stages: Stages::default(),
            collector_metrics,
            writer_metrics,
            config,
        };
        // In the order in which they stop: the writer stores what the collector still had.
        pipeline.start_collector(instance);
        pipeline.start_writer(&embedded)?;
        pipeline.listen_for_mqtt(&embedded)?;
        let pages = status::router(Status { readiness, metrics: Arc::new(registry) });
        pipeline.stages.spawn("pages", |stop| status::serve(listener, pages, stop));
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            instance,
            servers = pipeline.config.collector.servers.len(),
            queue = %embedded.directory.display(),
            waiting = pipeline.outbox.depth(),
            page = %format!("http://{page}/"),
            "Footman has started."
        );
        Ok(pipeline)
    }

    /// Runs until `shutdown`, then drains; fails when a part ends by itself.
    pub async fn until(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let grace = self.config.shutdown_grace;
        if self.stages.until(shutdown, grace).await? == Drain::CutShort {
            tracing::warn!(?grace, "The drain took longer than shutdownGrace and was cut short.");
        }
        self.outbox.flush().await;
        let waiting = self.outbox.depth();
        if waiting == 0 {
            tracing::info!("Everything that was polled is stored. Goodbye.");
        } else {
            tracing::info!(waiting, "Events wait in the queue for the next start. Goodbye.");
        }
        Ok(())
    }

    /// Where the pages are.
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    /// Where MQTT clients can subscribe.
    pub fn mqtt(&self) -> Option<SocketAddr> {
        self.mqtt
    }

    /// What a view needs to follow the pipeline, after it has been handed to [`Self::until`].
    pub fn view(&self) -> View {
        View {
            outcomes: self.outcomes.subscribe(),
            outbox: self.outbox.clone(),
            collector: Arc::clone(&self.collector_metrics),
            writer: Arc::clone(&self.writer_metrics),
            readiness: self.readiness.clone(),
        }
    }

    fn start_collector(&mut self, instance: &str) {
        let context = CollectorContext {
            config: Arc::clone(&self.config),
            outbox: self.outbox.clone(),
            origin: Origin::new(PROCESS, instance),
            readiness: self.readiness.clone(),
            metrics: Arc::clone(&self.collector_metrics),
            latest: Some(self.outcomes.clone()),
        };
        self.stages.spawn("collector", |stop| collector::run(context, stop));
    }

    fn start_writer(&mut self, embedded: &Embedded) -> anyhow::Result<()> {
        let limit = self.config.broker.dead_letters_max_bytes;
        let context = WriterContext {
            config: self.config.writer.clone(),
            shutdown_grace: self.config.shutdown_grace,
            consumer: Box::new(EmbeddedConsumer::new(&self.outbox)?),
            dead_letters: Arc::new(EmbeddedDeadLetters::open(&embedded.directory, limit)?),
            readiness: self.readiness.clone(),
            metrics: Arc::clone(&self.writer_metrics),
            pace: writer::Pace::default(),
        };
        self.stages.spawn("writer", |stop| writer::run(context, stop));
        Ok(())
    }

    #[cfg(feature = "mqtt-listener")]
    fn listen_for_mqtt(&mut self, embedded: &Embedded) -> anyhow::Result<()> {
        if let Some(address) = embedded.mqtt_listener {
            let listener = crate::mqtt_listener::MqttListener::bind(address)?;
            self.mqtt = Some(listener.address());
            let events = self.outbox.tap();
            self.stages.spawn("MQTT listener", |stop| listener.run(events, stop));
        }
        Ok(())
    }

    #[cfg(not(feature = "mqtt-listener"))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as with the feature")]
    fn listen_for_mqtt(&mut self, embedded: &Embedded) -> anyhow::Result<()> {
        anyhow::ensure!(
            embedded.mqtt_listener.is_none(),
            "broker.embedded.mqttListener is set, but this program was built without the feature \
             mqtt-listener"
        );
        Ok(())
    }
}

/// What a view needs to follow a pipeline.
#[derive(Debug)]
pub struct View {
    /// The outcome of every tick.
    pub outcomes: broadcast::Receiver<collector::Outcome>,
    /// The queue.
    pub outbox: Outbox,
    /// What the collector counts.
    pub collector: Arc<collector::Metrics>,
    /// What the writer counts.
    pub writer: Arc<writer::Metrics>,
    /// What the pipeline depends on.
    pub readiness: Readiness,
}

fn embedded(config: &Config) -> Result<&Embedded, NotEmbedded> {
    match &config.broker.transport {
        Transport::Embedded(embedded) => Ok(embedded),
        Transport::Nats(_) => Err(NotEmbedded { broker: "nats" }),
        Transport::Mqtt(_) => Err(NotEmbedded { broker: "mqtt" }),
    }
}
