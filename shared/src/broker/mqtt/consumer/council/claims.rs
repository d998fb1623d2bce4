//! Which slots a member takes, hands over and retires: the same for everybody who knows the same.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::command::{Command, Opening};
use super::hold::{Hold, Phase};
use super::share::{Owned, quotas, takers};
use super::{CALM, Council, GRACE, JITTER_MS, Moment, Moot, RETIRE_GRACE, STILL};

impl Council {
    /// Takes what is due to this member, hands over what is due to others. Says whether there is
    /// something to take, now or soon.
    pub(super) fn take_and_hand_over(
        &mut self,
        moot: &Moot<'_>,
        commands: &mut Vec<Command>,
    ) -> bool {
        let free: Vec<u16> = self.free_since.keys().copied().collect();
        let (surplus, due) = {
            let owned = self.owned(moot.slots);
            let quotas = quotas(&owned, usize::from(moot.slots));
            let name = self.name.as_str();
            let count = |of: &BTreeMap<&str, usize>| of.get(name).copied().unwrap_or_default();
            let surplus = count(&owned).saturating_sub(count(&quotas));
            let takers = takers(&owned, &quotas, &free).into_iter();
            let due = takers.filter(|(_, taker)| *taker == name).map(|(slot, _)| slot);
            (surplus, due.collect::<Vec<u16>>())
        };
        for slot in 0..moot.slots {
            // What an earlier start of ours left behind, or could not give up.
            if self.is_recorded_as_mine(slot) {
                self.open(slot, false, commands);
            }
        }
        let is_still = moot.now >= self.calm_since.max(self.freed) + STILL;
        for &slot in due.iter().filter(|_| is_still) {
            if self.may_be_taken(slot, moot.now) {
                self.open(slot, false, commands);
            }
        }
        if moot.now >= self.calm_since + CALM {
            self.hand_over(surplus, moot, commands);
        }
        !due.is_empty()
    }

    /// How many slots each member owns, itself included.
    fn owned(&self, slots: u16) -> Owned<'_> {
        let members = self.living.iter().chain([&self.name]);
        let mut owned: Owned<'_> = members.map(|name| (name.as_str(), 0)).collect();
        for slot in 0..slots {
            let owner = self.view.slot(slot).and_then(|tenure| tenure.owner.as_deref());
            if let Some(count) = owner.and_then(|owner| owned.get_mut(owner)) {
                *count += 1;
            }
        }
        owned
    }

    fn may_be_taken(&self, slot: u16, now: Moment) -> bool {
        let nobody_returns = self.view.slot(slot).is_none_or(|tenure| tenure.released);
        let jitter = Duration::from_millis(self.jitter(slot));
        let free_for_long =
            self.free_since.get(&slot).is_some_and(|&since| now >= since + GRACE + jitter);
        nobody_returns || free_for_long
    }

    fn jitter(&self, slot: u16) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.start, slot).hash(&mut hasher);
        hasher.finish() % JITTER_MS
    }

    pub(super) fn open(&mut self, slot: u16, retiring: bool, commands: &mut Vec<Command>) {
        if self.holds.contains_key(&slot) {
            return;
        }
        let tenure = self.view.slot(slot);
        let takeover = tenure.map_or(0, |tenure| tenure.takeover).saturating_add(1);
        let session = tenure.and_then(|tenure| tenure.session.clone());
        self.openings += 1;
        let opening = self.openings;
        let phase = if retiring { Phase::Retiring { drained: false } } else { Phase::Owned };
        self.holds.insert(slot, Hold::new(opening, takeover, phase));
        commands.push(Command::Open(Opening {
            slot,
            number: opening,
            takeover,
            session,
            retiring,
        }));
    }

    /// Begins to hand over what is too much, the last slots first.
    fn hand_over(&mut self, surplus: usize, moot: &Moot<'_>, commands: &mut Vec<Command>) {
        let within = |(&slot, hold): (&u16, &mut Hold)| (slot < moot.slots).then_some(hold.phase);
        let on_their_way = self.holds.iter_mut().filter_map(within);
        let on_their_way = on_their_way.filter(|phase| phase.is_being_given_up()).count();
        let own =
            self.holds.iter_mut().rev().filter(|(slot, hold)| {
                **slot < moot.slots && hold.phase == Phase::Owned && hold.up
            });
        for (&slot, hold) in own.take(surplus.saturating_sub(on_their_way)) {
            hold.phase = Phase::HandingOver { since: moot.now };
            commands.push(Command::Stop(slot));
        }
    }

    /// Empties and deletes what is beyond everybody's wishes.
    pub(super) fn retire(&mut self, moot: &Moot<'_>, commands: &mut Vec<Command>) {
        let long =
            |(&slot, &since): (&u16, &Moment)| (moot.now >= since + RETIRE_GRACE).then_some(slot);
        let slots: Vec<u16> = self.beyond_since.iter().filter_map(long).collect();
        for slot in slots {
            if !self.is_mine_to_retire(slot) {
                continue;
            }
            match self.holds.get_mut(&slot) {
                None => self.open(slot, true, commands),
                Some(hold) if hold.phase == Phase::Owned => {
                    hold.phase = Phase::Leaving { to_retire: true };
                    commands.push(Command::Leave(slot));
                }
                Some(_) => {}
            }
        }
    }

    fn is_mine_to_retire(&self, slot: u16) -> bool {
        if !self.is_free(slot) {
            return self.is_recorded_as_mine(slot);
        }
        let mut members: Vec<&String> = self.living.iter().chain([&self.name]).collect();
        members.sort();
        let turn = usize::from(slot) % members.len();
        members.get(turn).is_some_and(|name| **name == self.name)
    }
}
