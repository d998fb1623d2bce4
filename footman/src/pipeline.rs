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
use shared::status::{self, Status};
use tokio::sync::broadcast;
use tokio::task::{JoinError, JoinSet};
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
    parts: JoinSet<(Part, anyhow::Result<()>)>,
    /// Ends the collector; the writer follows, so that it stores what the collector still had.
    stop_collector: CancellationToken,
    stop_writer: CancellationToken,
    stop_pages: CancellationToken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Collector,
    Writer,
    Pages,
    MqttListener,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Collector => "collector",
            Self::Writer => "writer",
            Self::Pages => "pages",
            Self::MqttListener => "MQTT listener",
        }
    }
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
        let consumer = EmbeddedConsumer::new(&outbox)?;
        let dead_letters =
            EmbeddedDeadLetters::open(&embedded.directory, config.broker.dead_letters_max_bytes)?;

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
            parts: JoinSet::new(),
            stop_collector: CancellationToken::new(),
            stop_writer: CancellationToken::new(),
            stop_pages: CancellationToken::new(),
            collector_metrics,
            writer_metrics,
            config,
        };
        let status = Status { readiness, metrics: Arc::new(registry) };
        let stop = pipeline.stop_pages.clone();
        pipeline.spawn(Part::Pages, async move {
            Ok(status::serve(listener, status::router(status), stop).await?)
        });
        pipeline.listen_for_mqtt(&embedded)?;
        pipeline.start_writer(consumer, dead_letters);
        pipeline.start_collector(instance);
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
    pub async fn until(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = shutdown.cancelled() => {}
            Some(ended) = self.parts.join_next() => return Err(unexpected(ended)),
        }
        let grace = self.config.shutdown_grace;
        if tokio::time::timeout(grace, self.drain()).await.is_err() {
            tracing::warn!(?grace, "The drain took longer than shutdownGrace and was cut short.");
        }
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

    async fn drain(&mut self) {
        let order = [
            (Part::Collector, self.stop_collector.clone()),
            (Part::Writer, self.stop_writer.clone()),
        ];
        let mut running: Vec<Part> = order.iter().map(|(part, _)| *part).collect();
        for (part, stop) in order {
            stop.cancel();
            while running.contains(&part) {
                let Some(ended) = self.parts.join_next().await else {
                    return;
                };
                running.retain(|other| !matches!(&ended, Ok((ended, _)) if ended == other));
                if let Ok((ended, Err(error))) = ended {
                    tracing::error!(part = ended.name(), error = %format!("{error:#}"), "A part failed while it drained.");
                }
            }
        }
        self.outbox.flush().await;
        self.stop_pages.cancel();
    }

    fn start_writer(&mut self, consumer: EmbeddedConsumer, dead_letters: EmbeddedDeadLetters) {
        let context = WriterContext {
            config: self.config.writer.clone(),
            shutdown_grace: self.config.shutdown_grace,
            consumer: Box::new(consumer),
            dead_letters: Arc::new(dead_letters),
            readiness: self.readiness.clone(),
            metrics: Arc::clone(&self.writer_metrics),
            pace: writer::Pace::default(),
        };
        let stop = self.stop_writer.clone();
        self.spawn(Part::Writer, async move { Ok(writer::run(context, stop).await?) });
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
        let stop = self.stop_collector.clone();
        self.spawn(Part::Collector, async move { Ok(collector::run(context, stop).await?) });
    }

    #[cfg(feature = "mqtt-listener")]
    fn listen_for_mqtt(&mut self, embedded: &Embedded) -> anyhow::Result<()> {
        if let Some(address) = embedded.mqtt_listener {
            let listener = crate::mqtt_listener::MqttListener::bind(address)?;
            self.mqtt = Some(listener.address());
            let (events, stop) = (self.outbox.tap(), self.stop_pages.clone());
            self.spawn(Part::MqttListener, async move {
                listener.run(events, stop).await;
                Ok(())
            });
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

    fn spawn(
        &mut self,
        part: Part,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.parts.spawn(async move { (part, work.await) });
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

fn unexpected(ended: Result<(Part, anyhow::Result<()>), JoinError>) -> anyhow::Error {
    match ended {
        Ok((part, Ok(()))) => anyhow::anyhow!("the {} ended by itself", part.name()),
        Ok((part, Err(error))) => error.context(format!("the {} failed", part.name())),
        Err(panicked) => anyhow::Error::from(panicked).context("a part of the program died"),
    }
}
