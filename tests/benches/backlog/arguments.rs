//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use integration_tests::made_up::Mix;

const USAGE: &str = "backlog_size nats|mqtt|embedded|outbox [--events N] [--mix site|small|large] \
    [--away refuses|hangs|busy] [--latency-ms N] [--programs DIRECTORY] [--verbose]";

/// Where the backlog lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Nats,
    Mqtt,
    Embedded,
    Outbox,
}

/// How InfluxDB is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Away {
    Refuses,
    Hangs,
    Busy,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) at: Where,
    pub(crate) events: u64,
    pub(crate) mix: Mix,
    pub(crate) away: Away,
    /// How long InfluxDB takes for a request once it is there.
    pub(crate) latency: Duration,
    pub(crate) programs: Option<PathBuf>,
    pub(crate) verbose: bool,
}

impl Arguments {
    pub(crate) fn read() -> Self {
        // Cargo adds `--bench`.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        let at = match words.next().as_deref() {
            Some("nats") => Where::Nats,
            Some("mqtt") => Where::Mqtt,
            Some("embedded") => Where::Embedded,
            Some("outbox") => Where::Outbox,
            _ => panic!("{USAGE}"),
        };
        let mut arguments = Self {
            at,
            events: 1_000_000,
            mix: Mix::Site,
            away: Away::Refuses,
            latency: Duration::from_millis(20),
            programs: None,
            verbose: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().expect(USAGE);
            match word.as_str() {
                "--events" => arguments.events = value().parse().expect(USAGE),
                "--latency-ms" => {
                    arguments.latency = Duration::from_millis(value().parse().expect(USAGE));
                }
                "--programs" => arguments.programs = Some(PathBuf::from(value())),
                "--verbose" => arguments.verbose = true,
                "--mix" => {
                    arguments.mix = match value().as_str() {
                        "site" => Mix::Site,
                        "small" => Mix::Small,
                        "large" => Mix::Large,
                        _ => panic!("{USAGE}"),
                    }
                }
                "--away" => {
                    arguments.away = match value().as_str() {
                        "refuses" => Away::Refuses,
                        "hangs" => Away::Hangs,
                        "busy" => Away::Busy,
                        _ => panic!("{USAGE}"),
                    }
                }
                _ => panic!("{USAGE}"),
            }
        }
        arguments
    }
}
