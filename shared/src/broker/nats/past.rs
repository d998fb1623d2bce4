//! Whether the stream is still the one that confirmed an outbox's events.
//!
//! A server may come back with an older disk or a new one, and a stream may be made anew by hand.
//! Each connection is compared with what confirmations told before anything is published on it: the
//! stream's time of creation, its last sequence, and, where other publishers may have hidden a gap,
//! whether the server still recognises the last event that it confirmed. When in doubt, everything
//! that is kept is published again, which a server recognises where it was not needed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::streams::StreamState;
use crate::broker::{Confirmed, Life, Outgoing, Remembers};
use crate::timestamp::Timestamp;

/// What is remembered of the stream, also by the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    stream: String,
    /// When the stream was made.
    created: Timestamp,
    /// The highest sequence that was confirmed.
    sequence: u64,
    /// The server that confirmed it; it has another name after each of its starts. None of a stream
    /// with replicas, which no single server can bring back.
    server: Option<String>,
}

/// What the server says to an event that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) sequence: u64,
    /// It had it before.
    pub(super) duplicate: bool,
}

/// What a look at the stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is as it was left.
    Same,
    /// It cannot be told from the outside: does the server recognise this event, which it
    /// confirmed?
    Ask(Outgoing),
    /// It has forgotten, or may have. A new life has begun.
    Forgotten,
}

/// The stream as an outbox knows it.
#[derive(Debug)]
pub(super) struct Past {
    stream: String,
    lives: watch::Sender<Life>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    memory: Option<Memory>,
    /// The event with the highest sequence, when this process published it.
    last: Option<Outgoing>,
    /// The connection on which the stream was found to be as it was left.
    looked_on: Option<u64>,
}

impl Past {
    /// With what the outbox remembers.
    pub(super) fn new(stream: &str, remembered: Option<&str>) -> Self {
        let memory = remembered.and_then(|text| serde_json::from_str(text).ok());
        let state = State { memory, ..State::default() };
        Self {
            stream: stream.to_owned(),
            lives: watch::Sender::new(Life::default()),
            state: Mutex::new(state),
        }
    }

    pub(super) fn lives(&self) -> watch::Receiver<Life> {
        self.lives.subscribe()
    }

    /// Whether events may be published on a connection; if so, the highest sequence so far.
    pub(super) fn is_settled_on(&self, connection: u64) -> Option<u64> {
        let state = self.lock();
        let sequence = state.memory.as_ref().map_or(0, |memory| memory.sequence);
        (state.looked_on == Some(connection)).then_some(sequence)
    }

    /// The stream may be another one, on the same connection.
    pub(super) fn doubt(&self) {
        self.lock().looked_on = None;
    }

    /// Whether the stream has not come as far as it was confirmed. Of a stream with replicas this may
    /// pass: a server that leads it since a moment ago has yet to apply what it was given.
    pub(super) fn is_ahead_of(&self, found: StreamState) -> bool {
        let state = self.lock();
        state.memory.as_ref().is_some_and(|memory| {
            memory.created == found.created && found.last_sequence < memory.sequence
        })
    }

    /// Compares with what is remembered.
    pub(super) fn compare(
        &self,
        connection: u64,
        server: Option<String>,
        found: StreamState,
    ) -> Finding {
        let mut state = self.lock();
        let present = self.present(server, found, found.last_sequence);
        let Some(memory) = &state.memory else {
            (state.memory, state.looked_on) = (Some(present), Some(connection));
            return Finding::Same;
        };
        let why = match memory.contradiction(&present) {
            None if memory.server == present.server => {
                state.looked_on = Some(connection);
                return Finding::Same;
            }
            None => match &state.last {
                Some(last) => return Finding::Ask(last.clone()),
                None => "its server was started anew in the meantime".to_owned(),
            },
            Some(why) => why,
        };
        self.begin_life(&mut state, connection, present, why);
        Finding::Forgotten
    }

    /// The answer to [`Finding::Ask`].
    pub(super) fn answered(
        &self,
        connection: u64,
        server: Option<String>,
        found: StreamState,
        receipt: Receipt,
    ) {
        let mut state = self.lock();
        let present = self.present(server, found, receipt.sequence);
        if receipt.duplicate {
            if let Some(memory) = &mut state.memory {
                memory.server = present.server;
            }
            state.looked_on = Some(connection);
            return;
        }
        let why = "its server was started anew, or is another one, and does not recognise the last \
                   event that it confirmed";
        self.begin_life(&mut state, connection, present, why.to_owned());
    }

    /// Nobody may look: what is forgotten goes unnoticed.
    pub(super) fn unseen(&self, connection: u64) {
        self.lock().looked_on = Some(connection);
    }

    /// Takes note of a confirmation for an event that was sent when `before` was the highest
    /// sequence. False when it is of another stream than that.
    pub(super) fn confirm(&self, outgoing: Outgoing, before: u64, receipt: Receipt) -> bool {
        let mut state = self.lock();
        if !receipt.duplicate && receipt.sequence <= before {
            state.looked_on = None;
            return false;
        }
        let State { memory, last, .. } = &mut *state;
        if let Some(memory) = memory.as_mut().filter(|memory| receipt.sequence > memory.sequence) {
            memory.sequence = receipt.sequence;
            *last = Some(outgoing);
        }
        true
    }

    /// What the outbox has to remember when everything that it holds is confirmed up to here.
    pub(super) fn memory(&self, confirmed: Confirmed) -> Option<String> {
        let state = self.lock();
        if confirmed.life != self.lives.borrow().number {
            return None;
        }
        serde_json::to_string(state.memory.as_ref()?).ok()
    }

