//! Measures the programs, prints tables, and says which targets are met.
//!
//! ```sh
//! cargo build --release -p collector -p writer -p footman -p simulator
//! cargo bench -p integration-tests --bench performance -- writer --broker nats
//! cargo bench -p integration-tests --bench performance -- stages
//! ```
//!
//! Exit code 1 when a target is missed by more than its noise; `docs/performance.md` has the figures
//! and says what the columns mean. One binary for all, since each would link the whole workspace.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool of the tests, whose output is its purpose"
)]

mod check;
mod collector;
mod footprint;
mod growth;
mod latency;
mod machine;
mod pin;
mod plot;
mod programs;
mod site_process;
mod sizing;
mod stages;
mod writer;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::machine::Machine;
use integration_tests::measure::target::{Target, Targets};

/// Measures the programs and says which targets are met.
#[derive(Debug, Parser)]
#[command(name = "performance")]
struct Performance {
    #[command(subcommand)]
    what: Option<What>,
    /// Cargo adds it.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

/// What is measured; each has its module, and gives its targets.
#[derive(Debug, Subcommand)]
enum What {
    /// Everything that has a target, before a release; an hour.
    Check(check::Arguments),
    /// A backlog through writers, beside the bare client and InfluxDB alone.
    Writer(writer::Arguments),
    /// What decoding, mapping, encoding and compressing cost for each event and point.
    Stages(stages::Arguments),
    /// What polling costs and how punctual it is, for sites of different sizes.
    Collector(collector::Arguments),
    /// From the end of a poll to the point that can be read.
    Latency(latency::Arguments),
    /// Start, processor time, memory and size of programs at rest.
    Footprint(footprint::Arguments),
    /// What each event costs as a site, its lists or a backlog grow; writes plots.
    Growth(growth::Arguments),
    /// What sites of different sizes make and need: a calculation, nothing runs.
    Sizing(sizing::Arguments),
}

impl What {
    fn measure(&self) -> Vec<Target> {
        match self {
            Self::Check(arguments) => check::measure(arguments),
            Self::Writer(arguments) => writer::measure(arguments),
            Self::Stages(arguments) => stages::measure(arguments),
            Self::Collector(arguments) => collector::run(arguments),
            Self::Latency(arguments) => latency::run(arguments),
            Self::Footprint(arguments) => footprint::run(arguments),
            Self::Growth(arguments) => growth::measure(arguments),
            Self::Sizing(arguments) => sizing::measure(arguments),
        }
    }
}

fn main() -> ExitCode {
    let Performance { what, bench: _ } = Performance::parse();
    let Some(what) = what else {
        // So it is run by `cargo test --all-targets` and by `cargo bench` without a word.
        println!("{}", Performance::command().render_help());
        return ExitCode::SUCCESS;
    };
    println!("{}", Machine::look());
    shared::lifecycle::install_crypto();
    let targets = Targets(what.measure());
    println!("{targets}");
    if machine::IS_RELEASE && targets.is_any_missed() {
        return ExitCode::FAILURE;
    }
    if !machine::IS_RELEASE {
        println!(
            "This is a debug build: it shows that the bench runs, and its figures mean nothing."
        );
    }
    ExitCode::SUCCESS
}
