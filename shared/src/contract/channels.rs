//! Every topic and subject of the bus: what comes there, on which brokers, kept or not.

use crate::event::Kind;

/// Where a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// On every broker, with `/` on MQTT and `.` on NATS.
    Both,
    /// On MQTT alone: with a broker that speaks it, or at another's MQTT listener.
    Mqtt,
}

/// What has one address.
pub(super) struct Channel {
    /// Its name in the document.
    pub(super) name: String,
    /// What follows `{prefix}/v1/`.
    pub(super) tail: String,
    pub(super) on: On,
    /// The message.
    pub(super) message: &'static str,
    /// Whether MQTT brokers retain it.
    pub(super) retained: bool,
    /// When something is published there.
    pub(super) when: String,
    /// Who consumes it for Footman's own work.
    pub(super) consumer: Option<&'static str>,
}

/// The kinds of events with what follows the kind in their addresses, and when they are published.
const EVENTS: [(Kind, &str, &str); 5] = [
    (Kind::Health, "{server}", "One event for each server and poll of its engine's health."),
    (
        Kind::Sessions,
        "{server}/{virtualProxy}",
        "One event for each virtual proxy and poll, in parts of at most 1,000 sessions.",
    ),
    (
        Kind::AppNames,
        "{repository}",
        "One event for each extraction, in parts of at most 500 apps: the full list at the start \
         and every 24 h, otherwise what is new, renamed or gone.",
    ),
    (Kind::FailedPolls, "{server}/{source}", "One event for each poll that failed or was skipped."),
    (Kind::Heartbeats, "{process}/{instance}", "One event each 30 s from every program."),
];

/// The name of a kind's message.
pub(super) fn message_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Health => "health",
        Kind::Sessions => "sessions",
        Kind::AppNames => "appNames",
        Kind::FailedPolls => "failedPoll",
        Kind::Heartbeats => "heartbeat",
    }
}

fn camel(kind: Kind) -> &'static str {
    match kind {
        Kind::FailedPolls => "failedPolls",
        Kind::Heartbeats => "heartbeats",
        kind => message_of(kind),
    }
}

/// A name as it stands behind another one.
pub(super) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// All channels.
pub(super) fn channels() -> Vec<Channel> {
    let mut channels = Vec::new();
    for (kind, tail, when) in EVENTS {
        channels.push(event(camel(kind).to_owned(), kind, tail, when.to_owned()));
    }
    for (kind, tail, _) in EVENTS {
        let name = format!("replay{}", capital(camel(kind)));
        let when = "An event that `footman dead-letters replay` puts back, unchanged.".to_owned();
        channels.push(Channel {
            tail: format!("replay/{}/{tail}", kind.name()),
            ..event(name, kind, tail, when)
        });
    }
    channels.extend(letters());
    channels.extend(flat());
    channels.extend(own_affairs());
    channels
}

fn event(name: String, kind: Kind, tail: &str, when: String) -> Channel {
    Channel {
        name,
        tail: format!("{}/{tail}", kind.name()),
        on: On::Both,
        message: message_of(kind),
        retained: false,
        when,
        consumer: Some("Writers, each event once for each consumer group."),
    }
}

fn channel(name: &str, tail: &str, on: On, message: &'static str, when: &str) -> Channel {
    Channel {
        name: name.to_owned(),
        tail: tail.to_owned(),
        on,
        message,
        retained: true,
        when: when.to_owned(),
        consumer: None,
    }
}

fn letters() -> [Channel; 1] {
    let when = "An event of which something cannot be stored; published again when it comes again. \
                On MQTT it is retained until it is stored or deleted, which an empty message tells; \
                on NATS it is kept by the stream `QLIKSENSE_DEAD`.";
    [channel("deadLetters", "dead-letters/{group}/{eventId}", On::Both, "deadLetter", when)]
}

fn flat() -> [Channel; 3] {
    [
        channel(
            "state",
            "state/{server}",
            On::Mqtt,
            "state",
            "The latest of a server, after each of its polls; an empty message when the server has \
             left the configuration.",
        ),
        channel(
            "programs",
            "programs/{process}/{instance}",
            On::Mqtt,
            "program",
            "The latest of a program, after each of its heartbeats, and when they fail to come.",
        ),
        channel(
            "status",
            "status/{process}/{instance}",
            On::Mqtt,
            "status",
            "`online` when a program has connected, `offline` when it leaves, or by its last will.",
        ),
    ]
}

/// What Footman's programs tell each other; nobody else needs it, and it may change.
fn own_affairs() -> Vec<Channel> {
    let own = |name, tail, message, when| channel(name, tail, On::Mqtt, message, when);
    let passing = |name, tail| Channel {
        retained: false,
        ..own(name, tail, "marker", "A client tells itself that everything before has come.")
    };
    vec![
        own(
            "slots",
            "slots/{group}/{slot}",
            "slot",
            "The record of a slot, when its owner changes; an empty message when it is given up.",
        ),
        own(
            "members",
            "slots/{group}/members/{member}",
            "member",
            "The record of a writer, every 3 s; an empty message when it leaves, or by its last \
             will.",
        ),
        own(
            "marks",
            "marks/{instance}/{outbox}",
            "mark",
            "How far the events of an outbox are confirmed, at most once a second.",
        ),
        passing("slotsEnd", "slots/{group}/{slot}/end"),
        passing("membersEnd", "slots/{group}/members/{member}/end"),
        passing("marksEnd", "marks/{instance}/{outbox}/end"),
        passing("deadLettersEnd", "dead-letters/{group}/end/{client}"),
    ]
}
