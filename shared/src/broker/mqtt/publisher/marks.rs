//! The life of the broker as an outbox's mark and the slots' sessions tell it.
//!
//! Every connection begins a life: it reads the mark, and the publisher publishes nothing before.
//! The mark is read with a message of our own behind it: what is retained comes first, so without a
//! mark before that message there is none. Sessions and what is confirmed are under one lock, so
//! that no mark can name a session that was not there when its events were confirmed.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Filter;
use tokio::sync::{Notify, watch};
use ulid::Ulid;

use super::mark::{self, Mark, Sessions};
use crate::broker::mqtt::flight::Publication;
use crate::broker::mqtt::slot_record::SlotRecord;
use crate::broker::mqtt::topics::Topics;
use crate::broker::{Confirmed, Life, Remembers};

/// A mark outlives the longest holiday of a collector that comes back, and not for ever one that
/// does not: 30 days.
const EXPIRY_SECONDS: u32 = 30 * 24 * 60 * 60;

/// The mark of one outbox.
#[derive(Debug)]
pub(super) struct Marks {
    topic: String,
    end_topic: String,
    groups: BTreeSet<String>,
    lives: watch::Sender<Life>,
    state: Mutex<State>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the mark of this connection has been read.
    is_open: bool,
    /// Unlike that of any other connection.
    end: String,
    found: Option<Result<Mark, serde_json::Error>>,
    sessions: Sessions,
    /// In the present life.
    confirmed: Option<Confirmed>,
    /// The position of the last mark that was published in it.
    marked: Option<i64>,
}

impl Marks {
    pub(super) fn new(topics: &Topics, instance: &str, outbox: &str, groups: &[String]) -> Self {
        Self {
            topic: topics.mark(instance, outbox),
            end_topic: topics.end_of_mark(instance, outbox),
            groups: groups.iter().cloned().collect(),
            lives: watch::Sender::new(Life::default()),
            state: Mutex::default(),
            wanted: Notify::new(),
        }
    }

    pub(super) fn lives(&self) -> watch::Receiver<Life> {
        self.lives.subscribe()
    }

    /// What has to be subscribed to on a new connection, of which nothing is known.
    pub(super) fn begin_connection(&self) -> [Filter; 2] {
        let end = Ulid::generate().to_string();
        *self.lock() = State { end, ..State::default() };
        let mut mark = Filter::new(&self.topic, QoS::AtLeastOnce);
        mark.nolocal = true;
        [mark, Filter::new(&self.end_topic, QoS::AtLeastOnce)]
    }

    /// What is published to ourselves once the subscriptions stand.
    pub(super) fn end(&self) -> Publication {
        let payload = Bytes::from(self.lock().end.clone());
        Publication::new(self.end_topic.clone(), payload)
    }

    pub(super) fn end_topic(&self) -> &str {
        &self.end_topic
    }

    /// Whether events may be published on this connection.
    pub(super) fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Takes note of a publish. Says whether the connection has been opened by it.
    pub(super) fn note(&self, topic: &str, payload: &[u8]) -> bool {
        let mut state = self.lock();
        if state.is_open {
            return false;
        }
        if topic == self.topic && !payload.is_empty() {
            state.found = Some(serde_json::from_slice(payload));
        }
        if topic != self.end_topic || payload != state.end.as_bytes() {
            return false;
        }
        state.is_open = true;
        let remembers = state.opened();
        self.begin_life(&mut state, remembers);
        true
    }

    /// Takes note of a slot's record; an empty one takes it back.
    pub(super) fn note_slot(&self, group: &str, slot: u16, record: &[u8]) {
        if !self.groups.contains(group) {
            return;
        }
        let slot = format!("{group}/{slot}");
        let mut state = self.lock();
        if record.is_empty() {
            state.sessions.remove(&slot);
            return;
        }
        let record: Option<SlotRecord> = serde_json::from_slice(record).ok();
        let Some(session) = record.and_then(|record| record.session) else { return };
        let before = state.sessions.insert(slot.clone(), session.clone());
        // Until the mark is read nothing is confirmed, and then it is compared.
        if state.is_open && before.is_some_and(|before| before != session) {
            self.begin_life(&mut state, mark::lost(&slot));
        }
    }

    /// Everything up to a position is confirmed.
    pub(super) fn confirm(&self, confirmed: Confirmed) {
        let mut state = self.lock();
        if confirmed.life == self.lives.borrow().number {
            state.confirmed = Some(confirmed);
            self.wanted.notify_one();
        }
    }

    /// Waits until there is something to mark.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The mark, when the last one is behind. Only for a connection that was taken before this is
    /// called: it began no later than the life does.
    pub(super) fn due(&self) -> Option<Publication> {
        let mut state = self.lock();
        let confirmed = state.confirmed.filter(|c| state.marked != Some(c.position))?;
        state.marked = Some(confirmed.position);
        let mark = Mark::new(&confirmed, state.sessions.clone());
        let payload = serde_json::to_vec(&mark).ok()?;
        Some(Publication {
            retain: true,
            expiry_seconds: Some(EXPIRY_SECONDS),
            ..Publication::new(self.topic.clone(), payload.into())
        })
    }

