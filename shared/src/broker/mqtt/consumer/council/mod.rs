//! Decides what one member of a group does about the group's slots.
//!
//! Every member knows the same retained records and computes the same shares from them, so nobody
//! has to be in charge. Records of slots are written only by who is connected as the slot, so the
//! broker, which allows one connection to a client id, orders them as it orders the owners; who
//! sees that another came after him yields.
//!
//! Pure: no clock, no runtime, no client. What happens is told, [`Council::step`] says what to do.

mod claims;
mod command;
mod hold;
mod namesake;
mod share;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) use self::command::{Command, Opening, Standing};
use self::hold::{Glance, Hold, Phase};
use self::namesake::Namesake;
pub(super) use self::view::Tenure;
use self::view::View;
use crate::broker::mqtt::member_record::MemberRecord;

/// Time since some moment before everything that is told here.
pub(super) type Moment = Duration;

/// How often a member says that it is there.
const BEAT: Duration = Duration::from_secs(3);
/// A member that says nothing for this long is gone: several beats, because a busy machine is late.
pub(super) const LIFE: Duration = Duration::from_secs(15);
/// How old what a member knows may be when it acts. It hears its own beats over the connection over
/// which it hears everything else, so the last that came back says as of when that is complete: not
/// after the program, or the network, has stood still.
const FRESH: Duration = Duration::from_secs(8);
/// How long a member looks around before it takes anything for the first time: others may be
/// starting as well.
const SETTLE: Duration = Duration::from_millis(500);
/// How long a slot must be without its owner before another takes it: who only lost its connection
/// is back by then.
const GRACE: Duration = Duration::from_secs(3);
/// How long who has lost its connection as a slot waits before it makes another: should somebody
/// else have taken the slot, that record is there by then. Shorter than the grace.
const SECOND_THOUGHT: Duration = Duration::from_secs(1);
/// And at most this longer, not the same for everybody: members that know different things for a
/// moment do not all act in the same one.
const JITTER_MS: u64 = 1_000;
/// How long no member must come or go, and no slot become free, before somebody takes a slot: until
/// everybody knows of the same ones, two may think that it is for them.
const STILL: Duration = Duration::from_millis(300);
/// And before somebody hands one over: who joins seldom joins alone.
const CALM: Duration = Duration::from_secs(1);
/// How long a slot's owner waits for the acks of what it holds before it hands the slot over all
/// the same. What is not acked is delivered again.
const LONGEST_HAND_OVER: Duration = Duration::from_secs(10);
/// How long a record may say something else than that the slot is ours while we are connected as
/// it. Shorter than the grace, after which others would believe it.
const DISPUTE: Duration = Duration::from_secs(1);
/// How long the record of a slot that was given up may still say that it is ours.
const LONGEST_ECHO: Duration = Duration::from_secs(10);
/// How long no member may want a slot before its session is deleted: a writer that restarts is no
/// reason.
const RETIRE_GRACE: Duration = Duration::from_secs(10);

/// What is known of the control connection.
#[derive(Debug)]
enum Connection {
    None,
    /// It stands; what the broker retains is coming.
    Reading(View),
    /// Everything that the broker retained has come.
    Read {
        since: Moment,
        first: bool,
    },
}

/// One member's mind.
#[derive(Debug)]
pub(super) struct Council {
    /// What it is called.
    name: String,
    start: String,
    /// How many slots it is configured for.
    slots: u16,
    connection: Connection,
    has_read: bool,
    view: View,
    holds: BTreeMap<u16, Hold>,
    openings: u64,
    beat: u64,
    next_beat: Moment,
    /// When the last beat was published.
    beaten: Moment,
    /// Everything that was published until then is known.
    known_until: Moment,
    /// Who was there at the last step, and since when it has been the same.
    living: BTreeSet<String>,
    calm_since: Moment,
    /// Since when each slot has had no owner that is there.
    free_since: BTreeMap<u16, Moment>,
    /// When a slot became free last.
    freed: Moment,
    /// Since when each slot has been more than anybody wants.
    beyond_since: BTreeMap<u16, Moment>,
    namesake: Option<Namesake>,
    is_closing: bool,
    standing: Standing,
}

/// What a step looks at.
struct Moot<'a> {
    now: Moment,
    /// How many slots the group has.
    slots: u16,
    /// What is known is not too old to act.
    is_fresh: bool,
    /// Whether the caller holds nothing of a slot.
    settled: &'a dyn Fn(u16) -> bool,
}

