//! `footman check`: the configuration as the programs read it, and what they would find out later.

mod report;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use shared::{config, lifecycle};

use report::Report;

/// What `check` may be told.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration: one YAML file, that of Butler SOS 15 or Footman's own.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object, for machines.
    #[arg(long)]
    json: bool,
}

/// Reports every mistake and every warning; warnings alone are no failure.
pub(crate) fn check(args: &CheckArgs) -> ExitCode {
    let read = config::check(&args.config, config::environment());
    let report = Report::of(&args.config, &read);
    let mut output = std::io::stdout().lock();
    // Behind `| head`, nobody may read any more.
    let _gone = if args.json {
        writeln!(output, "{:#}", report.json())
    } else {
        writeln!(output, "{report}")
    };
    if report.is_right() { ExitCode::SUCCESS } else { lifecycle::wrong_config() }
}
