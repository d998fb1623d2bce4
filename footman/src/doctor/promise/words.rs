//! What is promised, in words.

use std::time::Duration;

use shared::config::{Config, Transport};

use super::{BrokerSeen, Rate, Seen, StreamSeen};
use crate::doctor::report::{Promise, Survives};
use crate::doctor::units;

/// nats-server writes to the disk by itself at least so often, unless its sync_interval says else.
const NATS_SYNC: Duration = Duration::from_mins(2);
/// Copies with which a stream survives the loss of a server.
const COPIES: usize = 3;

/// The promise, trouble by trouble.
pub(crate) fn promise(config: &Config, seen: &Seen) -> Vec<Promise> {
    let all = [
        ("processKilled", process_killed(config, seen)),
        ("hostCrash", host_crash(config, seen)),
        ("influxdbAway", influxdb_away(config, seen)),
        ("brokerAway", broker_away(config, seen)),
        ("brokerKilled", broker_killed(config, seen)),
        ("diskFull", disk_full(seen)),
    ];
    let promise = |(trouble, (survives, text))| Promise { trouble, survives, text };
    all.into_iter().map(promise).collect()
}

type Answer = (Survives, String);

fn process_killed(config: &Config, seen: &Seen) -> Answer {
    let directory = match &config.broker.transport {
        Transport::Embedded(embedded) => &embedded.directory,
        Transport::Nats(_) | Transport::Mqtt(_) => &config.collector.outbox.directory,
    };
    let start = format!(
        "what was polled is in {} before it counts, and goes on from there",
        directory.display()
    );
    match &seen.broker {
        BrokerSeen::Embedded(_) => (Survives::Yes, format!("{start} at the next start")),
        BrokerSeen::Nats(_) => (
            Survives::Yes,
            format!("{start}; what a killed writer held is delivered again, and overwrites itself"),
        ),
        BrokerSeen::Mqtt(_) => (
            Survives::Yes,
            format!(
                "{start}; the slots of a killed writer keep what waits in them for {}, and other writers \
                 adopt them",
                mqtt_expiry(config)
            ),
        ),
    }
}

fn mqtt_expiry(config: &Config) -> String {
    match &config.broker.transport {
        Transport::Mqtt(mqtt) => units::duration(mqtt.session_expiry),
        _ => String::new(),
    }
}

fn host_crash(config: &Config, seen: &Seen) -> Answer {
    let replayed = replay_window(config);
    let own = "the disk has an event before it counts, as far as the disk keeps its word";
    match &seen.broker {
        BrokerSeen::Embedded(_) => (Survives::Yes, own.to_owned()),
        BrokerSeen::Nats(nats) => {
            let stream = nats.and_then(|nats| nats.stream);
            let (survives, text) = nats_crash(stream, config.collector.outbox.replay_window);
            (survives, format!("the collector's host: {own}. The broker's: {text}"))
        }
        BrokerSeen::Mqtt(_) => (
            Survives::Unseen,
            format!(
                "the collector's host: {own}. The broker's: what it confirmed since it last saved is \
                 published again when that was within {replayed} (replayWindow); autosave_interval has \
                 to be below that, and is not seen from here"
            ),
        ),
    }
}

fn replay_window(config: &Config) -> String {
    units::duration(config.collector.outbox.replay_window)
}

fn nats_crash(stream: Option<StreamSeen>, window: Duration) -> Answer {
    let Some(stream) = stream else {
        return (Survives::Unseen, "the stream was not seen".to_owned());
    };
    if !stream.on_disk && stream.replicas < COPIES {
        return (Survives::No, "the stream is in memory, and what waits in it is lost".to_owned());
    }
    if stream.replicas >= COPIES {
        let text =
            format!("{} servers have the stream, and one of them may be lost", stream.replicas);
        return (Survives::Yes, text);
    }
    if window >= NATS_SYNC {
        let text = format!(
            "one server has the stream and writes it to its disk every {} unless sync_interval says \
             otherwise; what it forgets is published again from the outbox, which keeps {} \
             (replayWindow)",
            units::duration(NATS_SYNC),
            units::duration(window)
        );
        return (Survives::Yes, text);
    }
    let text = format!(
        "one server has the stream and writes it to its disk every {} unless sync_interval says \
         otherwise; the outbox keeps only {} (replayWindow) to publish again",
        units::duration(NATS_SYNC),
        units::duration(window)
    );
    (Survives::Partly, text)
}

fn influxdb_away(config: &Config, seen: &Seen) -> Answer {
    if config.writer.influxdb.is_none() {
        return (Survives::Yes, "no InfluxDB is configured".to_owned());
    }
    match &seen.broker {
        BrokerSeen::Embedded(queue) => {
            let room = within(queue.max_bytes.saturating_sub(queue.used), queue.free);
            (Survives::Yes, lasting("the queue", room, Some(queue.max_age), seen.rate))
        }
        BrokerSeen::Nats(nats) => nats_room(config, seen, nats.and_then(|nats| nats.stream)),
        BrokerSeen::Mqtt(mqtt) => {
            let expiry = mqtt_expiry(config);
            let without = mqtt.as_ref().and_then(|mqtt| mqtt.groups_without_slots.first());
            let first = without.map(|group| {
                format!("the group {group} has no slot yet, so events wait in the outbox. ")
            });
            let text = format!(
                "{}the broker keeps what waits as long as its memory and disk allow (max_queued_messages \
                 0, not seen from here), and a slot without a writer for {expiry} (sessionExpiry)",
                first.unwrap_or_default()
            );
            (Survives::Unseen, text)
        }
    }
}

