//! What the broker retains about a group, as one member knows it: who is there, who owns what.

use std::collections::{BTreeMap, BTreeSet};

use super::{LIFE, Moment};
use crate::broker::mqtt::member_record::{MemberRecord, member_name};
use crate::broker::mqtt::slot_record::SlotRecord;

/// What is known of a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Tenure {
    /// The name of the member that owns it.
    pub(in super::super) owner: Option<String>,
    /// Counts the owners.
    pub(in super::super) takeover: u64,
    /// Names its session.
    pub(in super::super) session: Option<String>,
    /// Its last owner gave it up on purpose.
    pub(in super::super) released: bool,
}

impl From<&SlotRecord> for Tenure {
    fn from(record: &SlotRecord) -> Self {
        Self {
            owner: record.owner.as_ref().map(member_name),
            takeover: record.takeover,
            session: record.session.clone(),
            released: record.released,
        }
    }
}

/// Another member.
#[derive(Clone, Debug)]
struct Member {
    slots: u16,
    start: String,
    beat: u64,
    /// When its record changed last, by the clock of who looks: clocks of others prove nothing, and
    /// a record that a broker retained may be older than it seems.
    changed: Moment,
}

/// The retained records of a group.
#[derive(Debug, Default)]
pub(super) struct View {
    members: BTreeMap<String, Member>,
    slots: BTreeMap<u16, Tenure>,
}

impl View {
    /// The same members, of which none has been heard yet on a new connection: one that is told
    /// with the beat that was known has not changed.
    pub(super) fn heard_so_far(&self, fresh: Self) -> Self {
        let mut fresh = fresh;
        for (name, member) in &mut fresh.members {
            let known = self.members.get(name);
            let same =
                known.filter(|known| known.start == member.start && known.beat == member.beat);
            if let Some(known) = same {
                member.changed = known.changed;
            }
        }
        fresh
    }

    /// A member's record was published or taken back.
    pub(super) fn note_member(&mut self, now: Moment, name: &str, record: Option<&MemberRecord>) {
        let Some(MemberRecord { start, slots, beat, .. }) = record else {
            self.members.remove(name);
            return;
        };
        let known = self.members.get(name);
        let changed = match known.filter(|known| known.start == *start && known.beat == *beat) {
            Some(known) => known.changed,
            None => now,
        };
        let member = Member { slots: *slots, start: start.clone(), beat: *beat, changed };
        self.members.insert(name.to_owned(), member);
    }

    /// A slot's record was published or taken back.
    pub(super) fn note_slot(&mut self, slot: u16, tenure: Option<Tenure>) {
        match tenure {
            Some(tenure) => self.slots.insert(slot, tenure),
            None => self.slots.remove(&slot),
        };
    }

    /// The others that are there: their records change.
    pub(super) fn living(&self, now: Moment) -> impl Iterator<Item = &str> {
        let living = self.members.iter().filter(move |(_, member)| now < member.changed + LIFE);
        living.map(|(name, _)| name.as_str())
    }

    /// The most slots that one of these is configured for.
    pub(super) fn slots_wanted(&self, living: &BTreeSet<String>) -> u16 {
        living.iter().filter_map(|name| Some(self.members.get(name)?.slots)).max().unwrap_or(0)
    }

    pub(super) fn slot(&self, slot: u16) -> Option<&Tenure> {
        self.slots.get(&slot)
    }

    /// The slots that have a record.
    pub(super) fn recorded(&self) -> impl Iterator<Item = u16> {
        self.slots.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::broker::mqtt::slot_record::SlotOwner;

    fn record(beat: u64) -> MemberRecord {
        let who = SlotOwner { process: "writer".to_owned(), instance: "a".to_owned() };
        MemberRecord { who, start: "1".to_owned(), slots: 4, beat }
    }

    #[test]
    fn a_member_whose_record_does_not_change_is_gone() {
        let second = Duration::from_secs(1);
        let mut view = View::default();
        view.note_member(second, "a", Some(&record(1)));
        // The same record again, over a new connection, is no sign of life.
        let mut fresh = View::default();
        fresh.note_member(second * 10, "a", Some(&record(1)));
        let mut view = view.heard_so_far(fresh);
        assert_eq!(view.living(LIFE).count(), 1);
        assert_eq!(view.living(LIFE + second).count(), 0);
        view.note_member(LIFE, "a", Some(&record(2)));
        let living: BTreeSet<String> = view.living(LIFE + second).map(str::to_owned).collect();
        assert_eq!((living.len(), view.slots_wanted(&living)), (1, 4));
        view.note_member(LIFE, "a", None);
        assert_eq!(view.living(LIFE).count(), 0);
    }
}