impl Council {
    /// A member of the group, which is not connected yet. No two starts have the same `start`.
    pub(super) fn new(name: String, start: String, slots: u16) -> Self {
        Self {
            name,
            start,
            slots,
            connection: Connection::None,
            has_read: false,
            view: View::default(),
            holds: BTreeMap::new(),
            openings: 0,
            beat: 0,
            next_beat: Moment::ZERO,
            beaten: Moment::ZERO,
            known_until: Moment::ZERO,
            living: BTreeSet::new(),
            calm_since: Moment::ZERO,
            free_since: BTreeMap::new(),
            freed: Moment::ZERO,
            beyond_since: BTreeMap::new(),
            namesake: None,
            is_closing: false,
            standing: Standing::default(),
        }
    }

    /// The control connection stands; what the broker retains will be told.
    pub(super) fn connected(&mut self, now: Moment) {
        self.connection = Connection::Reading(View::default());
        self.next_beat = now;
    }

    /// The broker has told everything that it retained.
    pub(super) fn read(&mut self, now: Moment) {
        let Connection::Reading(view) = &mut self.connection else { return };
        self.view = self.view.heard_so_far(std::mem::take(view));
        self.connection = Connection::Read { since: now, first: !self.has_read };
        self.has_read = true;
        self.known_until = now;
        self.calm_since = now;
        self.free_since.clear();
        self.beyond_since.clear();
    }

    /// The control connection is gone. What is owned goes on; nothing is decided.
    pub(super) fn disconnected(&mut self) {
        self.connection = Connection::None;
    }

    /// The record of a member was published, or taken back.
    pub(super) fn note_member(&mut self, now: Moment, name: &str, record: Option<&MemberRecord>) {
        if name == self.name {
            self.note_namesake(now, record);
        } else {
            self.view_mut().note_member(now, name, record);
        }
    }

    /// The record of a slot was published, or taken back.
    pub(super) fn note_slot(&mut self, slot: u16, tenure: Option<Tenure>) {
        self.view_mut().note_slot(slot, tenure);
    }

    /// The connection as a slot stands and its record is published.
    pub(super) fn up(&mut self, slot: u16, opening: u64) {
        self.of(slot, opening, |hold| hold.up = true);
    }

    /// The connection as a slot is lost.
    pub(super) fn down(&mut self, now: Moment, slot: u16, opening: u64) {
        self.of(slot, opening, |hold| {
            if std::mem::take(&mut hold.up) {
                hold.not_before = now + SECOND_THOUGHT;
            }
            // What was not acked is in the session as before.
            if let Phase::Retiring { drained } = &mut hold.phase {
                *drained = false;
            }
        });
    }

    /// A session that is retired has brought everything that was in it.
    pub(super) fn drained(&mut self, slot: u16, opening: u64) {
        self.of(slot, opening, |hold| {
            if let Phase::Retiring { drained } = &mut hold.phase {
                *drained = true;
            }
        });
    }

    /// The connection as a slot has ended as it was told to.
    pub(super) fn closed(&mut self, now: Moment, slot: u16) {
        if let Some(hold) = self.holds.get_mut(&slot) {
            hold.closed(now);
        }
    }

    /// The session and the record of a slot are deleted, or could not be.
    pub(super) fn deleted(&mut self, now: Moment, slot: u16, done: bool) {
        if done {
            self.view_mut().note_slot(slot, None);
        }
        if let Some(hold) = self.holds.get_mut(&slot) {
            hold.phase = Phase::Left { until: now + LONGEST_ECHO };
        }
    }

