//! Everything that has a target, in one run: before a release.

use clap::Parser as _;
use integration_tests::measure::target::Target;

use crate::Performance;

/// What is measured, as one would ask for it: small backlogs, and every size that has a target.
const PARTS: [&[&str]; 4] = [
    &["footprint"],
    &["stages"],
    &["collector", "--servers", "20,2000", "--seconds", "60"],
    &["latency"],
];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The backlog of the writers.
    #[arg(long, default_value_t = 200_000)]
    events: u64,
    /// How often the writers are measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Measures part after part, and gives the targets of all.
pub(crate) fn measure(arguments: &Arguments) -> Vec<Target> {
    let (events, rounds) = (arguments.events.to_string(), arguments.rounds.to_string());
    let writer = ["writer", "--writers", "1,2", "--events", &events, "--rounds", &rounds];
    let parts = PARTS.into_iter().chain(std::iter::once(&writer[..]));
    parts.flat_map(measure_part).collect()
}

fn measure_part(part: &[&str]) -> Vec<Target> {
    println!("\n## {}\n", part.join(" "));
    let asked = std::iter::once(&"performance").chain(part);
    Performance::parse_from(asked).what.expect("a part").measure()
}
