//! One slot that a member owns, or has just owned.

use super::{Command, DISPUTE, LONGEST_ECHO, LONGEST_HAND_OVER, Moment, Tenure};

/// How far a member is with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is connected as the slot, or tries to be.
    Owned,
    /// It takes nothing more, and waits for the acks of what it holds.
    HandingOver { since: Moment },
    /// It is saying goodbye; then it comes back to retire the slot, or not.
    Leaving { to_retire: bool },
    /// It has said goodbye and is about to connect again to retire the slot.
    Returning,
    /// It has nothing to do with the slot any more, but the record may say so for a moment.
    Left { until: Moment },
    /// It empties the session.
    Retiring { drained: bool },
    /// It deletes the session.
    Deleting,
}

impl Phase {
    pub(super) fn is_being_given_up(self) -> bool {
        matches!(self, Self::HandingOver { .. } | Self::Leaving { .. } | Self::Left { .. })
    }

    pub(super) fn has_connection(self) -> bool {
        matches!(self, Self::Owned | Self::HandingOver { .. } | Self::Retiring { .. })
    }
}

/// What a member sees of a slot at one moment.
pub(super) struct Glance<'a> {
    pub(super) slot: u16,
    /// What its record says.
    pub(super) tenure: Option<&'a Tenure>,
    /// The record says that it is this member's.
    pub(super) is_mine: bool,
    /// The caller holds nothing of it.
    pub(super) is_settled: bool,
    /// What is known is not too old to act.
    pub(super) is_fresh: bool,
    pub(super) now: Moment,
}

/// A member's side of a slot.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) opening: u64,
    takeover: u64,
    pub(super) phase: Phase,
    /// The connection stands and the record is published.
    pub(super) up: bool,
    /// When it may be connected at the earliest.
    pub(super) not_before: Moment,
    /// Since when the record has said something else.
    disputed: Option<Moment>,
}

impl Hold {
    pub(super) fn new(opening: u64, takeover: u64, phase: Phase) -> Self {
        Self { opening, takeover, phase, up: false, not_before: Moment::ZERO, disputed: None }
    }

    pub(super) fn wants_connection(&self, now: Moment) -> bool {
        matches!(self.phase, Phase::Owned | Phase::Retiring { .. }) && now >= self.not_before
    }

    pub(super) fn closed(&mut self, now: Moment) {
        self.up = false;
        self.phase = match self.phase {
            Phase::Leaving { to_retire: true } => Phase::Returning,
            _ => Phase::Left { until: now + LONGEST_ECHO },
        };
    }

    /// Goes on with what is due; says whether the hold goes on.
    pub(super) fn attend(&mut self, glance: &Glance<'_>, commands: &mut Vec<Command>) -> bool {
        let Glance { slot, is_mine, is_settled, is_fresh, now, .. } = *glance;
        if self.phase.has_connection() && self.is_superseded(glance) {
            commands.push(Command::Yield(slot));
            return false;
        }
        match self.phase {
            Phase::Owned => self.defend(glance, commands),
            Phase::HandingOver { .. } if !self.up => {
                // Its last will has said that it is free.
                commands.push(Command::Yield(slot));
                self.phase = Phase::Left { until: now + LONGEST_ECHO };
            }
            Phase::HandingOver { since } if is_settled || now >= since + LONGEST_HAND_OVER => {
                commands.push(Command::Release(slot));
                self.phase = Phase::Leaving { to_retire: false };
            }
            Phase::Retiring { drained: true } if is_settled && is_fresh => {
                commands.push(Command::Delete(slot));
                self.phase = Phase::Deleting;
            }
            Phase::Left { until } => return is_mine && now < until,
            Phase::HandingOver { .. }
            | Phase::Leaving { .. }
            | Phase::Returning
            | Phase::Retiring { .. }
            | Phase::Deleting => {}
        }
        true
    }

    /// Somebody has owned the slot after us.
    fn is_superseded(&self, glance: &Glance<'_>) -> bool {
        let Some(tenure) = glance.tenure.filter(|_| !glance.is_mine) else { return false };
        // Two that took it at the same time have the same number; the one that is still connected
        // came last.
        let came_last = tenure.owner.is_some() && tenure.takeover == self.takeover && !self.up;
        tenure.takeover > self.takeover || came_last
    }

    /// Publishes the record again when another one has been there for too long.
    fn defend(&mut self, glance: &Glance<'_>, commands: &mut Vec<Command>) {
        if glance.is_mine || !self.up {
            self.disputed = None;
        } else if glance.now >= *self.disputed.get_or_insert(glance.now) + DISPUTE {
            commands.push(Command::Assert(glance.slot));
            self.disputed = None;
        }
    }
}
