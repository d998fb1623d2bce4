//! `footman schedule`: when a heartbeat text fires, or where it is wrong.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use shared::lifecycle::EXIT_USAGE;
use shared::schedule::{Schedule, ScheduleError};
use shared::timestamp::Timestamp;

/// What `schedule` wants to know.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// The text, such as "every 5 minutes" or "at 8:00 on mon through fri"; all of it is UTC.
    #[arg(required = true, num_args = 1.., value_name = "TEXT")]
    text: Vec<String>,
    /// The moment from which to look, such as 2026-11-21T08:15:00Z; now when it is left out.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Timestamp>,
    /// How many firings to print.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
}

/// Prints the next firings, one to a line.
pub(crate) fn schedule(args: &ScheduleArgs) -> ExitCode {
    let from = args.from.unwrap_or_else(Timestamp::now);
    match Schedule::parse_at(&args.text.join(" "), from) {
        Ok(schedule) => print(&schedule, from, args.count.into()),
        Err(error) => complain(&error),
    }
}

fn print(schedule: &Schedule, from: Timestamp, count: usize) -> ExitCode {
    let mut output = std::io::stdout().lock();
    for firing in schedule.firings(from).take(count) {
        if writeln!(output, "{}", firing.to_seconds()).is_err() {
            // Nobody reads any more, as behind `| head`.
            break;
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "the last words of a command go to its terminal")]
fn complain(error: &ScheduleError) -> ExitCode {
    if let Some(excerpt) = error.excerpt() {
        eprintln!("{excerpt}");
    }
    eprintln!("footman: {error}");
    ExitCode::from(EXIT_USAGE)
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("expected a time like 2026-11-21T08:15:00Z")
}
