//! `footman dead-letters`: see, put back or give up what could not be stored.
//!
//! Nothing leaves the dead letters here unless somebody says so with `delete`: an event that is
//! replayed keeps its letter until the writer has stored it.

mod delete;
mod list;
mod outcome;
mod places;
mod replay;
mod select;
mod show;
mod text;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use shared::lifecycle;

use crate::cli::{self, ConfigArgs};
use crate::configuration;
use places::Places;

/// What `dead-letters` may be told.
#[derive(Debug, Args)]
#[command(after_help = "Without --group, the dead letters are those of `writer.consumerGroup`.\n\
    Exit codes: 0 done, 1 something is not stored or not found, 64 wrong usage, 78 wrong \
    configuration.")]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One line for each: event, age, count and reason, without the events themselves.
    List {
        #[command(flatten)]
        from: From,
        /// One JSON object to a line, for machines.
        #[arg(long)]
        json: bool,
    },
    /// One of them whole, with its event and the lines that were refused; may hold user names.
    Show {
        #[command(flatten)]
        from: From,
        /// The event's id, or its beginning.
        #[arg(value_name = "ID")]
        id: String,
        /// As it is kept: one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Give events to the writers once more, and say of each how that ended.
    #[command(override_usage = "footman dead-letters replay --config <FILE> <ID>...\n       \
        footman dead-letters replay --config <FILE> --all [--reason <TEXT>]")]
    Replay {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        which: Which,
        /// How long to wait for a writer, counted from the last event that it dealt with.
        #[arg(long, value_name = "TIME", default_value = "30s", value_parser = cli::duration)]
        wait: Duration,
    },
    /// Give events up for good.
    #[command(override_usage = "footman dead-letters delete --config <FILE> <ID>...\n       \
        footman dead-letters delete --config <FILE> --all [--reason <TEXT>]")]
    Delete {
        #[command(flatten)]
        from: From,
        #[command(flatten)]
        which: Which,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Whose dead letters.
#[derive(Debug, Args)]
struct From {
    #[command(flatten)]
    config: ConfigArgs,
    /// The consumer group whose dead letters are meant.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
}

/// Which of them.
#[derive(Debug, Args)]
struct Which {
    /// The events' ids, or their beginnings.
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
    /// Of all only those whose reason contains this text.
    #[arg(long, value_name = "TEXT", requires = "all")]
    reason: Option<String>,
}

/// Runs a subcommand.
pub(crate) async fn run(args: DeadLettersArgs) -> anyhow::Result<ExitCode> {
    let from = match &args.command {
        Command::List { from, .. }
        | Command::Show { from, .. }
        | Command::Replay { from, .. }
        | Command::Delete { from, .. } => from,
    };
    let Ok(loaded) = configuration::read(&from.config.config) else {
        return Ok(lifecycle::wrong_config());
    };
    let places = Places::open(&loaded.config, from.group.as_deref()).await?;
    let ended = match args.command {
        Command::List { json, .. } => list::list(&places, json).await,
        Command::Show { id, json, .. } => show::show(&places, &id, json).await,
        Command::Replay { which, wait, .. } => replay::replay(&places, &which, wait).await,
        Command::Delete { which, yes, .. } => delete::delete(&places, &which, yes).await,
    };
    places.leave().await;
    ended
}

/// Prints what the command is for. Behind `| head`, nobody may read any more.
fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _gone = output.write_all(text.as_bytes()).and_then(|()| output.write_all(b"\n"));
}

/// Prints what a person should know beside it.
fn remark(text: &str) {
    let mut output = std::io::stderr().lock();
    let _gone = output.write_all(text.as_bytes()).and_then(|()| output.write_all(b"\n"));
}
