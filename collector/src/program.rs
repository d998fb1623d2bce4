//! The program `collector`: polls, keeps in the outbox, publishes to a broker.

use std::process::ExitCode;
use std::sync::Arc;

use shared::broker::embedded::EmbeddedDeadLetters;
use shared::broker::forward::{self, Forwarded, Forwarder};
use shared::broker::{Broker, DeadLetters};
use shared::config::{Config, Transport};
use shared::envelope::Origin;
use shared::event::Kind;
use shared::heartbeat::{Heard, Heart, HeartParts, OutboxBus};
use shared::outbox::{Outbox, OutboxSettings};
use shared::program::{self, Frame, Program};
use shared::settlement::{self, Auditor};
use shared::stages::Cause;
use shared::tls::Expiry;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::endpoint::bare;
use crate::site_metrics::SiteMetrics;
use crate::{CollectorContext, CollectorHonesty, CollectorVital, Latest, Metrics, Pages};

const PROGRAM: Program = Program {
    process: "collector",
    about: "Polls Qlik Sense and publishes what it finds.",
    version: env!("CARGO_PKG_VERSION"),
    instance: |config| config.collector.instance.as_deref(),
    listen: |config| (config.collector.http.listen, 0),
};

/// Runs the program to its end.
pub fn main() -> ExitCode {
    program::main(&PROGRAM, start)
}

async fn start(mut frame: Frame) -> Result<Frame, Cause> {
    let config = Arc::clone(&frame.config);
    let pages = Pages::bind(&config).await?;
    let instance = frame.instance.name().to_owned();
    let broker =
        Broker::connect(&config.broker, PROGRAM.process, &instance, &frame.readiness).await?;
    let broker = broker.ok_or("the embedded broker needs both parts in one process")?;
    let outbox = open_outbox(&config)?;
    let collecting = collect(&mut frame, PROGRAM.process, &outbox);
    let forwarder = forwarder(&mut frame, &collecting, &broker)?;
    let forwarded = forwarder.forwarded();
    beat(&mut frame, &collecting, Arc::clone(&forwarded));
    frame.stages.spawn("forwarder", |stop| forwarder.run(stop));
    show(&mut frame, pages, &collecting, Some(forwarded));
    frame.outbox = Some(outbox);
    Ok(frame)
}

/// Adds the part that beats for the collector; its last beats are still forwarded.
fn beat(frame: &mut Frame, collecting: &Collecting, forwarded: Arc<Forwarded>) {
    let config = Arc::clone(&frame.config);
    let vital = CollectorVital::new(&config, collecting, Some(forwarded));
    let bus = Box::new(OutboxBus::new(collecting.outbox.clone()));
    let origin = collecting.origin.clone();
    let mut parts = HeartParts::new(frame, PROGRAM.process, origin, bus, vital);
    parts.uptime_monitor.clone_from(&config.collector.uptime_monitor);
    parts.beat_beside_others(frame, config.collector.heartbeat.as_ref());
    let heart = Heart::new(parts);
    frame.stages.spawn("heart", |stop| heart.run(stop));
}

/// A collector at work, for those who watch it.
#[derive(Clone, Debug)]
pub struct Collecting {
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// What the site said last.
    pub latest: Arc<Latest>,
    /// The programs that were heard on the bus.
    pub heard: Arc<Heard>,
    /// Where its events go.
    pub outbox: Outbox,
    /// Who its events are from.
    pub origin: Origin,
}

/// Adds the part that polls, and its numbers.
pub fn collect(frame: &mut Frame, process: &str, outbox: &Outbox) -> Collecting {
    let metrics = Arc::new(Metrics::default());
    metrics.register(&mut frame.registry);
    if frame.config.collector.discovery.is_some() {
        metrics.register_discovery(&mut frame.registry);
    }
    let latest = Arc::new(Latest::default());
    SiteMetrics::register(&latest, &mut frame.registry);
    let origin = Origin::new(process, frame.instance.name());
    let context = CollectorContext {
        config: Arc::clone(&frame.config),
        outbox: outbox.clone(),
        origin: origin.clone(),
        readiness: frame.readiness.clone(),
        metrics: Arc::clone(&metrics),
        latest: Arc::clone(&latest),
    };
    frame.stages.spawn("collector", |stop| crate::run(context, stop));
    frame.watch_expiry(PROGRAM.process, expiry(&frame.config, &metrics));
    Collecting { metrics, latest, heard: Arc::default(), outbox: outbox.clone(), origin }
}

