//! What a person should know beside the events, on standard error: how the connection stands, what
//! is not shown, and what cannot come.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use shared::config::{self, nearest};
use shared::event::Kind;
use shared::readiness::Readiness;
use tokio::time::Instant;

use super::r#where::Where;
use crate::terminal::printable;

/// The dependency that drivers report.
const BROKER: &str = "broker";
/// How long a connection may be away before that is said: a server that is reached at once is not
/// worth a word.
const GRACE: Duration = Duration::from_millis(500);
/// The same for one of which nothing is known yet.
const SILENCE: Duration = Duration::from_secs(3);
/// What stands there before a driver knows anything. Where it says so in other words, they are said
/// a little early.
const UNKNOWN: [&str; 2] = ["not reached yet", "not connected to NATS yet"];
/// Reasons that are told apart within one absence.
const MOST_REASONS: usize = 8;

/// What was said, so that it is not said again.
#[derive(Debug)]
pub(super) struct News {
    place: Where,
    connection: Connection,
    forbidden: BTreeSet<Kind>,
    missed: u64,
}

#[derive(Debug)]
struct Connection {
    was_there: bool,
    /// Why it is not there, if that is known.
    why: Option<String>,
    away: Option<Away>,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    said: BTreeSet<String>,
}

impl News {
    /// Says at once which of the servers that were asked for are not known.
    pub(super) fn new(place: Where, servers: &[String]) -> Self {
        for warning in unknown_servers(&place, servers) {
            say(&warning);
        }
        let away = Some(Away { since: Instant::now(), said: BTreeSet::new() });
        let connection = Connection { was_there: false, why: None, away };
        Self { place, connection, forbidden: BTreeSet::new(), missed: 0 }
    }

    /// Where to listen.
    pub(super) fn broker(&self) -> &config::Broker {
        &self.place.broker
    }

    /// Says that the connection is lost, why it is not made, and that it is there again.
    pub(super) fn connection(&mut self, readiness: &Readiness) {
        let report = readiness.report();
        let Some(broker) = report.dependencies.get(BROKER) else { return };
        for line in self.connection.lines(broker.up, broker.why.as_deref(), &self.place) {
            say(&self.place.in_its_words(&line));
        }
    }

    /// Says which kinds the broker does not let this user hear.
    pub(super) fn forbidden(&mut self, forbidden: &BTreeSet<Kind>) {
        let new: Vec<&str> =
            forbidden.difference(&self.forbidden).map(|kind| kind.name()).collect();
        if !new.is_empty() {
            say(&format!(
                "the broker at {} does not let this user hear {}: give the user the rights of \
                 `subscriber` in config/brokers, or use the credentials of another one",
                self.place.address,
                new.join(", ")
            ));
        }
        self.forbidden.clone_from(forbidden);
    }

    /// Says how much was skipped, when it is more than was said.
    pub(super) fn missed(&mut self, missed: u64) {
        let more = missed.saturating_sub(self.missed);
        if more > 0 {
            let events = if more == 1 { "1 event was" } else { &format!("{more} events were") };
            say(&format!(
                "{events} skipped: whatever reads this is slower than they come. The writers have \
                 them all"
            ));
        }
        self.missed = missed;
    }

    /// The time is up: whether what was asked for was possible, which is said otherwise.
    pub(super) fn time_is_up(&self, has_enough: bool) -> bool {
        if !self.connection.was_there {
            let unknown = || format!("no answer from {}", self.place.address);
            let why = self.connection.why.as_ref();
            let why = why.map_or_else(unknown, |why| self.place.in_its_words(why));
            say(&format!("the broker was never reached within this time: {why}"));
        } else if !has_enough {
            say("fewer events came within this time than --count wants");
        }
        self.connection.was_there && has_enough
    }
}

