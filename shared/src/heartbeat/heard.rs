//! The newest beat of every program that was heard on the bus.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::envelope::Envelope;
use crate::event::{Event, Heartbeat};
use crate::timestamp::Timestamp;

/// Three beats are missing: the program is taken for dead.
const SILENT_AFTER: Duration = Duration::from_secs(90);
/// A program that has been silent for so long is forgotten: its name will not come back.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);
/// Programs that are remembered: more than any site runs, and a bound on what others may publish.
const MOST_PROGRAMS: usize = 1_000;

/// The programs of a site, by what they say of themselves.
#[derive(Debug)]
pub struct Heard {
    programs: Mutex<BTreeMap<(String, String), Newest>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Newest {
    beat: Heartbeat,
    time: Timestamp,
    heard: Instant,
}

/// A program and its newest beat.
#[derive(Clone, Debug)]
pub struct HeardProgram {
    /// What it said.
    pub beat: Heartbeat,
    /// When it said so.
    pub time: Timestamp,
    /// Time since that was heard.
    pub age: Duration,
}

impl HeardProgram {
    /// Whether it beats: it has not been silent for three beats.
    pub fn is_connected(&self) -> bool {
        self.age <= SILENT_AFTER
    }
}

impl Default for Heard {
    fn default() -> Self {
        Self { programs: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Heard {
    /// Takes a payload of the bus; whatever is no heartbeat is ignored, and so is one that is older
    /// than the newest of its program.
    pub fn note(&self, payload: &[u8]) {
        let Ok(envelope) = Envelope::decode(payload) else { return };
        if let Event::Heartbeat(beat) = envelope.event {
            self.beat(*beat, envelope.time);
        }
    }

    /// Takes a beat that was made at a time.
    pub fn beat(&self, beat: Heartbeat, time: Timestamp) {
        let name = (beat.process.clone(), beat.instance.clone());
        let mut programs = lock(&self.programs);
        programs.retain(|_, newest| newest.heard.elapsed() < FORGOTTEN_AFTER);
        let is_newer = programs.get(&name).is_none_or(|newest| newest.time < time);
        let has_room = programs.len() < MOST_PROGRAMS || programs.contains_key(&name);
        if is_newer && has_room {
            programs.insert(name, Newest { beat, time, heard: Instant::now() });
            drop(programs);
            self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }

    /// All programs, by process and instance.
    pub fn programs(&self) -> Vec<HeardProgram> {
        let programs = lock(&self.programs);
        let remembered = programs.values().filter(|one| one.heard.elapsed() < FORGOTTEN_AFTER);
        let program = |newest: &Newest| HeardProgram {
            beat: newest.beat.clone(),
            time: newest.time,
            age: newest.heard.elapsed(),
        };
        remembered.map(program).collect()
    }

    /// Changes with every beat; that a program is silent shows with time alone.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::tests::beat;
    use super::*;
    use crate::envelope::{Origin, Unnumbered};

    fn payload(instance: &str, second: i64) -> bytes::Bytes {
        let Event::Heartbeat(mut beat) = beat(true) else { panic!("a beat is a heartbeat") };
        beat.instance = instance.to_owned();
        let time = Timestamp::from_nanos(second * 1_000_000_000);
        let origin = Origin::new("writer", instance);
        let event = Event::Heartbeat(beat);
        Unnumbered::encode(&origin, "writer", time, &event).unwrap().numbered(1)
    }

    fn seconds(heard: &Heard) -> Vec<(String, i64)> {
        let programs = heard.programs().into_iter();
        programs.map(|one| (one.beat.instance, one.time.nanos() / 1_000_000_000)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_program_has_its_newest_beat_until_it_is_silent_for_long() {
        let heard = Heard::default();
        let changes = heard.changes();
        heard.note(b"no event");
        assert!(!changes.has_changed().unwrap());
        heard.note(&payload("w1", 30));
        heard.note(&payload("w2", 10));
        // A delivery that comes late says nothing new.
        heard.note(&payload("w1", 20));
        assert_eq!(seconds(&heard), [("w1".to_owned(), 30), ("w2".to_owned(), 10)]);
        tokio::time::advance(SILENT_AFTER).await;
        assert!(heard.programs().iter().all(HeardProgram::is_connected));
        heard.note(&payload("w2", 40));
        tokio::time::advance(Duration::from_secs(1)).await;
        let connected: Vec<bool> =
            heard.programs().iter().map(HeardProgram::is_connected).collect();
        assert_eq!(connected, [false, true]);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert!(heard.programs().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_names_are_published_few_are_remembered() {
        let heard = Heard::default();
        for number in 0..MOST_PROGRAMS + 10 {
            heard.note(&payload(&format!("w{number}"), 1));
        }
        heard.note(&payload("w1", 2));
        assert_eq!(heard.programs().len(), MOST_PROGRAMS);
        assert!(heard.programs().iter().any(|one| one.time.nanos() == 2_000_000_000));
    }
}
