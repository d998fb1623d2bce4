//! What is asked for on the command line.

use std::path::PathBuf;

use clap::ValueEnum;
use integration_tests::made_up::Mix;

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Over which brokers.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "nats,mqtt,embedded")]
    pub(crate) broker: Vec<On>,
    /// With how many writers at once; the embedded broker has one.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4", value_parser = at_least_one)]
    pub(crate) writers: Vec<usize>,
    /// The backlog. Fewer than 100,000 events show that it works, and nothing more.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: u64,
    /// How often everything is measured.
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// Which events: health alone, which is never stored in a real InfluxDB here, or all kinds.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "health,kinds")]
    pub(crate) mix: Vec<Which>,
    /// Keeps each writer on a core of its own, and everything else off it.
    #[arg(long)]
    pub(crate) pin: bool,
    /// Keeps the figures of each round, and what the programs printed, in this folder.
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|error| format!("{error}"))?;
    if number == 0 { Err("there must be at least one".to_owned()) } else { Ok(number) }
}

/// A broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum On {
    Nats,
    Mqtt,
    Embedded,
}

impl On {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Mqtt => "mqtt",
            Self::Embedded => "embedded",
        }
    }

    /// With how many connections the bare client is tried: the faster one counts.
    ///
    /// A session of MQTT has one connection, and writers have four sessions; a NATS client pulls
    /// for all, and there is one queue in a process.
    pub(crate) fn bare_connections(self) -> &'static [usize] {
        if self == Self::Mqtt { &[1, 4] } else { &[1] }
    }

    /// How many writers there can be.
    pub(crate) fn writers(self, wanted: &[usize]) -> &[usize] {
        if self == Self::Embedded { &[1] } else { wanted }
    }
}

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Which {
    Health,
    Kinds,
}

impl Which {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Kinds => "all kinds",
        }
    }

    pub(crate) fn made_up(self) -> Mix {
        match self {
            Self::Health => Mix::Health,
            Self::Kinds => Mix::Kinds,
        }
    }

    /// Whether a real InfluxDB is to store them.
    pub(crate) fn is_stored(self) -> bool {
        self == Self::Kinds
    }
}