impl Connection {
    fn lines(&mut self, is_up: bool, why: Option<&str>, place: &Where) -> Vec<String> {
        if is_up {
            let Some(away) = self.away.take() else { return Vec::new() };
            let first = !std::mem::replace(&mut self.was_there, true);
            return match (first, away.said.is_empty()) {
                (true, _) => vec![format!("listening at {}; Ctrl-C ends it", place.address)],
                (false, false) => vec![format!("listening at {} again", place.address)],
                (false, true) => Vec::new(),
            };
        }
        let why = why.unwrap_or_default();
        let begin = || Away { since: Instant::now(), said: BTreeSet::new() };
        let away = self.away.get_or_insert_with(begin);
        let is_unknown = UNKNOWN.contains(&why);
        self.why = (!is_unknown).then(|| why.to_owned());
        let wait = if is_unknown { SILENCE } else { GRACE };
        let is_told = away.said.len() >= MOST_REASONS || away.said.contains(why);
        if away.since.elapsed() < wait || is_told {
            return Vec::new();
        }
        away.said.insert(why.to_owned());
        let hint = place.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        if is_unknown {
            return vec![format!("no answer from {} yet; trying on{hint}", place.address)];
        }
        vec![format!("{why}; trying on{hint}")]
    }
}

fn unknown_servers(place: &Where, servers: &[String]) -> Vec<String> {
    let Some(names) = &place.names else { return Vec::new() };
    let is_known = |server: &str| {
        // Programs are none of the configuration.
        let lower = server.to_lowercase();
        server.contains('/') || names.iter().any(|name| name.to_lowercase() == lower)
    };
    let unknown = servers.iter().filter(|server| !is_known(server));
    let warning = |server: &String| {
        let near = nearest(server, names.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        let found = if place.discovers { " (it may be found in the repository)" } else { "" };
        format!("warning: no server of the configuration is called {server:?}{found}{near}")
    };
    unknown.map(warning).collect()
}

/// Tells the person at the terminal.
pub(super) fn say(text: &str) {
    let lines: Vec<String> = text.lines().map(printable).collect();
    let mut output = std::io::stderr().lock();
    let _gone = writeln!(output, "footman: {}", lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::super::r#where::tests::{embedded, of_url};
    use super::*;

    #[test]
    fn servers_that_nobody_knows_are_said_with_the_nearest() {
        let place = embedded(Some("127.0.0.1:1883"));
        let asked = ["SENSE1", "sense2", "writer/w", "elsewhere"].map(str::to_owned);
        assert_eq!(
            unknown_servers(&place, &asked),
            [
                "warning: no server of the configuration is called \"sense2\"; did you mean \"sense1\"?",
                "warning: no server of the configuration is called \"elsewhere\"",
            ]
        );
        assert_eq!(unknown_servers(&of_url("mqtt://broker"), &asked), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_is_told_of_when_it_changes() {
        let place = embedded(Some("127.0.0.1:1883"));
        let hint = "(is `footman run` running with this file?)";
        let away = Some(Away { since: Instant::now(), said: BTreeSet::new() });
        let mut connection = Connection { was_there: false, why: None, away };
        let nothing = Vec::<String>::new();
        assert_eq!(connection.lines(false, Some("not reached yet"), &place), nothing);
        tokio::time::advance(SILENCE).await;
        let first = format!("no answer from 127.0.0.1:1883 yet; trying on {hint}");
        assert_eq!(connection.lines(false, Some("not reached yet"), &place), [first]);
        let refused = format!("refused; trying on {hint}");
        assert_eq!(
            connection.lines(false, Some("refused"), &place),
            std::slice::from_ref(&refused)
        );
        assert_eq!(connection.lines(false, Some("refused"), &place), nothing, "said already");
        let there = "listening at 127.0.0.1:1883; Ctrl-C ends it";
        assert_eq!(connection.lines(true, None, &place), [there]);
        assert_eq!(connection.lines(true, None, &place), nothing);

        assert_eq!(connection.lines(false, Some("lost"), &place), nothing, "perhaps for a moment");
        assert_eq!(connection.lines(true, None, &place), nothing);
        assert_eq!(connection.lines(false, Some("refused"), &place), nothing);
        tokio::time::advance(GRACE).await;
        assert_eq!(connection.lines(false, Some("refused"), &place), [refused]);
        assert_eq!(connection.lines(true, None, &place), ["listening at 127.0.0.1:1883 again"]);
    }
}