    /// Everything is given up from the next step on.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
    }

    /// Nothing is left to give up.
    pub(super) fn is_over(&self) -> bool {
        let left = |hold: &Hold| matches!(hold.phase, Phase::Left { .. });
        self.is_closing && self.holds.values().all(left)
    }

    /// Whether a connection as this slot may be made now.
    pub(super) fn may_connect(&self, now: Moment, slot: u16) -> bool {
        let is_read = matches!(self.connection, Connection::Read { .. });
        let wants = self.holds.get(&slot).is_some_and(|hold| hold.wants_connection(now));
        is_read && wants && !self.is_closing
    }

    /// What people are told; nothing while the broker has not told what it retains.
    pub(super) fn standing(&self) -> Option<&Standing> {
        matches!(self.connection, Connection::Read { .. }).then_some(&self.standing)
    }

    /// What is to be done now. To be asked whenever something was told, and every so often, because
    /// time passes. `settled` says whether the caller holds nothing of a slot.
    pub(super) fn step(&mut self, now: Moment, settled: &dyn Fn(u16) -> bool) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.is_closing {
            self.give_up_everything(&mut commands);
            return commands;
        }
        if !matches!(self.connection, Connection::None) && now >= self.next_beat {
            self.beat += 1;
            (self.beaten, self.next_beat) = (now, now + BEAT);
            commands.push(Command::Beat(self.beat));
        }
        let Connection::Read { since, first } = self.connection else { return commands };
        let slots = self.look_around(now);
        let is_fresh = now < self.known_until + FRESH;
        let moot = Moot { now, slots, is_fresh, settled };
        self.attend_to_holds(&moot, &mut commands);
        if self.stands_aside(now, &mut commands) {
            self.tell(&moot, false);
            return commands;
        }
        let settled_since = since + if first { SETTLE } else { GRACE };
        if now < settled_since || !is_fresh {
            self.tell(&moot, true);
            return commands;
        }
        let wants = self.take_and_hand_over(&moot, &mut commands);
        self.retire(&moot, &mut commands);
        self.tell(&moot, wants);
        commands
    }

    /// Takes note of who is there and what is free; gives the number of the group's slots.
    fn look_around(&mut self, now: Moment) -> u16 {
        if !self.view.living(now).eq(self.living.iter()) {
            self.living = self.view.living(now).map(str::to_owned).collect();
            self.calm_since = now;
        }
        if let Some(Namesake { alive: Some(seen), .. }) = self.namesake
            && now >= seen + LIFE
        {
            self.namesake = None;
        }
        let slots = self.view.slots_wanted(&self.living).max(self.slots);
        let free: Vec<u16> = (0..slots).filter(|&slot| self.is_free(slot)).collect();
        if free.iter().any(|slot| !self.free_since.contains_key(slot)) {
            self.freed = now;
        }
        keep_since(&mut self.free_since, &free, now);
        let beyond: Vec<u16> = self.view.recorded().filter(|&slot| slot >= slots).collect();
        keep_since(&mut self.beyond_since, &beyond, now);
        slots
    }

    /// A slot is free when it has no record, its record has no owner, or one that is not there.
    fn is_free(&self, slot: u16) -> bool {
        let owner = self.view.slot(slot).and_then(|tenure| tenure.owner.as_ref());
        owner.is_none_or(|owner| *owner != self.name && !self.living.contains(owner))
    }

    fn is_recorded_as_mine(&self, slot: u16) -> bool {
        let owner = self.view.slot(slot).and_then(|tenure| tenure.owner.as_ref());
        owner == Some(&self.name)
    }

    /// Looks after what is owned, or was.
    fn attend_to_holds(&mut self, moot: &Moot<'_>, commands: &mut Vec<Command>) {
        let Self { view, holds, name, free_since, .. } = self;
        holds.retain(|&slot, hold| {
            let tenure = view.slot(slot);
            let is_mine = tenure.is_some_and(|tenure| tenure.owner.as_ref() == Some(name));
            let is_settled = (moot.settled)(slot);
            let Moot { now, is_fresh, .. } = *moot;
            let glance = Glance { slot, tenure, is_mine, is_settled, is_fresh, now };
            let goes_on = hold.attend(&glance, commands);
            if !goes_on && let Some(since) = free_since.get_mut(&slot) {
                // As free as for everybody else only from now on.
                *since = moot.now;
            }
            goes_on
        });
        let returning =
            |(&slot, hold): (&u16, &Hold)| (hold.phase == Phase::Returning).then_some(slot);
        for slot in self.holds.iter().filter_map(returning).collect::<Vec<u16>>() {
            self.holds.remove(&slot);
            self.open(slot, slot >= moot.slots, commands);
        }
    }

    fn give_up_everything(&mut self, commands: &mut Vec<Command>) {
        for (&slot, hold) in &mut self.holds {
            if hold.phase.has_connection() {
                hold.phase = Phase::Leaving { to_retire: false };
                commands.push(Command::Release(slot));
            } else if hold.phase == Phase::Returning {
                hold.phase = Phase::Left { until: Moment::ZERO };
            }
        }
    }

    fn tell(&mut self, moot: &Moot<'_>, wants: bool) {
        let owned = self.holds.iter().filter(|(_, hold)| hold.up && hold.phase == Phase::Owned);
        let namesake = self.namesake.as_ref().is_some_and(|namesake| namesake.alive.is_some());
        self.standing = Standing {
            owned: owned.map(|(&slot, _)| slot).collect(),
            slots: moot.slots,
            members: self.living.len() + 1,
            changing: self.holds.values().any(|hold| !hold.up || hold.phase != Phase::Owned),
            waiting: self.holds.is_empty() && wants,
            namesake,
        };
    }

    fn view_mut(&mut self) -> &mut View {
        match &mut self.connection {
            Connection::Reading(fresh) => fresh,
            Connection::None | Connection::Read { .. } => &mut self.view,
        }
    }

    fn of(&mut self, slot: u16, opening: u64, change: impl FnOnce(&mut Hold)) {
        if let Some(hold) = self.holds.get_mut(&slot).filter(|hold| hold.opening == opening) {
            change(hold);
        }
    }
}

/// Keeps since when each of these has been there.
fn keep_since(since: &mut BTreeMap<u16, Moment>, there: &[u16], now: Moment) {
    since.retain(|slot, _| there.contains(slot));
    for &slot in there {
        since.entry(slot).or_insert(now);
    }
}
