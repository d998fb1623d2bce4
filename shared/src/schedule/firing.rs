//! When a timer on a schedule fires.
//!
//! A schedule occurs in units: `on monday` once in each such day. A timer started at some moment
//! fires at the beginning of the next unit, or of the one after it when the next is less than a
//! second away or has begun already, so it never fires at once.
//!
//! Two oddities are those of later.js, whose texts these are. Where no other unit follows the one
//! that has begun, a timer fires every second: so does `in 2027` for a year. And where an exclusion
//! covers only the beginning of a unit, as in `every 1 hour except at 11:00`, no unit follows the
//! one before it; but while later.js stops there for good, the timer here goes on with the next.

use std::time::Duration;

use jiff::civil::Date;

use super::moment::Moment;
use super::rule::Rule;
use crate::timestamp::Timestamp;

/// After this year nothing fires.
const LAST_YEAR: i16 = 2099;
/// How close an occurrence may be to be passed over.
const CLOSE: Duration = Duration::from_secs(1);
/// So many exclusions in a row are looked behind: one that lasts is one, whatever it takes. Each costs
/// a look at all of them.
const MOST_EXCLUSIONS: usize = 1_000;

/// A timer on a schedule, from its start to its next firing.
#[derive(Debug)]
pub(super) struct Timer<'s> {
    alternatives: &'s [Rule],
    exclusions: &'s [Rule],
    start: Timestamp,
    /// The second in which it starts.
    started: Moment,
    horizon: Moment,
}

/// What to do with a unit of which an exclusion covers only the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beheaded {
    /// Look at the unit after it.
    PassOver,
    /// Look no further.
    StopAt,
}

impl<'s> Timer<'s> {
    pub(super) fn new(alternatives: &'s [Rule], exclusions: &'s [Rule], start: Timestamp) -> Self {
        let started = Moment::containing(start);
        let horizon = Moment { date: Date::constant(LAST_YEAR, 12, 31), second: 86_399 };
        Self { alternatives, exclusions, start, started, horizon }
    }

    /// When it fires, if it does at all.
    pub(super) fn firing(&self) -> Option<Timestamp> {
        let nexts: Vec<(&Rule, Moment)> = self
            .alternatives
            .iter()
            .filter_map(|rule| Some((rule, self.unit(rule, self.started, Beheaded::PassOver)?)))
            .collect();
        let next = nexts.iter().filter_map(|(_, unit)| self.seen(*unit)).min()?;
        if next.since(self.start) >= CLOSE {
            return Some(next);
        }
        let after_next = nexts.iter().filter_map(|(rule, unit)| {
            if self.seen(*unit)? > next {
                return self.seen(*unit);
            }
            self.unit(rule, rule.unit.next_start(*unit), Beheaded::StopAt)?.timestamp()
        });
        after_next.min().or_else(|| self.started.at_second(self.started.second + 1).timestamp())
    }

    /// A unit as the timer sees it: one that has begun begins now.
    fn seen(&self, unit: Moment) -> Option<Timestamp> {
        unit.timestamp().map(|begins| begins.max(self.start))
    }

    /// The first unit of a rule that lasts until `from` or begins later, and is not excluded.
    fn unit(&self, rule: &Rule, from: Moment, beheaded: Beheaded) -> Option<Moment> {
        let find = |from| rule.first_match(from, self.horizon).map(|at| rule.unit.start(at));
        let mut unit = find(from)?;
        for _ in 0..MOST_EXCLUSIONS {
            let Some(end) = self.exclusion_end(unit) else {
                return Some(unit);
            };
            let following = find(end)?;
            unit = match beheaded {
                _ if following > unit => following,
                Beheaded::PassOver => find(rule.unit.next_start(unit))?,
                Beheaded::StopAt => return None,
            };
        }
        None
    }

    /// The end of the exclusions that hold when a unit begins; `None` when there are none.
    ///
    /// A unit that has begun before the timer is not excluded by what has ended before it, too.
    fn exclusion_end(&self, unit: Moment) -> Option<Moment> {
        let holding = self.exclusions.iter().filter(|exclusion| exclusion.holds(unit));
        let ends = holding.map(|exclusion| {
            exclusion.first_mismatch(unit, self.horizon).unwrap_or(self.horizon.tomorrow())
        });
        ends.max().filter(|end| *end > self.started)
    }
}