    fn begin_life(&self, state: &mut State, remembers: Remembers) {
        (state.confirmed, state.marked) = (None, None);
        self.lives.send_modify(|life| {
            life.number += 1;
            life.remembers = remembers;
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the mark that was found, if any, says.
    fn opened(&mut self) -> Remembers {
        match self.found.take() {
            Some(Ok(mark)) => {
                let remembers = mark.remembers(&self.sessions);
                for (slot, session) in mark.sessions {
                    // Its record may have expired with the session, and another one come later.
                    self.sessions.entry(slot).or_insert(session);
                }
                remembers
            }
            Some(Err(error)) => {
                Remembers::Nothing { why: format!("its mark of this outbox is none ({error})") }
            }
            None => Remembers::Nothing {
                why: "it has no mark of this outbox: it is another broker, or it lost its state"
                    .to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTBOX: &str = "01OUTBOX";

    fn marks() -> Marks {
        Marks::new(&Topics::new("p"), "host", OUTBOX, &["g".to_owned()])
    }

    /// A connection that finds this mark.
    fn connect(marks: &Marks, mark: &str) -> Life {
        marks.begin_connection();
        if !mark.is_empty() {
            assert!(!marks.note("p/v1/marks/host/01OUTBOX", mark.as_bytes()));
        }
        assert!(!marks.is_open());
        let Publication { topic, payload, .. } = marks.end();
        assert!(!marks.note(&topic, b"of another connection"));
        assert!(marks.note(&topic, &payload));
        marks.lives.borrow().clone()
    }

    fn confirmed(life: u64, position: i64) -> Confirmed {
        Confirmed { life, position, place: None }
    }

    fn record(session: &str) -> Vec<u8> {
        format!(r#"{{"since":"2026-11-21T00:00:00Z","takeover":0,"session":"{session}"}}"#).into()
    }

    fn due(marks: &Marks) -> Option<String> {
        marks.due().map(|due| String::from_utf8(due.payload.to_vec()).unwrap())
    }

    #[test]
    fn each_connection_begins_a_life_with_what_its_mark_says() {
        let marks = marks();
        let first = connect(&marks, "");
        assert!(matches!(first.remembers, Remembers::Nothing { .. }));
        let second = connect(&marks, r#"{"position":5}"#);
        assert_eq!(second, Life { number: 2, remembers: Remembers::Through(5) });
        let third = connect(&marks, "rubbish");
        assert!(matches!(third.remembers, Remembers::Nothing { .. }));
        // Once it is read, whoever else publishes there changes nothing.
        marks.note("p/v1/marks/host/01OUTBOX", br#"{"position":9}"#);
        assert_eq!(*marks.lives.borrow(), third);
    }

    #[test]
    fn only_what_is_confirmed_in_the_present_life_is_marked_and_that_once() {
        let marks = marks();
        connect(&marks, "");
        marks.confirm(confirmed(1, 7));
        connect(&marks, r#"{"position":5}"#);
        assert_eq!(due(&marks), None);
        marks.confirm(confirmed(1, 8));
        assert_eq!(due(&marks), None);
        marks.confirm(confirmed(2, 6));
        assert_eq!(due(&marks).as_deref(), Some(r#"{"position":6}"#));
        assert_eq!(due(&marks), None);
    }

    #[test]
    fn a_session_that_changes_begins_a_life_once() {
        let marks = marks();
        connect(&marks, "");
        marks.note_slot("g", 0, &record("A"));
        marks.note_slot("other", 0, &record("A"));
        marks.note_slot("other", 0, &record("B"));
        marks.note_slot("g", 0, b"{}");
        marks.confirm(confirmed(1, 7));
        assert!(due(&marks).unwrap().ends_with(r#""sessions":{"g/0":"A"}}"#));
        marks.confirm(confirmed(1, 8));
        for _ in 0..2 {
            marks.note_slot("g", 0, &record("B"));
            let life = marks.lives.borrow().clone();
            assert_eq!(life.number, 2);
            assert!(matches!(life.remembers, Remembers::Nothing { why } if why.contains("g/0")));
        }
        assert_eq!(due(&marks), None, "position 8 was confirmed by a session that is gone");
        // One that was taken back was drained.
        marks.note_slot("g", 0, b"");
        marks.note_slot("g", 0, &record("C"));
        assert_eq!(marks.lives.borrow().number, 2);
    }

    #[test]
    fn a_session_that_changed_between_connections_is_found_when_its_record_comes() {
        let marks = marks();
        let mark = r#"{"position":5,"sessions":{"g/0":"A"}}"#;
        assert_eq!(connect(&marks, mark).remembers, Remembers::Through(5));
        marks.note_slot("g", 0, &record("B"));
        let life = marks.lives.borrow().clone();
        assert!(life.number == 2 && life.remembers != Remembers::Through(5), "{life:?}");
    }
}
