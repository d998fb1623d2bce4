//! `footman tap`: shows what is published on the broker, and takes nothing from the writers.
//!
//! A plain subscription feeds a queue of bounded size, and a thread prints what is taken out of it:
//! whoever reads slowly makes the tap miss events, never the broker wait.

mod filter;
mod json;
mod line;
mod news;
mod printer;
mod r#where;
mod words;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use shared::broker::{Broker, Published, Room, Subscription};
use shared::envelope::{DecodeError, Envelope};
use shared::event::Kind;
use shared::lifecycle::{self, EXIT_FAILED};
use shared::readiness::Readiness;
use shared::timestamp::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::cli::duration;
use filter::Servers;
use line::Lines;
use news::News;
use printer::Printer;
use r#where::Place;

/// How this command calls itself at brokers.
const COMMAND: &str = "footman-tap";
/// What may wait while the terminal is slow: half a minute of a large site.
const ROOM: Room = Room { events: 10_000, bytes: 32 << 20 };
/// How often it is looked at how the connection stands, and whether anybody reads.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long the last lines may take once somebody has asked for the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What `tap` may be told.
#[derive(Debug, Args)]
#[command(override_usage = "footman tap --config <FILE> [OPTIONS]\n       \
    footman tap --url <URL> [OPTIONS]")]
#[command(after_help = "Examples:\n  \
    footman tap --config footman.yaml --kind failed-polls,heartbeats\n  \
    footman tap --config footman.yaml --server sense1 --count 1 --json | jq .data.health\n  \
    footman tap --url mqtts://broker:8883 --username subscriber --password-file pw --ca ca.pem\n\n\
    Events that were put back from the dead letters are not shown again.\n\
    Exit codes: 0 done, 1 nothing could be heard or fewer events came than --count, 64 wrong usage, \
    78 wrong configuration, 130 or 143 after a second signal.")]
pub(crate) struct TapArgs {
    #[command(flatten)]
    place: Place,
    /// Only events of this kind; may be repeated, or a list.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = kinds())]
    kinds: Vec<Kind>,
    /// Only what is about this server, by its name and in any case; may be repeated. For app names
    /// it is the repository's host, for heartbeats PROCESS/INSTANCE.
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,
    /// End after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, e.g. 30s or 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Print the events unchanged, one JSON object to a line. Sessions hold the names of users.
    #[arg(long)]
    json: bool,
}

fn kinds() -> impl clap::builder::TypedValueParser<Value = Kind> {
    let names = PossibleValuesParser::new(Kind::ALL.map(Kind::name));
    names.try_map(|name| Kind::from_name(&name).ok_or("no such kind"))
}

/// Listens until it is told to end, has enough, or nobody reads any more.
pub(crate) async fn run(args: TapArgs) -> anyhow::Result<ExitCode> {
    let place = match args.place.find()? {
        Ok(place) => place,
        Err(exit) => return Ok(exit),
    };
    let shutdown = CancellationToken::new();
    lifecycle::shut_down_on_signals(shutdown.clone())?;
    let servers = Servers::new(args.servers);
    let news = News::new(place, servers.names());
    let kinds = if args.kinds.is_empty() { Kind::ALL.to_vec() } else { args.kinds };
    let readiness = Readiness::default();
    let listening = Broker::listen(news.broker(), COMMAND, &kinds, ROOM, &readiness).await?;
    let Some(subscription) = listening else { bail!("the broker has no driver") };
    let form = if args.json {
        Form::Json
    } else {
        Form::Lines(Lines::new(std::io::stdout().is_terminal()))
    };
    let tap = Tap { subscription, kinds, servers, form, news, readiness, heard: 0 };
    let limits = Limits { count: args.count, deadline: args.duration.map(|d| Instant::now() + d) };
    tap.run(limits, shutdown).await
}

/// How events are shown.
enum Form {
    Lines(Lines),
    Json,
}

impl Form {
    fn show(&mut self, published: &Published, decoded: &Result<Envelope, DecodeError>) -> String {
        match (self, decoded) {
            (Self::Json, Ok(_)) => json::event(&published.payload),
            (Self::Json, Err(error)) => json::undecodable(published, error),
            (Self::Lines(lines), Ok(envelope)) => lines.event(envelope),
            (Self::Lines(lines), Err(error)) => {
                lines.undecodable(Timestamp::now(), published, error)
            }
        }
    }
}

