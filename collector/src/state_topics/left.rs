//! What was retained before, by an earlier run or by somebody else: servers that are gone and
//! programs that are silent do not look alive for ever.
//!
//! The broker tells what it retains with each connection. Nothing is judged before it is known what
//! is polled now, and a server's topic only if this very program wrote it: other collectors may
//! share the broker.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use shared::timestamp::Timestamp;

use super::{By, Topics, program};

/// Topics that are remembered at most, of each kind: others may publish anything there.
const MOST: usize = 4_096;

/// Topics whose servers or programs have not shown themselves since.
#[derive(Debug, Default)]
pub(super) struct Left {
    servers: BTreeSet<String>,
    programs: BTreeMap<String, Vec<u8>>,
}

/// What is to be done about a topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is to be forgotten.
    Clear(String),
    /// It is to say this.
    Say(String, Vec<u8>),
}

/// Who wrote a payload.
#[derive(Deserialize)]
struct Writer {
    process: String,
    instance: String,
}

impl Left {
    /// Takes what the broker retains on one of our topics; says whether it was one.
    pub(super) fn note(&mut self, topics: &Topics, by: &By, topic: &str, payload: &[u8]) -> bool {
        let is_server = topics.is_server(topic);
        if !is_server && !topics.is_program(topic) {
            return false;
        }
        if payload.is_empty() {
            self.servers.remove(topic);
            self.programs.remove(topic);
        } else if is_server {
            let writer: Option<Writer> = serde_json::from_slice(payload).ok();
            let is_ours = writer.is_some_and(|writer| {
                writer.process == by.process && writer.instance == by.instance
            });
            if is_ours && self.servers.len() < MOST {
                self.servers.insert(topic.to_owned());
            }
        } else if self.programs.len() < MOST {
            self.programs.insert(topic.to_owned(), payload.to_vec());
        }
        true
    }

    /// Judges servers, of which all that are polled now are kept.
    pub(super) fn servers(&mut self, keeps: impl Fn(&str) -> bool) -> Vec<Verdict> {
        let left = std::mem::take(&mut self.servers).into_iter();
        left.filter(|topic| !keeps(topic)).map(Verdict::Clear).collect()
    }

    /// Judges programs, of which all that were heard are kept.
    pub(super) fn programs(
        &mut self,
        now: Timestamp,
        keeps: impl Fn(&str) -> bool,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.programs.retain(|topic, payload| {
            if keeps(topic) {
                return false;
            }
            match program::fate(payload, now) {
                program::Fate::Waits => return true,
                program::Fate::Silent(says) => verdicts.push(Verdict::Say(topic.clone(), says)),
                program::Fate::Forgotten => verdicts.push(Verdict::Clear(topic.clone())),
            }
            false
        });
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn by(instance: &str) -> By {
        By { process: "collector".to_owned(), instance: instance.to_owned() }
    }

    fn written_by(instance: &str) -> Vec<u8> {
        format!(r#"{{"process":"collector","instance":"{instance}"}}"#).into_bytes()
    }

    #[test]
    fn only_our_own_servers_that_are_polled_no_longer_are_cleared() {
        let (topics, mut left) = (Topics::new("p"), Left::default());
        for (topic, writer) in [("gone", "me"), ("there", "me"), ("other", "you")] {
            let topic = format!("p/v1/state/{topic}");
            assert!(left.note(&topics, &by("me"), &topic, &written_by(writer)));
        }
        assert!(left.note(&topics, &by("me"), "p/v1/state/odd", b"7"));
        assert!(!left.note(&topics, &by("me"), "homeassistant/status", b"online"));
        let verdicts = left.servers(|topic| topic.ends_with("there"));
        assert_eq!(verdicts, [Verdict::Clear("p/v1/state/gone".to_owned())]);
        assert_eq!(left.servers(|_| false), []);
    }

    #[test]
    fn programs_wait_until_they_are_heard_or_silent_for_long() {
        let (topics, mut left) = (Topics::new("p"), Left::default());
        let now = Timestamp::parse("2026-11-21T08:15:30Z").unwrap();
        let beat = br#"{"last_beat":"2026-11-21T08:15:00Z","connected":true}"#;
        for instance in ["heard", "silent"] {
            let topic = format!("p/v1/programs/writer/{instance}");
            assert!(left.note(&topics, &by("me"), &topic, beat));
        }
        assert_eq!(left.programs(now, |topic| topic.ends_with("heard")), []);
        let later = now.plus(Duration::from_secs(90));
        let verdicts = left.programs(later, |_| false);
        let [Verdict::Say(topic, says)] = &verdicts[..] else { panic!("{verdicts:?}") };
        assert_eq!(topic, "p/v1/programs/writer/silent");
        assert!(says.windows(17).any(|part| part == b"\"connected\":false"));
        assert_eq!(left.programs(later, |_| false), []);
    }
}
