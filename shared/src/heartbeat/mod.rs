//! Heartbeats: a program says that it lives, and only when it does its work.
//!
//! On the bus every program beats each 30 s, good or bad, whether anybody configured it or not.
//! Monitors (Healthchecks, Uptime Kuma, any URL) are beaten by their schedules: a program that is
//! not ready or not honest tells those that have a word for it, and is silent to the others.
//! A monitor that is away delays nothing, and its URL is a secret.
//!
//! `vital` is what vouches for a program; `bus` and `monitor` are where beats go; a monitor is made
//! of an `address`, a `client` and an `alarm`.

mod address;
mod alarm;
mod bus;
mod client;
mod heard;
pub mod memory;
mod monitor;
mod parts;
mod uptime;
mod vital;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use bus::{Bus, BusError, OutboxBus, PublisherBus};
pub use heard::{Heard, HeardProgram};
pub use parts::{HeartParts, Monitored};
pub use vital::{Both, Vital};

use crate::config::LogLevel;
use crate::envelope::{Origin, Unnumbered};
use crate::event::{Event, Heartbeat};
use crate::subject::Subject;
use crate::timestamp::{PollClock, Timestamp};
use alarm::Alarm;
use client::Client;
use monitor::Monitor;

/// Time between beats on the bus: a subscriber that waits three times as long knows.
const BEAT_INTERVAL: Duration = Duration::from_secs(30);
/// From the start to the first beat: time for the parts to begin, so that it can be honest.
const FIRST_BEAT: Duration = Duration::from_secs(2);
/// How long the last beat may take: a broker that is away must not hold up the end.
const LAST_BEAT: Duration = Duration::from_secs(2);

/// A task that beats a monitor died.
#[derive(Debug, Error)]
#[error("the task that beats a monitor died")]
pub struct HeartError(#[from] JoinError);

/// Beats for a program.
pub struct Heart {
    process: &'static str,
    instance: String,
    version: &'static str,
    started: Timestamp,
    running: Instant,
    subject: Subject,
    origin: Origin,
    clock: PollClock,
    bus: Box<dyn Bus>,
    vital: Arc<dyn Vital>,
    uptime: Option<(Alarm, LogLevel)>,
    monitors: Vec<Monitor>,
    was_honest: bool,
}

impl std::fmt::Debug for Heart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heart").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why there is a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// It was time.
    Interval,
    /// `uptimeMonitor` has a schedule of its own.
    Uptime(LogLevel),
}

impl Heart {
    /// The heart of a program that has just started.
    pub fn new(parts: HeartParts) -> Self {
        let HeartParts { process, instance, version, topic_prefix, origin, bus, vital, .. } = parts;
        Self {
            started: Timestamp::now(),
            running: Instant::now(),
            subject: Subject::heartbeats(&topic_prefix, process, &instance),
            clock: PollClock::default(),
            uptime: parts
                .uptime_monitor
                .map(|monitor| (Alarm::new(monitor.frequency), monitor.log_level)),
            monitors: monitors(parts.monitored, &instance),
            was_honest: true,
            process,
            instance,
            version,
            origin,
            bus,
            vital,
        }
    }

    /// Beats until `stop`.
    ///
    /// # Errors
    /// A task died that never should.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), HeartError> {
        let mut monitors = JoinSet::new();
        for monitor in std::mem::take(&mut self.monitors) {
            monitors.spawn(monitor.run(stop.clone()));
        }
        let ended = tokio::select! {
            () = self.beat_for_ever() => Ok(()),
            () = stop.cancelled() => Ok(()),
            Some(ended) = monitors.join_next() => ended,
        };
        stop.cancel();
        while monitors.join_next().await.is_some() {}
        self.say_what_was_settled_last().await;
        self.bus.close().await;
        Ok(ended?)
    }

    /// Otherwise what was settled since the last beat would seem lost until it comes again.
    async fn say_what_was_settled_last(&mut self) {
        let Some(settlements) = self.vital.settlements().filter(|told| !told.settled.is_empty())
        else {
            return;
        };
        self.vital.not_told(&settlements);
        let said = tokio::time::timeout(LAST_BEAT, self.beat(Occasion::Interval)).await;
        if said.is_err() {
            tracing::debug!("The last heartbeat is not on the bus.");
        }
    }

    async fn beat_for_ever(&mut self) {
        let mut beats = tokio::time::interval_at(Instant::now() + FIRST_BEAT, BEAT_INTERVAL);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let occasion = tokio::select! {
                _ = beats.tick() => Occasion::Interval,
                level = rings(&mut self.uptime) => Occasion::Uptime(level),
            };
            self.beat(occasion).await;
        }
    }

    async fn beat(&mut self, occasion: Occasion) {
        let heartbeat = self.heartbeat(occasion);
        if let Occasion::Uptime(level) = occasion {
            uptime::report(level, self.running.elapsed(), heartbeat.memory);
        }
        self.tell_honesty(heartbeat.why.as_deref());
        let settlements = heartbeat.settlements.clone();
        if !self.put(heartbeat).await
            && let Some(settlements) = settlements
        {
            self.vital.not_told(&settlements);
        }
    }

    /// Hands a beat to the bus. Says whether it is there.
    async fn put(&mut self, heartbeat: Heartbeat) -> bool {
        let subject = format!("{}/{}", self.process, self.instance);
        let event = Event::Heartbeat(Box::new(heartbeat));
        match Unnumbered::encode(&self.origin, &subject, self.clock.now(), &event) {
            Ok(event) => match self.bus.put(self.subject.clone(), event).await {
                Ok(()) => return true,
                Err(error) => tracing::debug!(%error, "A heartbeat is not on the bus."),
            },
            Err(error) => tracing::debug!(%error, "A heartbeat cannot be encoded."),
        }
        false
    }

    fn heartbeat(&self, occasion: Occasion) -> Heartbeat {
        let why = self.vital.honest().err();
        Heartbeat {
            process: self.process.to_owned(),
            instance: self.instance.clone(),
            version: self.version.to_owned(),
            started: self.started,
            uptime_s: self.running.elapsed().as_secs(),
            honest: why.is_none(),
            why,
            memory: memory::now(),
            counters: self.vital.counters(),
            uptime_monitor: matches!(occasion, Occasion::Uptime(_)),
            settlements: self.vital.settlements(),
            publications: self.vital.publications(),
        }
    }

    fn tell_honesty(&mut self, why: Option<&str>) {
        let is_honest = why.is_none();
        if self.was_honest
            && let Some(why) = why
        {
            tracing::warn!(why, "The {} does not do its work, and says so.", self.process);
        } else if is_honest && !self.was_honest {
            tracing::info!("The {} does its work again.", self.process);
        }
        self.was_honest = is_honest;
    }
}

fn monitors(monitored: Vec<Monitored>, instance: &str) -> Vec<Monitor> {
    if monitored.is_empty() {
        // Reading the system's authorities takes a while, and nobody needs them.
        return Vec::new();
    }
    let client = Client::new();
    let of = |monitored| Monitor::new(monitored, instance, client.clone());
    monitored.into_iter().filter_map(of).collect()
}

async fn rings(uptime: &mut Option<(Alarm, LogLevel)>) -> LogLevel {
    match uptime {
        Some((alarm, level)) => {
            alarm.rings().await;
            *level
        }
        None => std::future::pending().await,
    }
}
