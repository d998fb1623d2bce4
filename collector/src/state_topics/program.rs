//! What a program's topic says: its newest beat as one flat object. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use shared::heartbeat::HeardProgram;
use shared::timestamp::Timestamp;

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;
/// Silence after which a program is not connected, as [`HeardProgram::is_connected`] has it.
const SILENT_AFTER: Duration = Duration::from_secs(90);
/// A program that has been silent for so long is forgotten: its name will not come back.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// The payload of `programs/{process}/{instance}`.
pub(crate) fn payload(program: &HeardProgram) -> Vec<u8> {
    let HeardProgram { beat, time, .. } = program;
    let counters = &beat.counters;
    let resident = (10.0 * beat.memory.resident_bytes as f64 / MIB).round() / 10.0;
    let said = json!({
        "process": beat.process,
        "instance": beat.instance,
        "version": beat.version,
        "connected": program.is_connected(),
        "honest": beat.honest,
        "why": beat.why,
        "last_beat": time.to_seconds(),
        "started": beat.started.to_seconds(),
        "uptime_s": beat.uptime_s,
        "resident_mib": resident,
        "published": counters.published,
        "confirmed": counters.confirmed,
        "delivered": counters.delivered,
        "stored": counters.stored,
        "dead_lettered": counters.dead_lettered,
        "redelivered": counters.redelivered,
        "failed_writes": counters.failed_writes,
        "outbox": counters.outbox,
        "backlog": counters.backlog,
        "oldest_unwritten_s": counters.oldest_unwritten_s,
        "lost": counters.lost,
    });
    said.to_string().into_bytes()
}

/// What is to become of a topic that was retained before this program began, and whose program has
/// not been heard since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The program may still beat.
    Waits,
    /// It is silent: this is what its topic is to say.
    Silent(Vec<u8>),
    /// Nobody knows it any more.
    Forgotten,
}

/// Judges the payload of such a topic.
pub(crate) fn fate(payload: &[u8], now: Timestamp) -> Fate {
    let Ok(Value::Object(mut said)) = serde_json::from_slice(payload) else {
        // Somebody else's; it is none of our business.
        return Fate::Waits;
    };
    let last_beat = said.get("last_beat").and_then(Value::as_str).and_then(Timestamp::parse);
    let Some(silence) = last_beat.map(|last_beat| now.since(last_beat)) else { return Fate::Waits };
    if silence > FORGOTTEN_AFTER {
        return Fate::Forgotten;
    }
    if silence <= SILENT_AFTER {
        return Fate::Waits;
    }
    said.insert("connected".to_owned(), json!(false));
    Fate::Silent(Value::Object(said).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use shared::event::{Counters, Heartbeat, ProcessMemory};

    use super::*;

    fn program(age: Duration) -> HeardProgram {
        let time = Timestamp::parse("2026-11-21T08:15:30.5Z").unwrap();
        let beat = Heartbeat {
            process: "writer".to_owned(),
            instance: "host.a".to_owned(),
            version: "1.2.3".to_owned(),
            started: time.minus(Duration::from_mins(1)),
            uptime_s: 60,
            honest: false,
            why: Some("InfluxDB is away".to_owned()),
            memory: ProcessMemory { resident_bytes: 22_334_455, allocated_bytes: 1 },
            counters: Counters { stored: Some(7), backlog: Some(3), ..Counters::default() },
            uptime_monitor: false,
            settlements: None,
            publications: None,
        };
        HeardProgram { beat, time, age }
    }

    fn said(program: &HeardProgram) -> Value {
        serde_json::from_slice(&payload(program)).unwrap()
    }

    #[test]
    fn the_newest_beat_with_every_key() {
        let wanted = json!({
            "process": "writer", "instance": "host.a", "version": "1.2.3", "connected": true,
            "honest": false, "why": "InfluxDB is away", "last_beat": "2026-11-21T08:15:30Z",
            "started": "2026-11-21T08:14:30Z", "uptime_s": 60, "resident_mib": 21.3,
            "published": null, "confirmed": null, "delivered": null, "stored": 7,
            "dead_lettered": null, "redelivered": null, "failed_writes": null, "outbox": null,
            "backlog": 3, "oldest_unwritten_s": null, "lost": null,
        });
        assert_eq!(said(&program(Duration::from_secs(30))), wanted);
        assert_eq!(said(&program(Duration::from_secs(91)))["connected"], false);
    }

    #[test]
    fn a_program_that_died_while_nobody_listened_is_not_said_to_be_connected() {
        let before = payload(&program(Duration::ZERO));
        let last = program(Duration::ZERO).time;
        assert_eq!(fate(&before, last.plus(Duration::from_mins(1))), Fate::Waits);
        let Fate::Silent(now) = fate(&before, last.plus(Duration::from_mins(2))) else {
            panic!("it is silent")
        };
        let now: Value = serde_json::from_slice(&now).unwrap();
        assert_eq!((&now["connected"], &now["stored"]), (&json!(false), &json!(7)));
        assert_eq!(fate(&before, last.plus(Duration::from_hours(25))), Fate::Forgotten);
        for not_ours in [&b"online"[..], b"{}", b"[1]", br#"{"last_beat":"yesterday"}"#] {
            assert_eq!(fate(not_ours, last), Fate::Waits);
        }
    }
}
