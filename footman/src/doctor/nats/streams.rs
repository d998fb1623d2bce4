//! The account, the streams and the consumer of the group, as the programs want them.

use shared::broker::nats::Difference;
use shared::broker::nats::look::{Account, Consumer, Looked, Stream};

use crate::doctor::report::{Finding, Section};
use crate::doctor::units;

/// A stream that is fuller than this part in ten is a warning.
const FULL_TENTHS: u64 = 8;
/// Differences that change what is promised; the others are a matter of taste.
const ESSENTIAL: [&str; 6] = ["retention", "storage", "discard", "subjects", "sealed", "no_ack"];

/// How much the account may keep.
pub(super) fn account(account: &Looked<Account>) -> Finding {
    match account {
        Looked::There(Account { used, limit: Some(limit) }) => {
            let seen = format!(
                "JetStream has {} of {} for this account",
                units::bytes(*used),
                units::bytes(*limit)
            );
            let finding = if *used >= limit / 10 * FULL_TENTHS {
                Finding::warning("account", seen).advise("raise the account's max_file")
            } else {
                Finding::ok("account", seen)
            };
            finding.fact("usedBytes", *used).fact("limitBytes", *limit)
        }
        Looked::There(Account { used, limit: None }) => {
            let used_in_words = units::bytes(*used);
            let seen = format!(
                "JetStream has {used_in_words} for this account, which has no limit of its own"
            );
            Finding::ok("account", seen).fact("usedBytes", *used)
        }
        other => unseen("account", "how much JetStream may keep", other),
    }
}

/// A stream, and how it differs.
pub(super) fn stream(
    looked: &Looked<Stream>,
    name: &str,
    is_of_events: bool,
    section: &mut Section,
) {
    let what = if is_of_events { "stream" } else { "dead-letters" };
    let stream = match looked {
        Looked::There(stream) => stream,
        Looked::Missing if is_of_events => {
            let seen = format!(
                "the stream {name} does not exist yet; the collector makes it, and whether the server has \
                 room for broker.nats.maxBytes shows then"
            );
            section.add(Finding::note(what, seen));
            return;
        }
        Looked::Missing => {
            let seen = format!("the stream {name} does not exist yet; a writer makes it");
            section.add(Finding::note(what, seen));
            return;
        }
        other => {
            section.add(unseen(what, &format!("the stream {name}"), other));
            return;
        }
    };
    section.add(contents(what, stream));
    for difference in &stream.differences {
        section.add(differs(what, difference));
    }
    if stream.current < stream.replicas {
        let seen = format!("{} of {} replicas are up to date", stream.current, stream.replicas);
        section
            .add(Finding::warning(what, seen).advise("look at the other servers of the cluster"));
    }
}

fn contents(what: &'static str, stream: &Stream) -> Finding {
    let kept = if stream.on_disk { "on disk" } else { "in memory" };
    let limit = stream.max_bytes.map_or("no limit".to_owned(), units::bytes);
    let age =
        stream.max_age.map_or("for ever".to_owned(), |age| format!("for {}", units::duration(age)));
    let seen = format!(
        "{}: {} messages, {} of {limit}, kept {age} {kept} by {} server{}",
        stream.name,
        stream.messages,
        units::bytes(stream.bytes),
        stream.replicas,
        if stream.replicas == 1 { "" } else { "s" },
    );
    let is_full = stream.max_bytes.is_some_and(|most| stream.bytes >= most / 10 * FULL_TENTHS);
    let finding = if !stream.on_disk {
        let advice = "make the stream anew with file storage, after the writers have emptied it";
        Finding::fault(what, seen).advise(advice)
    } else if is_full {
        let advice = if what == "stream" {
            "see why writers do not store: the collector keeps what does not fit, as long as its \
             outbox has room"
        } else {
            "mend the cause, then `footman dead-letters replay`, or raise broker.deadLetters.maxBytes"
        };
        Finding::warning(what, seen).advise(advice)
    } else {
        Finding::ok(what, seen)
    };
    finding
        .fact("messages", stream.messages)
        .fact("bytes", stream.bytes)
        .fact("maxBytes", stream.max_bytes)
        .fact("maxAgeS", stream.max_age.map(|age| age.as_secs()))
        .fact("replicas", stream.replicas)
        .fact("currentReplicas", stream.current)
        .fact("storage", if stream.on_disk { "file" } else { "memory" })
}

fn differs(what: &'static str, difference: &Difference) -> Finding {
    let seen = difference.to_string();
    if ESSENTIAL.contains(&difference.setting) {
        let advice = "Footman changes no stream that is there: edit it with the nats tool, or remove \
                      it when it is empty, and it is made anew";
        Finding::warning(what, seen).advise(advice)
    } else {
        Finding::note(what, seen)
    }
}

/// The consumer of the group, and how it differs.
pub(super) fn consumer(looked: &Looked<Consumer>, group: &str, section: &mut Section) {
    let consumer = match looked {
        Looked::There(consumer) => consumer,
        Looked::Missing => {
            let seen =
                format!("the consumer {group} does not exist yet; the first writer makes it");
            section.add(Finding::note("consumer", seen));
            return;
        }
        other => {
            section.add(unseen("consumer", &format!("the consumer {group}"), other));
            return;
        }
    };
    let seen = format!(
        "{group}: {} messages wait, {} are in the hands of writers, {} fetches are open",
        consumer.waiting, consumer.unacked, consumer.fetching
    );
    let idle = consumer.waiting > 0 && consumer.fetching == 0 && consumer.unacked == 0;
    let finding = if idle {
        Finding::warning("consumer", seen).advise("start a writer: nobody takes what waits")
    } else {
        Finding::ok("consumer", seen)
    };
    section.add(finding.fact("waiting", consumer.waiting).fact("unacked", consumer.unacked));
    for difference in &consumer.differences {
        section.add(Finding::note("consumer", difference.to_string()));
    }
}

/// What could not be seen. A role with few rights is as it should be.
fn unseen<T>(what: &'static str, thing: &str, looked: &Looked<T>) -> Finding {
    match looked {
        Looked::Forbidden(subject) => {
            let seen = format!("{thing} is not seen: this user may not publish on {subject}");
            Finding::note(what, seen)
        }
        Looked::Failed(why) => Finding::warning(what, format!("{thing} is not seen: {why}")),
        Looked::There(_) | Looked::Missing => Finding::ok(what, thing),
    }
}
