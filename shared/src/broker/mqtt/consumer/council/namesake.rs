//! Two programs with one name: the one that started later owns nothing.

use super::command::Command;
use super::hold::Phase;
use super::{Council, Moment};
use crate::broker::mqtt::member_record::MemberRecord;

/// Another program with this member's name.
#[derive(Debug)]
pub(super) struct Namesake {
    pub(super) start: String,
    pub(super) beat: u64,
    /// When its record changed. None when it may be what an earlier start of ours left behind.
    pub(super) alive: Option<Moment>,
}

impl Council {
    pub(super) fn note_namesake(&mut self, now: Moment, record: Option<&MemberRecord>) {
        let Some(record) = record else {
            // By the last will of an earlier connection of ours, or by a namesake's.
            self.next_beat = self.next_beat.min(now);
            return;
        };
        if record.start == self.start {
            if record.beat == self.beat {
                self.known_until = self.beaten;
            }
            return;
        }
        let known = self.namesake.take();
        let (start, beat) = (record.start.clone(), record.beat);
        let alive = match known {
            Some(known) if known.start == start && known.beat == beat => known.alive,
            Some(_) => Some(now),
            None => None,
        };
        self.namesake = Some(Namesake { start, beat, alive });
    }

    /// Of two programs with one name, the one that started later owns nothing.
    pub(super) fn stands_aside(&mut self, now: Moment, commands: &mut Vec<Command>) -> bool {
        let Some(Namesake { start, alive: Some(_), .. }) = &self.namesake else { return false };
        if *start > self.start {
            return false;
        }
        for (&slot, hold) in &mut self.holds {
            if hold.phase == Phase::Owned {
                hold.phase = Phase::HandingOver { since: now };
                commands.push(Command::Stop(slot));
            }
        }
        true
    }
}
