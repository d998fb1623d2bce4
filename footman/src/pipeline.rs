//! The whole path in one process: collector, broker, writer, and the pages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use collector::announcing::{self, OwnListener};
use collector::program::{self, Collecting};
use shared::broker::Broker;
use shared::broker::embedded::{EmbeddedConsumer, EmbeddedDeadLetters, Replays};
use shared::config::{Config, Embedded, Transport};
use shared::instance::Instance;
use shared::outbox::{Outbox, OutboxSettings};
use shared::program::Frame;
use shared::readiness::Readiness;
use shared::stages::{Cause, Drain};
use shared::status::{self, Status};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use writer::WriterContext;

use crate::heart;
#[cfg(feature = "mqtt-listener")]
use crate::mqtt_listener::MqttListener;

/// The name of this program in logs, events and points.
pub const PROCESS: &str = "footman";

/// How long the writer may take to be given what came last; one whose window is full is not, and
/// the rest stays in the queue.
const HAND_OVER: Duration = Duration::from_secs(1);
/// How often that is looked at.
const HAND_OVER_LOOK: Duration = Duration::from_millis(5);

/// A running pipeline.
#[derive(Debug)]
pub struct Pipeline {
    frame: Frame,
    collecting: Collecting,
    page: SocketAddr,
    mqtt: Option<SocketAddr>,
    writer_metrics: Arc<writer::Metrics>,
}

impl Pipeline {
    /// Starts every part.
    pub async fn start(config: Arc<Config>, instance: Instance) -> anyhow::Result<Self> {
        let listener = status::listen(config.collector.http.listen, 0).await?;
        let page = listener.local_addr()?;
        let collector_pages = collector::Pages::bind(&config).await?;
        instance.answers_at(page);
        let mut frame = Frame::new(config, instance);
        // In the order in which they stop: the writer stores what the collector still had.
        let connected =
            Broker::connect(&frame.config.broker, PROCESS, frame.instance.name(), &frame.readiness);
        let writer_metrics = writer::Metrics::register(&mut frame.registry);
        let (collecting, forwarded, mqtt);
        match (connected.await?, &Arc::clone(&frame.config).broker.transport) {
            (None, Transport::Embedded(embedded)) => {
                let outbox = open_queue(embedded)?;
                // Before anything is polled, so that a port that is taken ends the program first.
                let listener = bind_mqtt(&frame.config, embedded)?;
                collecting = program::collect(&mut frame, PROCESS, &outbox);
                forwarded = None;
                program::hear_own(&mut frame, &collecting);
                heart::beat(&mut frame, &collecting, None, &writer_metrics);
                start_writer(&mut frame, &outbox, embedded, &writer_metrics)?;
                announce(&mut frame, &collecting, own_listener(listener.as_ref()));
                mqtt = listen_for_mqtt(&mut frame, &outbox, listener);
            }
            (broker, _) => {
                let broker = broker.context("the broker has no driver")?;
                let outbox = program::open_outbox(&frame.config).map_err(boxed)?;
                collecting = program::collect(&mut frame, PROCESS, &outbox);
                let forwarder = program::forwarder(&mut frame, &collecting, &broker);
                let forwarder = forwarder.map_err(boxed)?;
                forwarded = Some(forwarder.forwarded());
                heart::beat(&mut frame, &collecting, forwarded.clone(), &writer_metrics);
                announce(&mut frame, &collecting, None);
                frame.stages.spawn("forwarder", |stop| forwarder.run(stop));
                writer::program::store(&mut frame, &broker, &writer_metrics);
                mqtt = None;
            }
        }
        let [_collector, _writer, both] =
            heart::vitals(&frame.config, &collecting, forwarded.clone(), &writer_metrics);
        program::show(&mut frame, collector_pages, &collecting, forwarded);
        collector::page::add(&mut frame, PROCESS, &collecting, both);
        let readiness = frame.readiness.clone();
        let metrics = Arc::new(std::mem::take(&mut frame.registry));
        let pages =
            status::router(Status { readiness, metrics }).merge(std::mem::take(&mut frame.pages));
        frame.stages.spawn("pages", |stop| status::serve(listener, pages, stop));
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            instance = frame.instance.name(),
            servers = frame.config.collector.servers.len(),
            waiting = collecting.outbox.depth(),
            page = %format!("http://{page}/"),
            "Footman has started."
        );
        Ok(Self { frame, collecting, page, mqtt, writer_metrics })
    }

    /// Runs until `shutdown`, then drains; fails when a part ends by itself.
    pub async fn until(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let grace = self.frame.config.shutdown_grace;
        let transport = &self.frame.config.broker.transport;
        let is_embedded = matches!(transport, Transport::Embedded(_));
        if self.frame.stages.until(shutdown, grace).await? == Drain::CutShort {
            tracing::warn!(?grace, "The drain took longer than shutdownGrace and was cut short.");
        }
        let outbox = &self.collecting.outbox;
        outbox.flush().await;
        let waiting = outbox.depth();
        if waiting == 0 {
            let place = if is_embedded { "stored" } else { "with the broker" };
            tracing::info!("Everything that was polled is {place}. Goodbye.");
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
            outcomes: self.collecting.latest.subscribe(),
            outbox: self.collecting.outbox.clone(),
            collector: Arc::clone(&self.collecting.metrics),
            writer: Arc::clone(&self.writer_metrics),
            readiness: self.frame.readiness.clone(),
        }
    }
}

