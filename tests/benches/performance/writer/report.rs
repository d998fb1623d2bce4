//! The table of a broker, and its targets.

use std::collections::BTreeMap;
use std::fmt;

use super::arguments::{Arguments, On, Which};
use super::figures::{Figures, Phase};
use super::{config, keep};
use crate::pin::Pinned;
use integration_tests::measure::samples::{Figure, Samples};
use integration_tests::measure::table::Table;
use integration_tests::measure::target::{Target, Wanted};

/// Of what InfluxDB takes from ready-made batches, the share that writers store.
const OF_INFLUXDB: f64 = 0.75;
/// Of what the bare client consumes, the share that a writer does, with health events.
const OF_NATS: f64 = 0.40;
/// The bare rate over MQTT is five times that over NATS.
const OF_MQTT: f64 = 0.15;
/// What two writers reach of one that has both cores.
const OF_ONE: f64 = 0.9;
/// What they reach when each has a core that nobody else uses: more than one writer.
const OF_ONE_WHEN_PINNED: f64 = 1.0;

const COLUMNS: [&str; 14] = [
    "events",
    "what",
    "writers",
    "connections",
    "events/s",
    "points/s",
    "of its limit",
    "CPU µs/event: writers",
    "broker",
    "InfluxDB",
    "peak MB",
    "lost",
    "doubled",
    "again",
];

/// The figures of all rounds over one broker.
#[derive(Debug)]
pub(crate) struct Report {
    on: On,
    arguments: Arguments,
    /// By round.
    figures: BTreeMap<(Which, Phase), Vec<Figures>>,
}

impl Report {
    /// Without figures.
    pub(crate) fn new(on: On, arguments: Arguments) -> Self {
        Self { on, arguments, figures: BTreeMap::new() }
    }

    /// Takes note of a phase.
    pub(crate) fn add(&mut self, round: usize, mix: Which, phase: Phase, figures: Figures) {
        keep::figures(&self.arguments, self.on, round, mix, phase, &figures);
        println!(
            "  {} round {round}, {}, {}: {} events/s",
            self.on.name(),
            mix.name(),
            phase.text(),
            Figure(figures.events_per_second())
        );
        self.figures.entry((mix, phase)).or_default().push(figures);
    }

