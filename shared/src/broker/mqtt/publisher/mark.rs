//! The retained mark of an outbox: how far its events are confirmed, kept by the broker itself.
//!
//! A broker that is killed comes back with its last snapshot, and a snapshot holds mark and events
//! of the same moment: what came after its mark it may have forgotten, what came before it has, or
//! has delivered. So a mark must never be ahead: it is published only after the confirmation of
//! everything that it covers, and holds for the sessions that it names and for no others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::broker::{Confirmed, Remembers};

/// The sessions of slots, by `{group}/{slot}`.
pub(super) type Sessions = BTreeMap<String, String>;

/// What is retained on `{prefix}/v1/marks/{instance}/{outbox}`.
///
/// The outbox is in the topic, unlike the instance alone, because positions mean something in their
/// own outbox only: a collector that was given a new directory, or one that shares its name with
/// another, must not take somebody else's mark for its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Mark {
    /// The epoch of the last event that it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    /// The sequence of that event in its epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// Everything up to this position of the outbox is confirmed.
    position: i64,
    /// The sessions that had it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sessions: Sessions,
}

impl Mark {
    pub(super) fn new(confirmed: &Confirmed, sessions: Sessions) -> Self {
        Self {
            epoch: confirmed.place.map(|place| place.epoch.to_string()),
            sequence: confirmed.place.map(|place| place.sequence),
            position: confirmed.position,
            sessions,
        }
    }

    /// What the broker still has when these are its sessions now. A session whose record is not
    /// there says nothing.
    pub(super) fn remembers(&self, now: &Sessions) -> Remembers {
        let is_lost = |(slot, session): &(&String, &String)| {
            now.get(*slot).is_some_and(|current| current != *session)
        };
        match self.sessions.iter().find(is_lost) {
            None => Remembers::Through(self.position),
            Some((slot, _)) => lost(slot),
        }
    }
}

/// What a broker still has that lost the session of a slot.
pub(super) fn lost(slot: &str) -> Remembers {
    Remembers::Nothing {
        why: format!("it has lost the session of the slot {slot} with what it kept for it"),
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;
    use crate::envelope::Place;

    fn sessions(all: &[(&str, &str)]) -> Sessions {
        all.iter().map(|&(slot, session)| (slot.to_owned(), session.to_owned())).collect()
    }

    fn mark(position: i64, all: &[(&str, &str)]) -> Mark {
        let place = Some(Place { epoch: Ulid::nil(), sequence: 7 });
        Mark::new(&Confirmed { life: 1, position, place }, sessions(all))
    }

    #[test]
    fn the_form_on_the_wire() {
        let mark = mark(12, &[("influxdb/0", "A")]);
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(
            text,
            r#"{"epoch":"00000000000000000000000000","sequence":7,"position":12,"sessions":{"influxdb/0":"A"}}"#
        );
        assert_eq!(serde_json::from_str::<Mark>(&text).unwrap(), mark);
        let bare: Mark = serde_json::from_str(r#"{"position":3,"later":true}"#).unwrap();
        assert_eq!(bare.remembers(&Sessions::new()), Remembers::Through(3));
    }

    #[test]
    fn a_mark_holds_for_its_sessions_alone() {
        let mark = mark(12, &[("g/0", "A"), ("g/1", "B")]);
        let through = Remembers::Through(12);
        for now in [
            &[("g/0", "A"), ("g/1", "B")][..],
            &[("g/0", "A"), ("g/1", "B"), ("g/2", "C")],
            // Its record may still come.
            &[("g/0", "A")],
            &[],
        ] {
            assert_eq!(mark.remembers(&sessions(now)), through, "{now:?}");
        }
        let remembers = mark.remembers(&sessions(&[("g/0", "A"), ("g/1", "other")]));
        assert!(matches!(remembers, Remembers::Nothing { why } if why.contains("g/1")));
    }
}