/// The certificates that the collector uses and meets.
fn expiry(config: &Config, metrics: &Metrics) -> Expiry {
    let collector = &config.collector;
    let engines = collector.servers.iter();
    let engines = engines.map(|server| (server.name.clone(), bare(&server.host).to_owned()));
    let repository = collector.app_names.iter();
    let repository = repository.map(|names| (names.host.clone(), names.host.clone()));
    Expiry::default()
        .site(collector.certificates.as_ref())
        .broker(config.broker.tls())
        .broker(collector.predecessor_topics.as_ref().map(|topics| &topics.tls))
        .servers(engines.chain(repository).collect(), metrics.presented())
}

/// Adds the part that serves the pages of the predecessor's keys; `forwarded` is what a broker
/// confirms, and none when the outbox itself is its queue.
pub fn show(
    frame: &mut Frame,
    pages: Pages,
    collecting: &Collecting,
    forwarded: Option<Arc<Forwarded>>,
) {
    let Collecting { metrics, latest, outbox, .. } = collecting.clone();
    let config = &frame.config.collector;
    let honesty = Arc::new(CollectorHonesty::new(config, metrics, outbox, forwarded));
    frame.stages.spawn("collector's pages", |stop| pages.serve(latest, honesty, stop));
}

/// The outbox of a collector that publishes to a broker of its own.
pub fn open_outbox(config: &Config) -> Result<Outbox, Cause> {
    let outbox = &config.collector.outbox;
    Ok(Outbox::open(&OutboxSettings {
        directory: outbox.directory.clone(),
        max_bytes: outbox.max_bytes,
        max_age: None,
        keep_settled: outbox.replay_window,
    })?)
}

/// Makes the part that publishes what the outbox holds, and adds its numbers.
pub fn forwarder(
    frame: &mut Frame,
    collecting: &Collecting,
    broker: &Broker,
) -> Result<Forwarder, Cause> {
    let Collecting { outbox, heard, .. } = collecting.clone();
    let config = Arc::clone(&frame.config);
    let directory = &config.collector.outbox.directory;
    let limit = config.broker.dead_letters_max_bytes;
    let refused: Arc<dyn DeadLetters> = Arc::new(EmbeddedDeadLetters::open(directory, limit)?);
    let groups = consumer_groups(&config);
    let (auditor, resends) = Auditor::new(&groups, broker.lanes(), settlement::GRACE);
    let forwarder = Forwarder::new(&outbox, broker.publisher_for(&outbox), refused)?
        .audited(Arc::clone(&auditor), resends);
    let registry = frame.registry.sub_registry_with_prefix(PROGRAM.process);
    registry.register_collector(Box::new(outbox.clone()));
    registry.register_collector(Box::new(forwarder.forwarded()));
    registry.register_collector(Box::new(Arc::clone(&auditor)));
    let heartbeats = broker.heartbeats();
    frame.stages.spawn("audit", |stop| auditor.run(heartbeats, heard, stop));
    let forwarded = forwarder.forwarded();
    let readiness = frame.readiness.clone();
    let telling = |stop| forward::tell_progress(outbox, forwarded, readiness, stop);
    frame.stages.spawn("progress", telling);
    Ok(forwarder)
}

/// Adds the part that hears this process' own beats, where the outbox itself is the broker's queue
/// and nobody else beats on the bus.
pub fn hear_own(frame: &mut Frame, collecting: &Collecting) {
    let (mut events, heard) = (collecting.outbox.tap(), Arc::clone(&collecting.heard));
    let hear = |stop: CancellationToken| async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok::<(), Cause>(()),
                event = events.recv() => match event {
                    Ok(event) if event.subject.kind() == Some(Kind::Heartbeats) => {
                        heard.note(&event.payload);
                    }
                    // A beat that is missed is followed by the next.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                }
            }
        }
    };
    frame.stages.spawn("ear for heartbeats", hear);
}

/// Who must settle what is published.
fn consumer_groups(config: &Config) -> Vec<String> {
    match &config.broker.transport {
        Transport::Mqtt(mqtt) => mqtt.groups.clone(),
        Transport::Nats(_) | Transport::Embedded(_) => vec![config.writer.consumer_group.clone()],
    }
}
