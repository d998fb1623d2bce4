//! The newest events, in memory too: a reader that keeps up need not ask the database for them.
//!
//! Reading each event back cost as much as half a commit.

use std::collections::VecDeque;

use super::Stored;

/// Payload bytes kept, at most: what a site of a thousand servers appends while a broker confirms.
/// A reader that is further behind reads the database, many events at once.
const MOST_BYTES: usize = 1 << 20;

/// Room for events that stays when there are none.
const ROOM_KEPT: usize = 16;

/// Events that are not settled and follow each other without gaps, up to the last one committed.
#[derive(Debug, Default)]
pub(super) struct Recent {
    events: VecDeque<Stored>,
    bytes: usize,
}

impl Recent {
    /// Adds what was committed.
    pub(super) fn extend(&mut self, committed: Vec<Stored>) {
        for stored in committed {
            self.bytes += stored.payload.len();
            self.events.push_back(stored);
        }
        self.shorten(|recent| recent.bytes > MOST_BYTES);
    }

    /// Forgets what is settled.
    pub(super) fn settle(&mut self, through: i64) {
        self.shorten(|recent| recent.events.front().is_some_and(|one| one.position <= through));
    }

    /// The events after `position`, at most `limit`; none when the first of them is not here.
    pub(super) fn after(&self, position: i64, limit: usize) -> Option<Vec<Stored>> {
        let at = self.events.partition_point(|stored| stored.position <= position);
        let first = self.events.get(at)?;
        (first.position == position + 1)
            .then(|| self.events.range(at..).take(limit).cloned().collect())
    }

    fn shorten(&mut self, while_so: impl Fn(&Self) -> bool) {
        while while_so(self)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.payload.len();
        }
        if self.events.is_empty() {
            self.events.shrink_to(ROOM_KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Subject;

    fn stored(position: i64, bytes: usize) -> Stored {
        let subject = Subject::from_neutral(format!("qliksense/v1/health/{position}"));
        Stored { position, subject, id: position.to_string(), payload: vec![b'x'; bytes].into() }
    }

    fn places(found: Option<Vec<Stored>>) -> Option<Vec<i64>> {
        found.map(|found| found.iter().map(|stored| stored.position).collect())
    }

    #[test]
    fn who_keeps_up_is_given_what_follows() {
        let mut recent = Recent::default();
        recent.extend((5..9).map(|position| stored(position, 10)).collect());
        assert_eq!(places(recent.after(4, 100)), Some(vec![5, 6, 7, 8]));
        assert_eq!(places(recent.after(6, 1)), Some(vec![7]));
        assert_eq!(places(recent.after(3, 100)), None, "one is only in the database");
        assert_eq!(places(recent.after(8, 100)), None);
        recent.settle(6);
        assert_eq!(places(recent.after(4, 100)), None);
        assert_eq!(places(recent.after(6, 100)), Some(vec![7, 8]));
        recent.settle(8);
        assert_eq!((recent.bytes, recent.events.len()), (0, 0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        for position in 1..10 {
            recent.extend(vec![stored(position, MOST_BYTES / 4)]);
        }
        assert_eq!(places(recent.after(5, 100)), Some(vec![6, 7, 8, 9]));
        assert_eq!(places(recent.after(4, 100)), None);
        recent.extend(vec![stored(10, MOST_BYTES + 1)]);
        assert_eq!(places(recent.after(9, 100)), None, "too large to be kept");
        assert_eq!(recent.bytes, 0);
    }
}
