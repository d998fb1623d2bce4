//! What the heart of a program is made of: who beats, where, and what vouches for it.

use std::sync::Arc;

use super::bus::Bus;
use super::vital::Vital;
use crate::config::{self, UptimeMonitor};
use crate::envelope::Origin;
use crate::program::Frame;
use crate::readiness::Readiness;

/// What heartbeats are made of.
pub struct HeartParts {
    /// The program: `collector`, `writer` or `footman`.
    pub process: &'static str,
    /// Its instance name.
    pub instance: String,
    /// Its version.
    pub version: &'static str,
    /// The first level of its subjects.
    pub topic_prefix: String,
    /// Who its events are from, the same as for all its other events.
    pub origin: Origin,
    /// The way to the broker.
    pub bus: Box<dyn Bus>,
    /// What vouches for it.
    pub vital: Arc<dyn Vital>,
    /// When it reports its memory; none when it does not.
    pub uptime_monitor: Option<UptimeMonitor>,
    /// The URLs it beats.
    pub monitored: Vec<Monitored>,
}

impl HeartParts {
    /// Of a program that beats on the bus alone.
    pub fn new(
        frame: &Frame,
        process: &'static str,
        origin: Origin,
        bus: Box<dyn Bus>,
        vital: Arc<dyn Vital>,
    ) -> Self {
        Self {
            process,
            instance: frame.instance.name().to_owned(),
            // All programs of the workspace have one version.
            version: env!("CARGO_PKG_VERSION"),
            topic_prefix: frame.config.broker.topic_prefix.clone(),
            origin,
            bus,
            vital,
            uptime_monitor: None,
            monitored: Vec::new(),
        }
    }

    /// Adds a URL that is beaten for the program; `failures` says whether failures are told.
    pub fn beat(&mut self, frame: &Frame, heartbeat: &config::Heartbeat, failures: bool) {
        self.monitored.push(Monitored {
            process: self.process,
            heartbeat: heartbeat.clone(),
            readiness: frame.readiness.clone(),
            needs: |_any| true,
            vital: Arc::clone(&self.vital),
            failures,
        });
    }

    /// Adds the URL of a program that runs beside others on the same configuration: that of its
    /// own section, or else the root's.
    pub fn beat_beside_others(&mut self, frame: &Frame, own: Option<&config::Heartbeat>) {
        if let Some(own) = own {
            self.beat(frame, own, true);
        } else if let Some(shared) = &frame.config.heartbeat {
            // The good beats of the others would contradict a failure on the same URL.
            self.beat(frame, shared, !frame.config.heartbeat_hides_programs());
        }
    }
}

impl std::fmt::Debug for HeartParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeartParts")
            .field("process", &self.process)
            .field("instance", &self.instance)
            .field("monitored", &self.monitored)
            .finish_non_exhaustive()
    }
}

/// A URL to beat, and for whom.
pub struct Monitored {
    /// The program or part, as `{process}` in the URL.
    pub process: &'static str,
    /// The URL and the schedule.
    pub heartbeat: config::Heartbeat,
    /// What must be there for a good beat, as far as it is needed.
    pub readiness: Readiness,
    /// Which dependencies are needed.
    pub needs: fn(&str) -> bool,
    /// Who must do its work for a good beat.
    pub vital: Arc<dyn Vital>,
    /// Whether failures are told.
    pub failures: bool,
}

impl std::fmt::Debug for Monitored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitored")
            .field("process", &self.process)
            .field("heartbeat", &self.heartbeat)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