    fn present(&self, server: Option<String>, found: StreamState, sequence: u64) -> Memory {
        Memory {
            stream: self.stream.clone(),
            created: found.created,
            sequence,
            server: server.filter(|_| found.replicas == 1),
        }
    }

    fn begin_life(&self, state: &mut State, connection: u64, present: Memory, why: String) {
        *state = State { memory: Some(present), last: None, looked_on: Some(connection) };
        self.lives.send_modify(|life| {
            life.number += 1;
            life.remembers = Remembers::Nothing { why };
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Why the stream cannot be the one that was left, or not with all that it had.
    fn contradiction(&self, present: &Self) -> Option<String> {
        let Self { stream, created, sequence, .. } = self;
        if *stream != present.stream {
            return Some(format!("it was the stream {stream} that confirmed them"));
        }
        if *created != present.created {
            return Some(format!(
                "the stream {stream} was made anew at {}; the one that confirmed them was made at \
                 {created}",
                present.created
            ));
        }
        (present.sequence < *sequence).then(|| {
            format!(
                "the stream {stream} has come to the sequence {} and had confirmed up to \
                 {sequence}: the server went back in time",
                present.sequence
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::{Subject, Token};

    fn state(last_sequence: u64) -> StreamState {
        StreamState { created: Timestamp::from_nanos(1_000), last_sequence, replicas: 1 }
    }

    fn outgoing(id: &str) -> Outgoing {
        let subject = Subject::health("p", &Token::new("a"));
        Outgoing { subject, id: id.to_owned(), payload: id.to_owned().into() }
    }

    fn receipt(sequence: u64, duplicate: bool) -> Receipt {
        Receipt { sequence, duplicate }
    }

    /// After one event, whose sequence is 10, on the first connection.
    fn past() -> Past {
        let past = Past::new("S", None);
        assert_eq!(past.is_settled_on(1), None);
        assert_eq!(past.compare(1, Some("A".to_owned()), state(9)), Finding::Same);
        assert_eq!(past.is_settled_on(1), Some(9));
        assert!(past.confirm(outgoing("ten"), 9, receipt(10, false)));
        past
    }

    fn memory(past: &Past, life: u64) -> Option<String> {
        past.memory(Confirmed { life, position: 1, place: None })
    }

    #[test]
    fn the_same_server_that_went_on_is_believed() {
        let past = past();
        assert_eq!(past.is_settled_on(2), None);
        assert_eq!(past.compare(2, Some("A".to_owned()), state(12)), Finding::Same);
        assert_eq!(past.is_settled_on(2), Some(10));
        past.doubt();
        assert_eq!(past.is_settled_on(2), None);
        assert_eq!(past.lives.borrow().number, 0);
    }

    #[test]
    fn another_stream_or_a_lower_sequence_begins_a_life() {
        let later = StreamState { created: Timestamp::from_nanos(2_000), ..state(50) };
        for (found, words) in [(later, "made anew"), (state(9), "went back in time")] {
            let past = past();
            assert_eq!(past.is_ahead_of(found), found == state(9));
            assert_eq!(past.compare(2, Some("A".to_owned()), found), Finding::Forgotten);
            let life = past.lives.borrow().clone();
            assert!(matches!(life.remembers, Remembers::Nothing { why } if why.contains(words)));
            // What it confirms from now on is compared with what it is now.
            assert_eq!(past.is_settled_on(2), Some(found.last_sequence));
            assert_eq!(past.compare(3, Some("A".to_owned()), found), Finding::Same);
            assert_eq!(memory(&past, 0), None, "a confirmation of the life before");
        }
    }

    #[test]
    fn a_server_that_was_started_anew_has_to_recognise_the_last_event() {
        for (duplicate, life) in [(true, 0), (false, 1)] {
            let past = past();
            let asked = past.compare(2, Some("B".to_owned()), state(30));
            assert_eq!(asked, Finding::Ask(outgoing("ten")));
            assert_eq!(past.is_settled_on(2), None);
            let sequence = if duplicate { 10 } else { 31 };
            past.answered(2, Some("B".to_owned()), state(30), receipt(sequence, duplicate));
            assert_eq!(past.lives.borrow().number, life);
            assert!(past.is_settled_on(2).is_some());
        }
    }

    #[test]
    fn the_next_process_knows_what_this_one_left() {
        let past = past();
        let left = memory(&past, 0).unwrap();
        let next = |server: &str, sequence| {
            let past = Past::new("S", Some(&left));
            let finding = past.compare(1, Some(server.to_owned()), state(sequence));
            let life = past.lives.borrow().number;
            (finding, life)
        };
        assert_eq!(next("A", 10), (Finding::Same, 0));
        assert_eq!(next("A", 9), (Finding::Forgotten, 1));
        assert_eq!(next("B", 10), (Finding::Forgotten, 1));
        assert_eq!(
            Past::new("S", Some("rubbish")).compare(1, None, state(3)),
            Finding::Same,
            "nothing is known of another broker"
        );
    }

    #[test]
    fn a_sequence_that_was_given_before_is_of_another_stream() {
        let past = past();
        assert!(past.confirm(outgoing("again"), 10, receipt(4, true)), "the server recognised it");
        assert!(past.confirm(outgoing("late"), 8, receipt(9, false)), "sent before ten was there");
        assert!(!past.confirm(outgoing("new"), 10, receipt(2, false)));
        assert_eq!(past.is_settled_on(1), None);
    }
}