fn open_queue(embedded: &Embedded) -> anyhow::Result<Outbox> {
    let queue = Outbox::open(&OutboxSettings {
        directory: embedded.directory.clone(),
        max_bytes: embedded.max_bytes,
        max_age: Some(embedded.max_age),
        keep_settled: Duration::ZERO,
    })?;
    tracing::info!(directory = %embedded.directory.display(), "The queue is open.");
    Ok(queue)
}

/// The writer over the embedded broker.
fn start_writer(
    frame: &mut Frame,
    outbox: &Outbox,
    embedded: &Embedded,
    metrics: &Arc<writer::Metrics>,
) -> anyhow::Result<()> {
    let registry = frame.registry.sub_registry_with_prefix("collector");
    registry.register_collector(Box::new(outbox.clone()));
    let limit = frame.config.broker.dead_letters_max_bytes;
    let dead_letters = EmbeddedDeadLetters::open(&embedded.directory, limit)?;
    let replays = Replays::new(outbox, dead_letters.clone());
    let context = WriterContext {
        config: frame.config.writer.clone(),
        shutdown_grace: frame.config.shutdown_grace,
        consumer: Box::new(EmbeddedConsumer::new(outbox)?),
        dead_letters: Arc::new(dead_letters),
        readiness: frame.readiness.clone(),
        metrics: Arc::clone(metrics),
        pace: writer::Pace::default(),
    };
    let queue = outbox.clone();
    frame.stages.spawn("replays", |stop| replays.run(stop));
    frame.stages.spawn("queue", |stop| hand_over(queue, stop));
    frame.stages.spawn("writer", |stop| writer::run(context, stop));
    writer::program::watch_expiry(frame);
    Ok(())
}

/// Holds the writer back from its end until it was given what came last.
async fn hand_over(queue: Outbox, stop: CancellationToken) -> Result<(), Cause> {
    stop.cancelled().await;
    let deadline = Instant::now() + HAND_OVER;
    while !queue.is_read() && Instant::now() < deadline {
        tokio::time::sleep(HAND_OVER_LOOK).await;
    }
    Ok(())
}

/// What stands for the listener in a program that was built without it.
#[cfg(not(feature = "mqtt-listener"))]
enum MqttListener {}

/// Takes the address at which MQTT clients may subscribe, if there is one.
#[cfg(feature = "mqtt-listener")]
fn bind_mqtt(config: &Config, embedded: &Embedded) -> anyhow::Result<Option<MqttListener>> {
    let Some(address) = embedded.mqtt_listener else { return Ok(None) };
    let home_assistant = config.collector.home_assistant.as_ref();
    let birth = home_assistant.map(|told| format!("{}/status", told.discovery_prefix));
    Ok(Some(MqttListener::bind(address, birth)?))
}

#[cfg(not(feature = "mqtt-listener"))]
fn bind_mqtt(_config: &Config, embedded: &Embedded) -> anyhow::Result<Option<MqttListener>> {
    anyhow::ensure!(
        embedded.mqtt_listener.is_none(),
        "broker.embedded.mqttListener is set, but this program was built without the feature \
         mqtt-listener"
    );
    Ok(None)
}

/// Adds the parts that announce the latest of everything.
fn announce(frame: &mut Frame, collecting: &Collecting, own: Option<OwnListener>) {
    announcing::announce(frame, collecting, PROCESS, own);
}

/// By what this program is known to its own listener.
#[cfg(feature = "mqtt-listener")]
fn own_listener(listener: Option<&MqttListener>) -> Option<OwnListener> {
    listener.map(MqttListener::own)
}

#[cfg(not(feature = "mqtt-listener"))]
fn own_listener(_listener: Option<&MqttListener>) -> Option<OwnListener> {
    None
}

/// Shows MQTT clients what the queue takes.
#[cfg(feature = "mqtt-listener")]
fn listen_for_mqtt(
    frame: &mut Frame,
    outbox: &Outbox,
    listener: Option<MqttListener>,
) -> Option<SocketAddr> {
    let listener = listener?;
    let address = listener.address();
    let events = outbox.tap();
    frame.stages.spawn("MQTT listener", |stop| listener.run(events, stop));
    Some(address)
}

#[cfg(not(feature = "mqtt-listener"))]
fn listen_for_mqtt(
    _frame: &mut Frame,
    _outbox: &Outbox,
    _listener: Option<MqttListener>,
) -> Option<SocketAddr> {
    None
}

fn boxed(cause: Cause) -> anyhow::Error {
    anyhow::Error::from_boxed(cause)
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
