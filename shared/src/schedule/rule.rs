//! Constraints that must all hold, and the search for the moments at which they do.

use jiff::civil::Date;

use super::constraint::Constraint;
use super::moment::Moment;
use super::period::Period;

/// One alternative of a schedule, or one of its exclusions.
///
/// It occurs once in every unit in which its constraints hold at some moment, the unit being the
/// finest period that it speaks of: `on monday` occurs once a day, `every 1 hour` once an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The coarsest first, so that the search leaps over years before it counts seconds.
    constraints: Vec<Constraint>,
    pub(super) unit: Period,
    /// Whether some second of a day satisfies what is said of the clock.
    possible: bool,
}

impl Rule {
    /// A rule of constraints in the order of the text, or `None` when there are none.
    pub(super) fn new(mut constraints: Vec<Constraint>) -> Option<Self> {
        // Of two equally fine ones the later counts.
        let unit = constraints.iter().rev().min_by_key(|constraint| constraint.seconds())?.period;
        constraints.sort_by_key(|constraint| std::cmp::Reverse(constraint.period.seconds()));
        let clock = Self {
            constraints: constraints.iter().filter(|c| is_of_clock(c.period)).cloned().collect(),
            unit,
            possible: true,
        };
        let day = Moment::midnight(Date::constant(2000, 1, 1));
        let possible = clock.first_match(day, day.at_second(86_399)).is_some();
        Some(Self { constraints, unit, possible })
    }

    /// Whether all constraints hold.
    pub(super) fn holds(&self, at: Moment) -> bool {
        self.constraints.iter().all(|constraint| constraint.allows(at))
    }

    /// The first moment from `from` to `horizon` at which all constraints hold.
    pub(super) fn first_match(&self, from: Moment, horizon: Moment) -> Option<Moment> {
        let mut at = from;
        while self.possible && at <= horizon {
            match self.constraints.iter().find(|constraint| !constraint.allows(at)) {
                None => return Some(at),
                Some(unsatisfied) => at = unsatisfied.may_change(at),
            }
        }
        None
    }

    /// The first moment from `from` to `horizon` at which some constraint does not hold.
    pub(super) fn first_mismatch(&self, from: Moment, horizon: Moment) -> Option<Moment> {
        let mut at = from;
        while at <= horizon {
            if !self.holds(at) {
                return Some(at);
            }
            let partial = self.constraints.iter().filter(|constraint| !constraint.is_total());
            at = partial.map(|constraint| constraint.may_change(at)).min()?;
        }
        None
    }
}

fn is_of_clock(period: Period) -> bool {
    matches!(period, Period::Second | Period::Minute | Period::Hour | Period::Time)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::schedule::constraint::Numbers;

    fn listed(period: Period, numbers: &[i32]) -> Constraint {
        Constraint { period, numbers: Numbers::Listed(numbers.iter().copied().collect()) }
    }

    fn midnight(year: i16, month: i8, day: i8) -> Moment {
        Moment::midnight(date(year, month, day))
    }

    #[test]
    fn the_unit_is_the_finest_period() {
        let unit = |constraints| Rule::new(constraints).unwrap().unit;
        let hours = || listed(Period::Hour, &[1, 2]);
        assert_eq!(unit(vec![hours(), listed(Period::Day, &[1])]), Period::Hour);
        assert_eq!(
            unit(vec![listed(Period::DayInstance, &[1]), listed(Period::WeekOfYear, &[1])]),
            Period::WeekOfYear
        );
        // The rest of the day after 23:59 is shorter than an hour, all of it after 08:00 is not.
        let after = |numbers| Constraint { period: Period::Time, numbers };
        assert_eq!(unit(vec![hours(), after(Numbers::From(86_340))]), Period::Time);
        assert_eq!(unit(vec![hours(), after(Numbers::From(28_800))]), Period::Hour);
        assert_eq!(unit(vec![after(Numbers::Before(600)), hours()]), Period::Time);
        assert_eq!(Rule::new(Vec::new()), None);
    }

    #[test]
    fn a_leap_day_is_found() {
        let rule =
            Rule::new(vec![listed(Period::Day, &[29]), listed(Period::Month, &[2])]).unwrap();
        let horizon = midnight(2036, 1, 1);
        assert_eq!(rule.first_match(midnight(2026, 3, 1), horizon), Some(midnight(2028, 2, 29)));
        assert_eq!(rule.first_match(midnight(2028, 3, 1), horizon), Some(midnight(2032, 2, 29)));
        assert_eq!(rule.first_match(midnight(2032, 3, 1), horizon), None);
        assert_eq!(rule.first_mismatch(midnight(2032, 2, 29), horizon), Some(midnight(2032, 3, 1)));
    }

    #[test]
    fn what_the_clock_never_shows_is_not_searched_for() {
        let rule = Rule::new(vec![listed(Period::Second, &[60])]).unwrap();
        assert!(!rule.possible);
        assert_eq!(rule.first_match(midnight(2026, 1, 1), midnight(2036, 1, 1)), None);
    }

    #[test]
    fn a_rule_of_everything_has_no_end() {
        let hours: Vec<i32> = (0..24).collect();
        let rule = Rule::new(vec![listed(Period::Hour, &hours)]).unwrap();
        assert_eq!(rule.first_mismatch(midnight(2026, 1, 1), midnight(2036, 1, 1)), None);
        let both = Rule::new(vec![listed(Period::Hour, &hours), listed(Period::Weekday, &[7, 1])])
            .unwrap();
        let saturday = Moment { date: date(2026, 3, 14), second: 4_000 };
        assert_eq!(
            both.first_mismatch(saturday, midnight(2036, 1, 1)),
            Some(midnight(2026, 3, 16))
        );
    }
}
