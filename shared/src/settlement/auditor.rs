//! The task that runs the audits of a program that publishes: hears heartbeats, has published again
//! what is missing, and reports what is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Audit, Finding, Published};
use crate::broker::Subscription;
use crate::envelope::{Envelope, Place};
use crate::event::{Event, Kind, NamedEvent, Publications};
use crate::heartbeat::Heard;

/// Two beats, in which a settlement is told, and the time in which NATS delivers again what a
/// member that died had in hand; and as much again for a broker that is busy.
pub const GRACE: Duration = Duration::from_mins(2);
/// How often in a grace the books are looked at.
const LOOKS: u32 = 24;
/// Events that wait to be published again; what finds no place is found missing again later.
const RESENDS: usize = 10_000;
/// Events that one beat names; the counter has all.
const MOST_NAMED: usize = 100;

/// Events that are to be published again, by their place in the outbox.
pub type Resend = mpsc::Receiver<i64>;

/// The audits of all groups, and what they found.
#[derive(Debug)]
pub struct Auditor {
    audits: Mutex<Vec<Audit>>,
    resend: mpsc::Sender<i64>,
    look_every: Duration,
    /// Events found missing, and published again.
    missing: AtomicU64,
    /// Events that were published again in vain, or could not be.
    lost: AtomicU64,
    /// What the next beat names.
    named: Mutex<Named>,
}

#[derive(Debug, Default)]
struct Named {
    refused: Vec<NamedEvent>,
    lost: Vec<NamedEvent>,
}

impl Auditor {
    /// For these groups, whose events come through so many queues of the broker; `grace` is
    /// [`GRACE`], but for tests.
    pub fn new(groups: &[String], lanes: u16, grace: Duration) -> (Arc<Self>, Resend) {
        let (resend, resends) = mpsc::channel(RESENDS);
        let audits = groups.iter().map(|group| Audit::new(group, lanes, grace)).collect();
        let auditor = Self {
            audits: Mutex::new(audits),
            resend,
            look_every: grace / LOOKS,
            missing: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            named: Mutex::default(),
        };
        (Arc::new(auditor), resends)
    }

    /// The broker has confirmed an event at a place of the outbox.
    pub fn confirmed(&self, position: i64, place: Place, kind: Option<Kind>) {
        let Place { epoch, sequence } = place;
        let published = Published { position, epoch: epoch.to_string(), sequence, kind };
        for audit in lock(&self.audits).iter_mut() {
            audit.confirmed(&published);
        }
    }

    /// The place of the first event that some group has not settled yet: from there on an event may
    /// have to be published again.
    pub fn unsettled_from(&self) -> Option<i64> {
        lock(&self.audits).iter().filter_map(Audit::unsettled_from).min()
    }

    /// The broker will never take an event; it lies in the dead letters beside the outbox.
    pub fn refused(&self, place: Place, kind: Option<Kind>) {
        let Place { epoch, sequence } = place;
        let kind = kind.map_or("unknown", Kind::name).to_owned();
        let mut named = lock(&self.named);
        if named.refused.len() < MOST_NAMED {
            named.refused.push(NamedEvent { epoch: epoch.to_string(), sequence, kind });
        }
    }

    /// An event that is missing is not in the outbox any more.
    pub fn is_gone(&self, position: i64) {
        let found: Vec<(String, Finding)> = lock(&self.audits)
            .iter_mut()
            .filter_map(|audit| Some((audit.group().to_owned(), audit.lost(position)?)))
            .collect();
        for (group, finding) in found {
            self.act(&group, vec![finding]);
        }
    }

    /// Events that were found missing, and published again.
    pub fn missing(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }

    /// Events that the broker confirmed and nobody settled.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What the next beat tells, from a program whose events wait in the outbox from `held_from` on.
    pub fn publications(&self, held_from: u64) -> Publications {
        let Named { refused, lost } = std::mem::take(&mut *lock(&self.named));
        Publications { held_from, refused, lost }
    }

    /// Hears heartbeats until `stop`, and lets `heard` know them too.
    pub async fn run(
        self: Arc<Self>,
        mut heartbeats: Subscription,
        heard: Arc<Heard>,
        stop: CancellationToken,
    ) -> Result<(), std::convert::Infallible> {
        let mut looks = tokio::time::interval(self.look_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(heartbeat) = heartbeats.next() => {
                    heard.note(&heartbeat.payload);
                    self.hear(&heartbeat.payload);
                }
                _ = looks.tick() => self.look(),
            }
        }
    }

    fn hear(&self, payload: &[u8]) {
        let Ok(envelope) = Envelope::decode(payload) else { return };
        if let Event::Heartbeat(beat) = &envelope.event
            && let Some(told) = &beat.settlements
        {
            let now = Instant::now();
            for audit in lock(&self.audits).iter_mut() {
                audit.heard(&envelope.source, told, now);
            }
        }
    }

    fn look(&self) {
        let now = Instant::now();
        let found: Vec<(String, Vec<Finding>)> = lock(&self.audits)
            .iter_mut()
            .map(|audit| (audit.group().to_owned(), audit.findings(now)))
            .collect();
        for (group, findings) in found {
            self.act(&group, findings);
        }
    }

    fn act(&self, group: &str, findings: Vec<Finding>) {
        let (mut missing, mut lost) = (0_u64, Vec::new());
        for finding in findings {
            match finding {
                Finding::Missing(position) => {
                    missing += 1;
                    let _full = self.resend.try_send(position);
                }
                Finding::Lost(event) => lost.push(event),
            }
        }
        if missing > 0 {
            self.missing.fetch_add(missing, Ordering::Relaxed);
            tracing::warn!(
                events = missing,
                group,
                "The broker confirmed events that no writer has settled; they are published again."
            );
        }
        let Some(first) = lost.first() else { return };
        self.lost.fetch_add(lost.len() as u64, Ordering::Relaxed);
        tracing::error!(
            events = lost.len(),
            group,
            epoch = first.epoch,
            sequence = first.sequence,
            kind = first.kind,
            "Events are lost: the broker confirmed them, no writer ever settled them, and the \
             outbox has them no more. The first of them is named here, all by heartbeats. Check \
             that the broker is durable (config/brokers), and raise collector.outbox.replayWindow."
        );
        let mut named = lock(&self.named);
        let room = MOST_NAMED.saturating_sub(named.lost.len());
        named.lost.extend(lost.into_iter().take(room));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector for Auditor {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let followed = lock(&self.audits).iter().map(Audit::followed).max().unwrap_or_default();
        let gauge = encoder.encode_descriptor(
            "unsettled_events",
            "Events that the broker confirmed and no heartbeat has called settled yet",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(i64::try_from(followed).unwrap_or(i64::MAX)).encode(gauge)?;
        let counters = [
            (
                "missing_events",
                "Confirmed events that nobody settled, published again",
                self.missing(),
            ),
            ("lost_events", "Confirmed events that nobody settled, and that are lost", self.lost()),
        ];
        for (name, help, value) in counters {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        Ok(())
    }
}