/// When to end without being told.
struct Limits {
    count: Option<u64>,
    deadline: Option<Instant>,
}

/// Why the tap ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Enough,
    TimeIsUp,
    Told,
    NobodyReads,
    /// The broker allows none of what was asked for.
    Forbidden,
}

struct Tap {
    subscription: Subscription,
    kinds: Vec<Kind>,
    servers: Servers,
    form: Form,
    news: News,
    readiness: Readiness,
    /// Events that were shown.
    heard: u64,
}

impl Tap {
    async fn run(
        mut self,
        limits: Limits,
        shutdown: CancellationToken,
    ) -> anyhow::Result<ExitCode> {
        let printer = Printer::start();
        let end = self.listen(&printer, &limits, &shutdown).await;
        self.news.missed(self.subscription.missed());
        self.subscription.close().await;
        // What was heard is printed, unless nobody takes it and somebody asks for the end.
        tokio::select! {
            printed = printer.finish() => printed?,
            () = async {
                shutdown.cancelled().await;
                tokio::time::sleep(LAST_LINES).await;
            } => {}
        }
        let was_heard = limits.count.is_none_or(|count| self.heard >= count);
        let is_done = match end {
            End::Enough | End::Told | End::NobodyReads => true,
            End::TimeIsUp => self.news.time_is_up(was_heard),
            End::Forbidden => false,
        };
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
    }

    async fn listen(
        &mut self,
        printer: &Printer,
        limits: &Limits,
        shutdown: &CancellationToken,
    ) -> End {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let time_is_up = time_is_up(limits.deadline);
        tokio::pin!(time_is_up);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return End::Told,
                () = &mut time_is_up => return End::TimeIsUp,
                _ = looks.tick() => {
                    if printer.is_read_by_nobody() {
                        return End::NobodyReads;
                    }
                    if !self.look() {
                        return End::Forbidden;
                    }
                }
                (room, published) = async {
                    let room = printer.room().await;
                    (room, self.subscription.next().await)
                } => {
                    // Without a printer nobody reads; without a subscription nothing comes.
                    let (Some(room), Some(published)) = (room, published) else {
                        return End::NobodyReads;
                    };
                    self.news.missed(self.subscription.missed());
                    if let Some(line) = self.show(&published) {
                        room.send(line);
                        self.heard += 1;
                    }
                    if limits.count.is_some_and(|count| self.heard >= count) {
                        return End::Enough;
                    }
                }
            }
        }
    }

    /// Says how the connection stands; false when nothing will ever be heard.
    fn look(&mut self) -> bool {
        let forbidden = self.subscription.forbidden();
        self.news.forbidden(&forbidden);
        self.news.connection(&self.readiness);
        forbidden.len() < self.kinds.len()
    }

    /// How something that was published is shown; not at all when it was not asked for.
    fn show(&mut self, published: &Published) -> Option<String> {
        let decoded = Envelope::decode(&published.payload);
        if !self.servers.want(&published.subject, decoded.as_ref().ok()) {
            return None;
        }
        Some(self.form.show(published, &decoded))
    }
}

async fn time_is_up(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};
    use shared::subject::Subject;

    use super::line::tests::{beat_text, sessions_text};
    use super::*;

    /// Whatever is published becomes one line that no terminal obeys, in either form.
    #[test]
    fn any_bytes_are_one_line() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut decoded = 0;
        for round in 0..4_000 {
            let mut payload =
                if round % 2 == 0 { beat_text() } else { sessions_text() }.into_bytes();
            for _ in 0..random.random_range(0..3) {
                let at = random.random_range(0..payload.len());
                payload[at] = random.random();
            }
            let subject = String::from_utf8_lossy(&payload).into_owned();
            let subject = Subject::from_neutral(subject);
            let published = Published { subject, payload: payload.into() };
            let envelope = Envelope::decode(&published.payload);
            decoded += usize::from(envelope.is_ok());
            for is_json in [false, true] {
                let mut form = if is_json { Form::Json } else { Form::Lines(Lines::new(false)) };
                let line = form.show(&published, &envelope);
                let shown = line.strip_suffix('\n').unwrap();
                assert!(!shown.chars().any(char::is_control), "{line:?}");
                let is_valid = serde_json::from_str::<serde_json::Value>(shown).is_ok();
                assert_eq!(is_valid, is_json, "{line}");
            }
        }
        assert!((1_000..4_000).contains(&decoded), "{decoded}");
    }
}
