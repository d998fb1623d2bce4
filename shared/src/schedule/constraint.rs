//! What a clause demands of one period.

use std::collections::BTreeSet;

use super::moment::Moment;
use super::period::Period;

/// Numbers beyond this match no period, and are not worth listing.
const HIGHEST_LISTED: i32 = 9_999;

/// The numbers of a period that a schedule fires at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) period: Period,
    pub(super) numbers: Numbers,
}

/// Some numbers of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// These; [`Period::LAST`] among them is the last of a period.
    Listed(BTreeSet<i32>),
    /// This one and those after it.
    From(i32),
    /// Those before this one.
    Before(i32),
}

impl Numbers {
    /// The numbers from `first` to `last`, none when they run backwards.
    pub(super) fn range(first: i32, last: i32) -> BTreeSet<i32> {
        Self::steps(first, last, 1)
    }

    /// Every `step`th number from `first` to `last`; a step of 0 is one of 1.
    pub(super) fn steps(first: i32, last: i32, step: i32) -> BTreeSet<i32> {
        let step = usize::try_from(step.max(1)).unwrap_or(usize::MAX);
        (first..=last.min(HIGHEST_LISTED)).step_by(step).collect()
    }

    /// Takes in the numbers of another clause about the same period, or gives them back.
    ///
    /// Lists grow; of several `after` the first counts, of several `before` the last.
    pub(super) fn merge(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Listed(own), Self::Listed(more)) => own.extend(more),
            (Self::From(_), Self::From(_)) => {}
            (Self::Before(own), Self::Before(later)) => *own = later,
            (_, other) => return Some(other),
        }
        None
    }
}

impl Constraint {
    /// Whether a moment satisfies it.
    pub(super) fn allows(&self, at: Moment) -> bool {
        let number = self.period.number(at);
        match &self.numbers {
            Numbers::Listed(numbers) => {
                numbers.contains(&number)
                    || (numbers.contains(&Period::LAST) && self.period.is_last(at))
            }
            Numbers::From(first) => number >= *first,
            Numbers::Before(end) => number < *end,
        }
    }

    /// Whether every moment satisfies it.
    pub(super) fn is_total(&self) -> bool {
        let (first, highest) = (self.period.first(), self.period.highest());
        match &self.numbers {
            Numbers::Listed(numbers) => {
                numbers.len() > 1 && (first..=highest).all(|number| numbers.contains(&number))
            }
            Numbers::From(from) => *from <= first,
            Numbers::Before(end) => *end > highest,
        }
    }

    /// A moment after `at`, no later than the next at which the answer of `allows` changes.
    pub(super) fn may_change(&self, at: Moment) -> Moment {
        match (self.period, &self.numbers) {
            (Period::Time, numbers) => at.at_second(next_time(numbers, at.second)),
            // The last seven days may begin on any day.
            (Period::DayInstance, _) => at.tomorrow(),
            (period, _) => period.next_start(at),
        }
    }

    /// How long the numbers last, as later.js reckons it to find out which constraint is finest.
    pub(super) fn seconds(&self) -> i64 {
        let unit = self.period.seconds();
        match self.numbers {
            Numbers::Listed(_) => unit,
            Numbers::From(first) => unit * i64::from(self.period.counts_to() - first),
            Numbers::Before(end) => unit * (i64::from(end) - 1),
        }
    }
}

/// The next second of the day that may be in when `second` is out, or out when it is in.
fn next_time(numbers: &Numbers, second: i32) -> i32 {
    match numbers {
        Numbers::Listed(times) if times.contains(&second) => second + 1,
        Numbers::Listed(times) => times.range(second..).next().copied().unwrap_or(i32::MAX),
        Numbers::From(bound) | Numbers::Before(bound) if *bound > second => *bound,
        Numbers::From(_) | Numbers::Before(_) => i32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn listed(period: Period, numbers: &[i32]) -> Constraint {
        Constraint { period, numbers: Numbers::Listed(numbers.iter().copied().collect()) }
    }

    fn at(day: i8, second: i32) -> Moment {
        Moment { date: date(2026, 2, day), second }
    }

    #[test]
    fn the_zeroth_is_the_last_where_numbers_begin_at_1() {
        assert!(listed(Period::Day, &[0]).allows(at(28, 0)));
        assert!(!listed(Period::Day, &[0]).allows(at(27, 0)));
        assert!(listed(Period::Weekday, &[0]).allows(at(28, 0)));
        assert!(listed(Period::Minute, &[0]).allows(at(28, 59)));
        assert!(!listed(Period::Minute, &[0]).allows(at(28, 86_399)));
        assert!(!listed(Period::Month, &[0]).allows(at(28, 0)));
    }

    #[test]
    fn steps_begin_over_in_the_parent() {
        let sevens: Vec<i32> = Numbers::steps(0, 59, 7).into_iter().collect();
        assert_eq!(sevens, [0, 7, 14, 21, 28, 35, 42, 49, 56]);
        assert_eq!(Numbers::steps(0, 59, 0).len(), 60);
        assert_eq!(Numbers::steps(0, 59, i32::MAX).len(), 1);
        assert!(Numbers::range(40, 20).is_empty());
        assert_eq!(Numbers::range(0, i32::MAX).len(), 10_000);
    }

    #[test]
    fn clauses_about_one_period_merge() {
        let mut numbers = Numbers::Listed(BTreeSet::from([1]));
        assert_eq!(numbers.merge(Numbers::Listed(BTreeSet::from([5]))), None);
        assert_eq!(numbers, Numbers::Listed(BTreeSet::from([1, 5])));
        assert_eq!(numbers.merge(Numbers::From(3)), Some(Numbers::From(3)));
        let (mut from, mut before) = (Numbers::From(3), Numbers::Before(3));
        assert_eq!((from.merge(Numbers::From(4)), before.merge(Numbers::Before(4))), (None, None));
        assert_eq!((from, before), (Numbers::From(3), Numbers::Before(4)));
    }

    #[test]
    fn some_constraints_demand_nothing() {
        let all = |period: Period| Constraint {
            period,
            numbers: Numbers::Listed(Numbers::range(period.first(), period.counts_to())),
        };
        assert!(all(Period::Hour).is_total() && all(Period::Day).is_total());
        assert!(!all(Period::WeekOfMonth).is_total());
        let from = |first| Constraint { period: Period::Hour, numbers: Numbers::From(first) };
        assert!(from(0).is_total() && !from(1).is_total());
    }

    #[test]
    fn times_change_where_they_are_bounded() {
        let noon = Constraint { period: Period::Time, numbers: Numbers::From(43_200) };
        assert_eq!(noon.may_change(at(27, 5)), at(27, 43_200));
        assert_eq!(noon.may_change(at(28, 43_200)), Moment::midnight(date(2026, 3, 1)));
        let times = listed(Period::Time, &[60, 90]);
        assert_eq!(times.may_change(at(27, 5)), at(27, 60));
        assert_eq!(times.may_change(at(27, 60)), at(27, 61));
        assert_eq!(times.may_change(at(27, 91)), at(28, 0));
    }
}