fn nats_room(config: &Config, seen: &Seen, stream: Option<StreamSeen>) -> Answer {
    let Transport::Nats(nats) = &config.broker.transport else {
        return (Survives::Unseen, "the broker was not seen".to_owned());
    };
    let (most, age, used, as_seen) = match stream {
        Some(stream) => (stream.max_bytes, stream.max_age, stream.bytes, ""),
        None => (Some(nats.max_bytes), Some(nats.max_age), 0, "as configured, "),
    };
    let outbox = outbox_room(config, seen);
    if stream.is_some_and(|stream| !stream.refuses_when_full) {
        let text = "the stream drops its oldest events when it is full (discard old)".to_owned();
        return (Survives::Partly, text);
    }
    let kept = match most {
        Some(most) => lasting("the stream", most.saturating_sub(used), age, seen.rate),
        None => match age {
            Some(age) => format!("the stream keeps everything for {}", units::duration(age)),
            None => "the stream keeps everything, as long as the server's disk has room".to_owned(),
        },
    };
    let fills = seen.rate.fills(outbox).map(units::duration);
    let then = fills.map_or_else(String::new, |fills| format!(", about {fills} more"));
    let keeps = if stream.is_some_and(|stream| !stream.work_queue) {
        ". Acked events count as well, since its retention is no work queue"
    } else {
        ""
    };
    let text = format!(
        "{as_seen}{kept}; what a full stream refuses waits in the outbox ({}{then}){keeps}",
        units::bytes(outbox)
    );
    (Survives::Yes, text)
}

fn broker_away(config: &Config, seen: &Seen) -> Answer {
    match &seen.broker {
        BrokerSeen::Embedded(_) => {
            (Survives::Yes, "does not happen: it is part of the process".to_owned())
        }
        BrokerSeen::Nats(_) | BrokerSeen::Mqtt(_) => {
            let room = outbox_room(config, seen);
            (Survives::Yes, lasting("the outbox", room, None, seen.rate))
        }
    }
}

fn broker_killed(config: &Config, seen: &Seen) -> Answer {
    match &seen.broker {
        BrokerSeen::Embedded(_) => {
            (Survives::Yes, "the same as a program that is killed".to_owned())
        }
        BrokerSeen::Nats(nats) => match nats.and_then(|nats| nats.stream) {
            Some(stream) if stream.on_disk => (
                Survives::Yes,
                "the stream is on disk, and is there again with the server".to_owned(),
            ),
            Some(stream) if stream.replicas >= COPIES => {
                (Survives::Yes, "the stream is in the memory of other servers".to_owned())
            }
            Some(_) => (
                Survives::No,
                format!(
                    "the stream is in memory: what waits in it is lost, but for the last {} of the \
                     outbox (replayWindow)",
                    replay_window(config)
                ),
            ),
            None => (Survives::Unseen, "the stream was not seen".to_owned()),
        },
        BrokerSeen::Mqtt(_) => (
            Survives::Unseen,
            format!(
                "with persistence, what came since the last save is published again when that was within \
                 {} (replayWindow): autosave_interval has to be below that, and is not seen from here",
                replay_window(config)
            ),
        ),
    }
}

fn disk_full(seen: &Seen) -> Answer {
    let free = match &seen.broker {
        BrokerSeen::Embedded(queue) => queue.free,
        BrokerSeen::Nats(_) | BrokerSeen::Mqtt(_) => seen.outbox_free,
    };
    let now = free.map_or_else(String::new, |free| format!(" Free now: {}.", units::bytes(free)));
    let text = format!(
        "nothing that is held is lost; what is polled meanwhile is not taken, is counted, and becomes \
         one failed poll per endpoint.{now}"
    );
    (Survives::Partly, text)
}

/// Bytes that the outbox may still take.
fn outbox_room(config: &Config, seen: &Seen) -> u64 {
    let most = config.collector.outbox.max_bytes.saturating_sub(seen.outbox_used);
    within(most, seen.outbox_free)
}

/// Not more than the disk has.
fn within(bytes: u64, free: Option<u64>) -> u64 {
    free.map_or(bytes, |free| bytes.min(free))
}

/// For how long a store keeps what comes.
fn lasting(store: &str, room: u64, age: Option<Duration>, rate: Rate) -> String {
    let fills = rate.fills(room);
    let room = units::bytes(room);
    match (fills, age) {
        (Some(fills), Some(age)) if fills > age => format!(
            "for {} (maxAge): {store} has {room} of room, and events older than that are given up",
            units::duration(age)
        ),
        (Some(fills), _) => format!(
            "for about {}: {store} has {room} of room at the rate seen now",
            units::duration(fills)
        ),
        (None, Some(age)) => format!(
            "for {} at most (maxAge), and as long as {store} has room ({room}); no answer was seen to \
             reckon with",
            units::duration(age)
        ),
        (None, None) => {
            format!("as long as {store} has room ({room}); no answer was seen to reckon with")
        }
    }
}
