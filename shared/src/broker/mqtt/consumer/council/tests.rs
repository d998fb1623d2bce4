//! Single decisions.

use super::*;
use crate::broker::mqtt::slot_record::SlotOwner;

const SECOND: Duration = Duration::from_secs(1);

/// A member called `a` and what it has been told to do.
struct Member {
    council: Council,
    now: Moment,
    settled: bool,
    /// Its beats come back to it.
    hears: bool,
}

impl Member {
    /// Connected, but it has not been told anything.
    fn new(slots: u16) -> Self {
        let mut council = Council::new("writer-a".to_owned(), "2".to_owned(), slots);
        council.connected(Moment::ZERO);
        Self { council, now: Moment::ZERO, settled: false, hears: true }
    }

    /// What it does within this time, beats apart. Openings succeed at once.
    fn does_within(&mut self, time: Duration) -> Vec<Command> {
        let mut done = Vec::new();
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(100);
            for command in self.council.step(self.now, &|_| self.settled) {
                match &command {
                    Command::Open(opening) => {
                        let Opening { slot, number, takeover, .. } = *opening;
                        self.council.note_slot(slot, Some(owned("writer-a", takeover)));
                        self.council.up(slot, number);
                    }
                    Command::Beat(beat) => {
                        if self.hears {
                            self.hears_of("a", "2", 1, *beat);
                        }
                        continue;
                    }
                    _ => {}
                }
                done.push(command);
            }
        }
        done
    }

    fn hears_of(&mut self, instance: &str, start: &str, slots: u16, beat: u64) {
        let who = SlotOwner { process: "writer".to_owned(), instance: instance.to_owned() };
        let record = MemberRecord { who, start: start.to_owned(), slots, beat };
        self.council.note_member(self.now, &format!("writer-{instance}"), Some(&record));
    }

    fn owns(&self) -> Vec<u16> {
        self.council.standing().unwrap().owned.clone()
    }
}

fn owned(name: &str, takeover: u64) -> Tenure {
    Tenure { owner: Some(name.to_owned()), takeover, ..Tenure::default() }
}

fn free(takeover: u64, released: bool) -> Tenure {
    Tenure { takeover, released, ..Tenure::default() }
}

fn opened(commands: &[Command]) -> Vec<(u16, u64)> {
    let opening = |command: &Command| match command {
        Command::Open(Opening { slot, takeover, .. }) => Some((*slot, *takeover)),
        _ => None,
    };
    commands.iter().filter_map(opening).collect()
}

#[test]
fn nothing_is_taken_before_everything_retained_is_known() {
    let mut member = Member::new(2);
    assert_eq!(member.does_within(SECOND * 30), []);
    assert_eq!(member.council.standing(), None);
    member.council.read(member.now);
    assert_eq!(opened(&member.does_within(SECOND)), [(0, 1), (1, 1)]);
    assert_eq!(member.owns(), [0, 1]);
    // Without the control connection what is owned goes on, and a lost slot waits.
    member.council.disconnected();
    assert!(!member.council.may_connect(member.now, 0));
    assert_eq!(member.does_within(SECOND * 30), []);
}

#[test]
fn what_was_released_is_taken_at_once_and_what_was_lost_after_a_grace() {
    let mut member = Member::new(2);
    member.council.note_slot(0, Some(free(7, true)));
    member.council.note_slot(1, Some(free(3, false)));
    member.council.read(member.now);
    assert_eq!(opened(&member.does_within(SECOND)), [(0, 8)]);
    assert_eq!(opened(&member.does_within(SECOND * 2)), []);
    assert_eq!(opened(&member.does_within(SECOND * 2)), [(1, 4)]);
}

#[test]
fn more_members_than_slots_leave_one_idle() {
    let mut member = Member::new(1);
    member.hears_of("b", "1", 1, 1);
    member.council.note_slot(0, Some(owned("writer-b", 1)));
    member.council.read(member.now);
    assert_eq!(member.does_within(SECOND * 5), []);
    let standing = member.council.standing().unwrap();
    assert_eq!((standing.members, standing.slots, standing.waiting), (2, 1, false));
}

#[test]
fn a_member_that_falls_silent_is_succeeded() {
    let mut member = Member::new(1);
    member.hears_of("b", "1", 1, 1);
    member.council.note_slot(0, Some(owned("writer-b", 1)));
    member.council.read(member.now);
    assert_eq!(opened(&member.does_within(LIFE)), []);
    assert_eq!(opened(&member.does_within(GRACE + SECOND * 2)), [(0, 2)]);
}

#[test]
fn of_two_with_one_name_the_younger_stands_aside() {
    for (start, aside) in [("1", true), ("3", false)] {
        let mut member = Member::new(1);
        // May be what an earlier start of ours left behind.
        member.hears_of("a", start, 1, 4);
        member.council.read(member.now);
        member.does_within(SECOND);
        assert_eq!(member.owns(), [0]);
        member.hears_of("a", start, 1, 5);
        let done = member.does_within(SECOND);
        assert!(member.council.standing().unwrap().namesake);
        assert_eq!(done.contains(&Command::Stop(0)), aside, "{done:?}");
        member.does_within(LIFE);
        assert!(!member.council.standing().unwrap().namesake, "it is gone");
    }
}

#[test]
fn a_session_is_deleted_only_when_all_that_it_brought_is_acked() {
    let mut member = Member::new(1);
    member.council.note_slot(0, Some(free(1, true)));
    member.council.note_slot(1, Some(free(1, true)));
    member.council.read(member.now);
    assert_eq!(opened(&member.does_within(SECOND * 5)), [(0, 2)]);
    let done = member.does_within(RETIRE_GRACE);
    let [Command::Open(Opening { slot: 1, number, retiring: true, .. })] = done[..] else {
        panic!("{done:?}")
    };
    member.council.drained(1, number);
    assert_eq!(member.does_within(SECOND), [], "something is not acked yet");
    // The connection breaks: for a moment nothing of the new one is held, and everything that was
    // not acked is about to come again.
    member.council.down(member.now, 1, number);
    member.council.up(1, number);
    member.settled = true;
    assert_eq!(member.does_within(SECOND), []);
    member.council.drained(1, number);
    assert_eq!(member.does_within(SECOND), [Command::Delete(1)]);
    member.council.deleted(member.now, 1, true);
    assert_eq!(member.does_within(SECOND * 30), []);
}

#[test]
fn nobody_acts_on_what_may_be_long_past() {
    let mut member = Member::new(1);
    member.hears_of("b", "1", 1, 1);
    member.council.note_slot(0, Some(owned("writer-b", 1)));
    member.council.read(member.now);
    member.does_within(SECOND);
    // It stood still, or nothing reaches it: that `b` is silent means nothing.
    member.hears = false;
    assert_eq!(member.does_within(SECOND * 60), []);
    member.hears = true;
    assert_eq!(opened(&member.does_within(GRACE + SECOND * 5)), [(0, 2)]);
}
