//! What a phase gives, and what it used.

use serde::Serialize;

use integration_tests::measure::cpu;

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "phase")]
pub(crate) enum Phase {
    /// a: the bare client.
    Bare { connections: usize },
    /// b: writers, and a sink for InfluxDB.
    Sink { writers: usize },
    /// c: InfluxDB alone, with the connections of so many writers.
    Batches { writers: usize },
    /// d: writers into InfluxDB.
    Stored { writers: usize },
}

/// The figures of one phase.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) events: u64,
    pub(crate) points: u64,
    pub(crate) seconds: f64,
    pub(crate) used: Used,
    /// The most memory that a writer had, in bytes.
    pub(crate) peak_bytes: u64,
    /// Events of which InfluxDB has nothing; without InfluxDB, those that no writer has stored.
    pub(crate) lost: u64,
    /// Points in InfluxDB that no event was to make.
    pub(crate) doubled: u64,
    /// Deliveries that came again.
    pub(crate) again: u64,
    /// Events that the least busy writer stored.
    pub(crate) least: u64,
}

impl Figures {
    pub(crate) fn events_per_second(&self) -> f64 {
        self.events as f64 / self.seconds
    }

    pub(crate) fn points_per_second(&self) -> f64 {
        self.points as f64 / self.seconds
    }

    /// Microseconds for each event.
    pub(crate) fn each(&self, cpu_seconds: f64) -> f64 {
        cpu_seconds * 1e6 / self.events as f64
    }
}

/// CPU seconds of a phase.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Used {
    pub(crate) writers: f64,
    pub(crate) broker: f64,
    pub(crate) influxdb: f64,
    /// This process: the bare client, the sink, and whoever feeds InfluxDB.
    pub(crate) bench: f64,
}

/// Whose CPU seconds are counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) writers: Vec<u32>,
    pub(crate) broker: Option<u32>,
    pub(crate) influxdb: Option<u32>,
}

impl Watched {
    /// What they have used since their start.
    pub(crate) fn used(&self) -> Used {
        let of = |id: Option<u32>| id.map_or(0.0, cpu::cpu_seconds);
        Used {
            writers: self.writers.iter().map(|id| cpu::cpu_seconds(*id)).sum(),
            broker: of(self.broker),
            influxdb: of(self.influxdb),
            bench: cpu::own_cpu_seconds(),
        }
    }
}

impl Used {
    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            writers: self.writers - before.writers,
            broker: self.broker - before.broker,
            influxdb: self.influxdb - before.influxdb,
            bench: self.bench - before.bench,
        }
    }
}
