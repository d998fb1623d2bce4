//! A writer in simulated time: what the real one does around its council.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Command, Council, Moment, Opening, Tenure};
use super::broker::{ConnectionId, Publication, Record, Topic};
use crate::broker::mqtt::member_record::{MemberRecord, member_name};
use crate::broker::mqtt::slot_record::SlotOwner;

/// A connection as a slot, and what it is for.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) opening: Opening,
    pub(super) connection: Option<ConnectionId>,
    pub(super) failures: u32,
    pub(super) next_try: Moment,
}

/// A writer.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) council: Council,
    pub(super) name: String,
    pub(super) record: MemberRecord,
    pub(super) control: Option<ConnectionId>,
    pub(super) control_failures: u32,
    pub(super) next_control_try: Moment,
    pub(super) links: BTreeMap<u16, Link>,
    /// When the caller has acked what it holds of slots that are given up.
    pub(super) settles: BTreeMap<u16, Moment>,
    /// Nothing of it leaves or arrives, or is decided, before.
    pub(super) cut_until: Moment,
    pub(super) stopped_until: Moment,
    pub(super) is_leaving: bool,
}

impl Program {
    pub(super) fn new(instance: &str, start: u64, slots: u16) -> Self {
        let who = SlotOwner { process: "writer".to_owned(), instance: instance.to_owned() };
        let name = member_name(&who);
        let start = format!("{start:06}");
        Self {
            council: Council::new(name.clone(), start.clone(), slots),
            name,
            record: MemberRecord { who, start, slots, beat: 0 },
            control: None,
            control_failures: 0,
            next_control_try: Moment::ZERO,
            links: BTreeMap::new(),
            settles: BTreeMap::new(),
            cut_until: Moment::ZERO,
            stopped_until: Moment::ZERO,
            is_leaving: false,
        }
    }

    pub(super) fn step(&mut self, now: Moment) -> Vec<Command> {
        let settled: BTreeSet<u16> =
            self.settles.iter().filter(|(_, at)| now >= **at).map(|(&slot, _)| slot).collect();
        self.council.step(now, &|slot| settled.contains(&slot))
    }

    pub(super) fn heard(&mut self, now: Moment, publication: &Publication) {
        match publication {
            (Topic::Member(name), record) => {
                let record = record.as_ref().and_then(|record| match record {
                    Record::Member(member) => Some(member),
                    Record::Slot(_) => None,
                });
                self.council.note_member(now, name, record);
            }
            (Topic::Slot(slot), record) => {
                let tenure = record.as_ref().and_then(|record| match record {
                    Record::Slot(tenure) => Some(tenure.clone()),
                    Record::Member(_) => None,
                });
                self.council.note_slot(*slot, tenure);
            }
        }
    }

    pub(super) fn link_of(&mut self, connection: ConnectionId) -> Option<(u16, &mut Link)> {
        let mut links = self.links.iter_mut();
        let (&slot, link) = links.find(|(_, link)| link.connection == Some(connection))?;
        Some((slot, link))
    }
}

/// The record of a slot that a program is connected as for this opening, or was.
pub(super) fn tenure(name: &str, opening: &Opening, is_owner: bool, released: bool) -> Publication {
    let tenure = Tenure {
        owner: is_owner.then(|| name.to_owned()),
        takeover: opening.takeover,
        session: opening.session.clone(),
        released,
    };
    (Topic::Slot(opening.slot), Some(Record::Slot(tenure)))
}
