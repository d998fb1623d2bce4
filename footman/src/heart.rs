//! The heart of a process that collects and writes: one program, honest when both of its parts are.

use std::sync::Arc;

use collector::CollectorVital;
use collector::program::Collecting;
use shared::broker::forward::Forwarded;
use shared::config::{Config, Heartbeat};
use shared::heartbeat::{Both, Heart, HeartParts, Monitored, OutboxBus, Vital};
use shared::program::Frame;

use crate::pipeline::PROCESS;

/// The parts, as their heartbeats name them.
const COLLECTOR: &str = "collector";
const WRITER: &str = "writer";
/// The dependency that the collector alone has, and the one that both have.
const OUTBOX: &str = "outbox";
const BROKER: &str = "broker";

/// Adds the heart. It stops with the parts added before it, so that those added after it carry its
/// last beats on.
pub(crate) fn beat(
    frame: &mut Frame,
    collecting: &Collecting,
    forwarded: Option<Arc<Forwarded>>,
    writer: &Arc<writer::Metrics>,
) {
    let config = Arc::clone(&frame.config);
    let [collector, writer, both] = vitals(&config, collecting, forwarded, writer);
    let bus = Box::new(OutboxBus::new(collecting.outbox.clone()));
    let mut parts = HeartParts::new(frame, PROCESS, collecting.origin.clone(), bus, both);
    parts.uptime_monitor.clone_from(&config.collector.uptime_monitor);
    if let Some(heartbeat) = &config.heartbeat {
        parts.beat(frame, heartbeat, true);
    }
    let part = |process, heartbeat: &Heartbeat, needs, vital| Monitored {
        process,
        heartbeat: heartbeat.clone(),
        readiness: frame.readiness.clone(),
        needs,
        vital,
        failures: true,
    };
    if let Some(heartbeat) = &config.collector.heartbeat {
        let needs: fn(&str) -> bool = |name| name == OUTBOX || name == BROKER;
        parts.monitored.push(part(COLLECTOR, heartbeat, needs, collector));
    }
    if let Some(heartbeat) = &config.writer.heartbeat {
        parts.monitored.push(part(WRITER, heartbeat, |name| name != OUTBOX, writer));
    }
    let heart = Heart::new(parts);
    frame.stages.spawn("heart", |stop| heart.run(stop));
}

/// What vouches for the collector, for the writer, and for both as one program.
pub(crate) fn vitals(
    config: &Config,
    collecting: &Collecting,
    forwarded: Option<Arc<Forwarded>>,
    writer: &Arc<writer::Metrics>,
) -> [Arc<dyn Vital>; 3] {
    let collector: Arc<dyn Vital> = CollectorVital::new(config, collecting, forwarded);
    let writer: Arc<dyn Vital> = Arc::<writer::Metrics>::clone(writer);
    let both = Arc::new(Both::new(Arc::clone(&collector), Arc::clone(&writer)));
    [collector, writer, both]
}
