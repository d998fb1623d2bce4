//! The command line: one subcommand, one function.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use shared::lifecycle::{self, EXIT_FAILED, EXIT_USAGE};

use crate::check::CheckArgs;
use crate::dead_letters::DeadLettersArgs;
use crate::doctor::DoctorArgs;
use crate::schedule::{self, ScheduleArgs};
use crate::secrets::{self, SecretsArgs};
use crate::tap::TapArgs;
use crate::{check, dead_letters, demo, doctor, run, tap};

/// Carries what a Qlik Sense site says about itself into InfluxDB, and loses none of it.
#[derive(Debug, Parser)]
#[command(name = "footman", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show Footman on a simulated site of three servers; nothing to configure.
    Demo(DemoArgs),
    /// Poll, queue and store in one process.
    Run(ConfigArgs),
    /// Read a configuration as the programs do, and report every mistake at once.
    ///
    /// Nothing is asked over the network. Exit code 78 says that no program starts with the
    /// configuration; warnings alone are 0.
    Check(CheckArgs),
    /// Go and look at everything that a configuration names, and say what is wrong.
    ///
    /// Nothing is changed: no stream, database or point is made, and no heartbeat is sent. Ends with
    /// what this configuration survives. Exit code 0 when nothing is wrong, 1 when something is, 78
    /// when the configuration cannot be read.
    Doctor(DoctorArgs),
    /// Watch what is published, on any broker, without disturbing the writers.
    ///
    /// One line for each event: its time, kind and server, and the numbers that matter. It takes
    /// nothing from the writers and leaves nothing at the broker; a tap that is slow misses events,
    /// and says how many. Users are counted and never named, except with --json, which prints the
    /// events unchanged. Ctrl-C ends it.
    Tap(TapArgs),
    /// See, put back or give up what could not be stored.
    ///
    /// An event is kept as a dead letter when InfluxDB refuses some of its lines, when it cannot be
    /// read, or when the broker will never take it. Mend the cause, then replay: the event is stored
    /// with its own time, and only then is its letter gone.
    DeadLetters(DeadLettersArgs),
    /// Say when the text of a heartbeat's frequency fires, or where it is wrong.
    Schedule(ScheduleArgs),
    /// Make the passwords, keys and certificates that a stack needs, or hash a password.
    ///
    /// What is missing in the directory is made, what is there is kept, and nothing secret is
    /// printed. To renew the broker's certificate, delete broker-cert.pem and broker-key.pem and run
    /// it again; to change a password, delete its file.
    Secrets(SecretsArgs),
}

/// What commands that need a configuration want to know.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration: one YAML file, that of Butler SOS 15 or Footman's own.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// What `demo` may be told.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// End by itself after this time, e.g. 30s or 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Where certificates, configuration, queue and points are kept.
    #[arg(long, value_name = "DIR", default_value = "footman-demo")]
    pub(crate) data: PathBuf,
}

/// Runs the command line of this process to its end.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked_or_wrong) => {
            // Nothing can be done when even the terminal is gone.
            let _gone = asked_or_wrong.print();
            let wrong = asked_or_wrong.use_stderr();
            return if wrong { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    lifecycle::install_crypto();
    lifecycle::raise_file_limit();
    match cli.command {
        Command::Check(args) => check::check(&args),
        Command::Schedule(args) => schedule::schedule(&args),
        Command::Secrets(args) => secrets::secrets(&args),
        Command::DeadLetters(args) => in_runtime(dead_letters::run(args)),
        Command::Tap(args) => in_runtime(tap::run(args)),
        Command::Doctor(args) => in_runtime(doctor::run(args)),
        Command::Run(args) => in_runtime(run::run(args)),
        Command::Demo(args) => in_runtime(demo::demo(args)),
    }
}

fn in_runtime(program: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let started = lifecycle::runtime().context("the runtime cannot be started");
    let ended = started.and_then(|runtime| {
        let ended = runtime.block_on(program);
        // What is still open was given its time; a thread that hangs must not keep the process.
        runtime.shutdown_background();
        ended
    });
    ended.unwrap_or_else(|error| {
        report(&error);
        ExitCode::from(EXIT_FAILED)
    })
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to its terminal")]
fn report(error: &anyhow::Error) {
    eprintln!("footman: {error:#}");
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    shared::config::parse_duration(text).map_err(|form| format!("expected {form}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read() {
        let cli = Cli::try_parse_from(["footman", "demo", "--for", "30s"]).unwrap();
        let Command::Demo(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.duration, Some(Duration::from_secs(30)));
        assert!(Cli::try_parse_from(["footman", "demo", "--for", "soon"]).is_err());
    }
}
