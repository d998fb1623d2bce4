//! Beating one URL: at first when all is well, then by the schedule, whether all is well or not.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::alarm::Alarm;
use super::client::{Client, Trouble};
use super::parts::Monitored;
use super::vital::Vital;
use crate::readiness::Readiness;

/// How often a program that has just started is looked at: its first beat follows its readiness
/// within 10 s.
const LOOK: Duration = Duration::from_secs(1);
/// Beats of one URL are no closer than this: the service of Healthchecks may drop more than five a
/// minute.
const APART: Duration = Duration::from_secs(12);

/// How long the first good beat waits for the distance to a failure before it: it is due within
/// 10 s of readiness, and one beat too many is no harm.
const GREETS_WITHIN: Duration = Duration::from_secs(5);

/// Beats one URL.
pub(super) struct Monitor {
    process: &'static str,
    address: Address,
    client: Client,
    alarm: Alarm,
    readiness: Readiness,
    needs: fn(&str) -> bool,
    vital: Arc<dyn Vital>,
    failures: bool,
    /// Time between two beats, at least.
    pub(super) apart: Duration,
    silent: bool,
}

impl Monitor {
    /// A monitor of a program called `instance`; none when its URL is no URL, which the
    /// configuration does not let through.
    pub(super) fn new(monitored: Monitored, instance: &str, client: Client) -> Option<Self> {
        let Monitored { process, heartbeat, readiness, needs, vital, failures } = monitored;
        Some(Self {
            address: Address::new(&heartbeat.url, process, instance)?,
            alarm: Alarm::new(heartbeat.frequency),
            apart: APART,
            silent: false,
            process,
            client,
            readiness,
            needs,
            vital,
            failures,
        })
    }

    /// Beats until `stop`; a beat that is on its way then is given up.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.beat_for_ever() => {}
        }
    }

    async fn beat_for_ever(&mut self) {
        // Not at once: parts that have not begun are not known to be missing.
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
        let mut greeted = false;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = self.alarm.rings() => {}
                _ = looks.tick(), if !greeted => {
                    if self.state().is_err() {
                        continue;
                    }
                }
            }
            if !greeted && self.state().is_ok() {
                next = next.min(Instant::now() + GREETS_WITHIN);
            }
            tokio::time::sleep_until(next).await;
            let state = self.state();
            greeted |= state.is_ok();
            let call = match &state {
                Ok(()) => Some(self.address.good()),
                Err(why) => self.address.failing(why).filter(|_| self.failures),
            };
            if let Some(call) = call {
                next = Instant::now() + self.apart;
                let ended = self.client.call(&call).await;
                self.tell(&ended);
            }
        }
    }

    /// Whether all is well, and if not, why.
    fn state(&self) -> Result<(), String> {
        let report = self.readiness.report();
        let missing = report.dependencies.iter().filter(|(_, dependency)| !dependency.up);
        let told: Vec<String> = missing
            .filter(|(name, _)| (self.needs)(name))
            .map(|(name, down)| format!("{name}: {}", down.why.as_deref().unwrap_or("missing")))
            .collect();
        if told.is_empty() {
            self.vital.honest()
        } else {
            Err(format!("not ready: {}", told.join("; ")))
        }
    }

    /// Logs when beats begin to fail and when they arrive again.
    fn tell(&mut self, ended: &Result<(), Trouble>) {
        let (process, monitor) = (self.process, self.address.place());
        match ended {
            Ok(()) if self.silent => {
                tracing::info!(process, monitor, "Heartbeats arrive again.");
            }
            Ok(()) => {}
            Err(why) if self.silent => tracing::debug!(process, monitor, %why, "Still not."),
            Err(why) => tracing::warn!(process, monitor, %why, "Heartbeats do not arrive."),
        }
        self.silent = ended.is_err();
    }
}
