//! The program `writer`: consumes from a broker and stores in InfluxDB.

use std::process::ExitCode;
use std::sync::Arc;

use shared::broker::Broker;
use shared::envelope::Origin;
use shared::heartbeat::{Heart, HeartParts, PublisherBus};
use shared::program::{self, Frame, Program};
use shared::stages::Cause;
use shared::tls::Expiry;

use crate::{Metrics, Pace, WriterContext, window};

/// Ports after the default one that are tried, for several writers on one host.
const SPARE_PORTS: u16 = 20;

const PROGRAM: Program = Program {
    process: "writer",
    about: "Consumes events and stores them in InfluxDB.",
    version: env!("CARGO_PKG_VERSION"),
    instance: |config| config.writer.instance.as_deref(),
    listen: |config| {
        let http = &config.writer.http;
        (http.listen, if http.may_move { SPARE_PORTS } else { 0 })
    },
};

/// Runs the program to its end.
pub fn main() -> ExitCode {
    program::main(&PROGRAM, start)
}

async fn start(mut frame: Frame) -> Result<Frame, Cause> {
    let instance = frame.instance.name();
    let broker =
        Broker::connect(&frame.config.broker, PROGRAM.process, instance, &frame.readiness).await?;
    let broker = broker.ok_or("the embedded broker needs both parts in one process")?;
    let metrics = Metrics::register(&mut frame.registry);
    store(&mut frame, &broker, &metrics);
    beat(&mut frame, &broker, metrics);
    Ok(frame)
}

/// Adds the part that beats for the writer.
fn beat(frame: &mut Frame, broker: &Broker, metrics: Arc<Metrics>) {
    let config = Arc::clone(&frame.config);
    let bus = Box::new(PublisherBus::new(broker.publisher()));
    let origin = Origin::new(PROGRAM.process, frame.instance.name());
    let mut parts = HeartParts::new(frame, PROGRAM.process, origin, bus, metrics);
    parts.beat_beside_others(frame, config.writer.heartbeat.as_ref());
    let heart = Heart::new(parts);
    frame.stages.spawn("heart", |stop| heart.run(stop));
}

/// Adds the part that stores what the broker delivers.
pub fn store(frame: &mut Frame, broker: &Broker, metrics: &Arc<Metrics>) {
    let config = frame.config.writer.clone();
    let group = config.consumer_group.clone();
    let context = WriterContext {
        consumer: broker.consumer(&group, window(&config)),
        dead_letters: broker.dead_letters(&group),
        shutdown_grace: frame.config.shutdown_grace,
        readiness: frame.readiness.clone(),
        metrics: Arc::clone(metrics),
        pace: Pace::default(),
        config,
    };
    frame.stages.spawn("writer", |stop| crate::run(context, stop));
    watch_expiry(frame);
}

/// Watches when the certificates end that the writer uses.
pub fn watch_expiry(frame: &mut Frame) {
    let ca = frame.config.writer.influxdb.as_ref().and_then(|influxdb| influxdb.ca.as_ref());
    let expiry = Expiry::default().broker(frame.config.broker.tls()).influxdb(ca);
    frame.watch_expiry(PROGRAM.process, expiry);
}
