//! A backlog through real writers, into InfluxDB or into what stands for it.

use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::influxdb_sink::InfluxDbSink;
use integration_tests::made_up::Mix;
use integration_tests::process::Process;
use integration_tests::programs::{House, Running};
use tokio::time::Instant;

use super::arguments::{Arguments, On};
use super::bus::Bus;
use super::figures::{Figures, Used, Watched};
use super::scrape::Counted;
use super::stored::{self, Found};
use super::{config, keep};
use crate::pin::{self, Pinned};
use integration_tests::measure::cpu;

/// How often the writers are asked whether they have begun: the beginning is known to this.
const UNTIL_BEGUN: Duration = Duration::from_millis(5);
/// How often they are asked whether they are done: often enough for a drain of ten seconds, and
/// seldom enough that the answers cost nothing beside it.
const UNTIL_DONE: Duration = Duration::from_millis(100);
/// Without any progress for so long, what is missing is lost.
const STUCK: Duration = Duration::from_mins(1);

/// What is drained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain<'a> {
    pub(crate) on: On,
    pub(crate) mix: Mix,
    pub(crate) writers: usize,
    pub(crate) arguments: &'a Arguments,
}

/// Where the points go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Database<'a> {
    Sink(&'a InfluxDbSink),
    Influxd(&'a Influxd),
}

impl Database<'_> {
    fn port(self) -> u16 {
        match self {
            Self::Sink(sink) => sink.port(),
            Self::Influxd(influxd) => influxd.port(),
        }
    }

    fn id(self) -> Option<u32> {
        match self {
            Self::Sink(_) => None,
            Self::Influxd(influxd) => influxd.process().map(Process::id),
        }
    }
}

/// What the writers did, and in which time.
struct Drained {
    counted: Counted,
    took: Duration,
    used: Used,
}

impl Drain<'_> {
    /// Drains a new backlog into a database.
    pub(crate) async fn run(&self, database: Database<'_>) -> Figures {
        let Self { on, mix, writers: count, arguments } = *self;
        let events = arguments.events;
        let bus = Bus::start(on).await;
        let house = config::house(database.port(), &bus.section(events));
        bus.prepare(&house).await;
        let made = bus.fill(&house, mix, events).await;
        let pinned = arguments.pin.then(|| Pinned::of(count)).flatten();
        if let Some(pinned) = pinned {
            let others = [bus.id(), database.id(), Some(std::process::id())];
            others.into_iter().flatten().for_each(|id| pinned.keep_off(id));
        }
        // At the same moment, so that the sessions of MQTT are shared at once and for good.
        let mut writers = prepared(on, &house, count);
        for (number, writer) in writers.iter_mut().enumerate() {
            writer.launch();
            if let Some(pinned) = pinned {
                pinned.pin(number, writer.id());
            }
        }
        let watched = Watched {
            writers: writers.iter().map(Running::id).collect(),
            broker: bus.id(),
            influxdb: database.id(),
        };
        let drained = drained(&mut writers, &watched, events).await;
        let peak_bytes = watched.writers.iter().map(|id| cpu::peak_bytes(*id)).max().unwrap_or(0);
        for writer in &mut writers {
            writer.process().terminate().await;
        }
        if pinned.is_some() {
            pin::release(std::process::id());
        }
        keep::printed(arguments, on, &writers);
        let Drained { counted, took, used } = drained;
        let found = match database {
            Database::Sink(_) => Found { lost: events.saturating_sub(counted.stored), doubled: 0 },
            Database::Influxd(influxd) => stored::compare(influxd, &made).await,
        };
        Figures {
            events,
            points: counted.points,
            seconds: took.as_secs_f64(),
            used,
            peak_bytes,
            lost: found.lost,
            doubled: found.doubled,
            again: counted.again,
            least: counted.least,
        }
    }
}

fn prepared(on: On, house: &House, count: usize) -> Vec<Running> {
    let writer = |_| if on == On::Embedded { house.footman() } else { house.writer("w") };
    (0..count).map(writer).collect()
}

/// From the first delivery until everything is stored.
async fn drained(writers: &mut [Running], watched: &Watched, events: u64) -> Drained {
    let launched = Instant::now();
    while Counted::of(writers).await.delivered == 0 {
        assert!(launched.elapsed() < STUCK, "nothing is consumed: {}", writers[0].printed());
        tokio::time::sleep(UNTIL_BEGUN).await;
    }
    let (begun, before) = (Instant::now(), watched.used());
    let (mut last, mut progressed) = (Counted::default(), begun);
    loop {
        let counted = Counted::of(writers).await;
        if counted.stored != last.stored {
            (last, progressed) = (counted, Instant::now());
        }
        let is_stuck = progressed.elapsed() > STUCK;
        if counted.stored + counted.dead_lettered >= events || is_stuck {
            let took = progressed.duration_since(begun);
            return Drained { counted, took, used: watched.used().since(before) };
        }
        let ended = writers.iter().find(|writer| writer.resident().now == 0);
        if let Some(writer) = ended {
            panic!("a writer has ended:\n{}", writer.printed());
        }
        tokio::time::sleep(UNTIL_DONE).await;
    }
}