    /// What this broker is to reach, as far as it was measured.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        let mut add = |name: &str, wanted: f64, measured: Samples| {
            if !measured.is_empty() {
                let name = format!("{}: {name}", self.on.name());
                targets.push(Target::new(name, Wanted::AtLeast(wanted), &measured));
            }
        };
        let (health, kinds) = (Which::Health, Which::Kinds);
        let of_influxdb =
            |writers| self.ratio(kinds, Phase::Stored { writers }, &[Phase::Batches { writers }]);
        add("one writer, of ready-made batches", OF_INFLUXDB, of_influxdb(1));
        add("two writers, of ready-made batches", OF_INFLUXDB, of_influxdb(2));
        let (one, two) = (Phase::Stored { writers: 1 }, Phase::Stored { writers: 2 });
        add("two writers into InfluxDB, of one", 1.0, self.ratio(kinds, two, &[one]));
        let (one, two) = (Phase::Sink { writers: 1 }, Phase::Sink { writers: 2 });
        let of_bare = match self.on {
            On::Nats => Some(OF_NATS),
            On::Mqtt => Some(OF_MQTT),
            On::Embedded => None,
        };
        if let Some(wanted) = of_bare {
            add("one writer into the sink, of the bare client", wanted, {
                self.ratio(health, one, &self.bare())
            });
        }
        let of_one = if self.is_pinned() { OF_ONE_WHEN_PINNED } else { OF_ONE };
        add("two writers into the sink, of one", of_one, self.ratio(health, two, &[one]));
        for ((mix, phase), figures) in &self.figures {
            if !matches!(phase, Phase::Stored { .. }) {
                continue;
            }
            let mut none = |what: &str, of: &dyn Fn(&Figures) -> u64| {
                let name = format!("{}: {}, {}: {what}", self.on.name(), mix.name(), phase.text());
                let found: Samples = figures.iter().map(|figures| of(figures) as f64).collect();
                targets.push(Target::exactly_none(name, &found));
            };
            none("lost", &|figures| figures.lost);
            none("doubled", &|figures| figures.doubled);
        }
        targets
    }

    /// Whether one writer and two have cores of their own.
    fn is_pinned(&self) -> bool {
        self.arguments.pin && Pinned::of(2).is_some()
    }

    /// The bare client, by connections.
    fn bare(&self) -> Vec<Phase> {
        let connections = self.on.bare_connections().iter();
        connections.map(|&connections| Phase::Bare { connections }).collect()
    }

    /// What a phase reached of its limit, the fastest of several, round by round.
    fn ratio(&self, mix: Which, phase: Phase, limits: &[Phase]) -> Samples {
        let of = |phase| self.figures.get(&(mix, phase)).into_iter().flatten();
        let reached = of(phase).map(Figures::events_per_second).enumerate();
        let ratios = reached.filter_map(|(round, reached)| {
            let limits = limits.iter().filter_map(|&limit| of(limit).nth(round));
            let limit = limits.map(Figures::events_per_second).reduce(f64::max)?;
            Some(reached / limit)
        });
        ratios.collect()
    }

    fn limits(&self, phase: Phase) -> Vec<Phase> {
        match phase {
            Phase::Bare { .. } | Phase::Batches { .. } => vec![],
            Phase::Sink { .. } => self.bare(),
            Phase::Stored { writers } => vec![Phase::Batches { writers }],
        }
    }

    fn row(&self, mix: Which, phase: Phase, figures: &[Figures]) -> Vec<String> {
        let samples = |of: &dyn Fn(&Figures) -> f64| figures.iter().map(of).collect::<Samples>();
        let unless_zero = |of: &dyn Fn(&Figures) -> f64| {
            let samples = samples(of);
            if samples.most() > 0.0 { samples.to_string() } else { "-".to_owned() }
        };
        let sum = |of: &dyn Fn(&Figures) -> u64| figures.iter().map(of).sum::<u64>().to_string();
        let writers = match phase {
            Phase::Bare { .. } | Phase::Batches { .. } => "-".to_owned(),
            Phase::Sink { writers } | Phase::Stored { writers } => writers.to_string(),
        };
        let connections = match phase {
            Phase::Bare { connections } => connections,
            Phase::Sink { writers } | Phase::Batches { writers } | Phase::Stored { writers } => {
                writers * config::REQUESTS_IN_FLIGHT
            }
        };
        vec![
            mix.name().to_owned(),
            phase.what(self.on).to_owned(),
            writers,
            connections.to_string(),
            samples(&Figures::events_per_second).to_string(),
            unless_zero(&Figures::points_per_second),
            self.ratio(mix, phase, &self.limits(phase)).to_string(),
            unless_zero(&|figures| figures.each(figures.used.writers)),
            unless_zero(&|figures| figures.each(figures.used.broker)),
            unless_zero(&|figures| figures.each(figures.used.influxdb)),
            unless_zero(&|figures| figures.peak_bytes as f64 / 1e6),
            sum(&|figures| figures.lost),
            sum(&|figures| figures.doubled),
            sum(&|figures| figures.again),
        ]
    }
}

impl Phase {
    /// The name of its row.
    fn what(self, on: On) -> &'static str {
        match (self, on) {
            (Self::Bare { .. }, On::Nats) => "a: async-nats alone",
            (Self::Bare { .. }, On::Mqtt) => "a: rumqttc alone",
            (Self::Bare { .. }, On::Embedded) => "a: the queue alone",
            (Self::Sink { .. }, _) => "b: into the sink",
            (Self::Batches { .. }, _) => "c: influxd alone",
            (Self::Stored { .. }, _) => "d: into influxd",
        }
    }

    /// For a line about it.
    fn text(self) -> String {
        match self {
            Self::Bare { connections } => format!("a, connections: {connections}"),
            Self::Sink { writers } => format!("b, writers: {writers}"),
            Self::Batches { writers } => format!("c, batches of writers: {writers}"),
            Self::Stored { writers } => format!("d, writers: {writers}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arguments { events, rounds, .. } = &self.arguments;
        let pinned = if self.is_pinned() { ", each writer on a core of its own" } else { "" };
        writeln!(
            formatter,
            "\n### {}: a backlog of {events} events, rounds: {rounds}{pinned}\n",
            self.on.name()
        )?;
        let mut table = Table::new(&COLUMNS);
        for ((mix, phase), figures) in &self.figures {
            table.push(self.row(*mix, *phase, figures));
        }
        write!(formatter, "{table}")
    }
}
