//! The periods that a schedule text can name, and where each begins.

use jiff::civil::Date;

use super::moment::{Moment, plus_days};

/// A unit of the calendar or of the clock, with the number that it has within its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    /// Second of the minute.
    Second,
    /// Minute of the hour.
    Minute,
    /// Hour of the day.
    Hour,
    /// A time of day, as second of the day.
    Time,
    /// Day of the month.
    Day,
    /// Day of the week: Sunday is 1.
    Weekday,
    /// Which of its weekday's occurrences in the month a day is: the 8th is in the second seven.
    DayInstance,
    /// Day of the year.
    DayOfYear,
    /// Week of the month; weeks begin on Sunday here, the first may be short.
    WeekOfMonth,
    /// ISO week of the year; weeks begin on Monday here.
    WeekOfYear,
    /// Month of the year.
    Month,
    /// The year itself.
    Year,
}

impl Period {
    /// The number that counts from the end: where numbers begin at 1, the 0th is the last.
    pub(super) const LAST: i32 = 0;

    /// The first number.
    pub(super) fn first(self) -> i32 {
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::Time => 0,
            Self::Year => 1970,
            _ => 1,
        }
    }

    /// The highest number, in the longest parent.
    pub(super) fn highest(self) -> i32 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::Time => 86_399,
            Self::Day => 31,
            Self::Weekday => 7,
            Self::DayInstance => 5,
            Self::DayOfYear => 366,
            Self::WeekOfMonth => 6,
            Self::WeekOfYear => 53,
            Self::Month => 12,
            Self::Year => 2099,
        }
    }

    /// Up to where `every` counts: a sixth week of a month is beyond it.
    pub(super) fn counts_to(self) -> i32 {
        match self {
            Self::WeekOfMonth => 5,
            period => period.highest(),
        }
    }

    /// What `last` stands for.
    pub(super) fn last(self) -> i32 {
        match self {
            Self::Day
            | Self::DayInstance
            | Self::DayOfYear
            | Self::WeekOfMonth
            | Self::WeekOfYear => Self::LAST,
            period => period.highest(),
        }
    }

    /// Nominal length in seconds: what decides which of several periods is the finest.
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Second | Self::Time => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day | Self::Weekday | Self::DayOfYear => 86_400,
            Self::DayInstance | Self::WeekOfMonth | Self::WeekOfYear => 604_800,
            Self::Month => 2_629_740,
            Self::Year => 31_556_900,
        }
    }

    /// The number of this period at a moment.
    pub(super) fn number(self, at: Moment) -> i32 {
        let date = at.date;
        match self {
            Self::Second => at.second % 60,
            Self::Minute => at.second / 60 % 60,
            Self::Hour => at.second / 3_600,
            Self::Time => at.second,
            Self::Day => day(date),
            Self::Weekday => weekday(date),
            Self::DayInstance => (day(date) - 1) / 7 + 1,
            Self::DayOfYear => i32::from(date.day_of_year()),
            Self::WeekOfMonth => (day(date) + weekday(date.first_of_month()) - 2) / 7 + 1,
            Self::WeekOfYear => i32::from(date.iso_week_date().week()),
            Self::Month => i32::from(date.month()),
            Self::Year => i32::from(date.year()),
        }
    }

    /// Whether a moment lies in the last of this period within its parent.
    ///
    /// The last day instance is the last seven days of the month, whatever their number.
    pub(super) fn is_last(self, at: Moment) -> bool {
        let date = at.date;
        match self {
            Self::Second | Self::Minute | Self::Hour | Self::Time | Self::Year => false,
            Self::Day => date == date.last_of_month(),
            Self::Weekday | Self::Month => self.number(at) == self.highest(),
            Self::DayInstance => day(date) > i32::from(date.days_in_month()) - 7,
            Self::DayOfYear => date == date.last_of_year(),
            Self::WeekOfMonth => {
                self.number(at) == self.number(Moment::midnight(date.last_of_month()))
            }
            Self::WeekOfYear => self.number(at) == i32::from(date.iso_week_date().weeks_in_year()),
        }
    }

    /// Where the period that holds a moment begins.
    pub(super) fn start(self, at: Moment) -> Moment {
        let date = at.date;
        let began = match self {
            Self::Second | Self::Time => return at,
            Self::Minute => return at.at_second(at.second - at.second % 60),
            Self::Hour => return at.at_second(at.second - at.second % 3_600),
            Self::Day | Self::Weekday | Self::DayOfYear => date,
            Self::DayInstance => plus_days(date, -((day(date) - 1) % 7)),
            Self::WeekOfMonth => plus_days(date, 1 - weekday(date)).max(date.first_of_month()),
            Self::WeekOfYear => plus_days(date, -since_monday(date)),
            Self::Month => date.first_of_month(),
            Self::Year => date.first_of_year(),
        };
        Moment::midnight(began)
    }

    /// Where the period after the one that holds a moment begins.
    pub(super) fn next_start(self, at: Moment) -> Moment {
        let date = at.date;
        let begins = match self {
            Self::Second | Self::Time => return at.at_second(at.second + 1),
            Self::Minute => return at.at_second(at.second - at.second % 60 + 60),
            Self::Hour => return at.at_second(at.second - at.second % 3_600 + 3_600),
            Self::Day | Self::Weekday | Self::DayOfYear => plus_days(date, 1),
            Self::DayInstance => plus_days(date, 7 - (day(date) - 1) % 7).min(next_month(date)),
            Self::WeekOfMonth => plus_days(date, 8 - weekday(date)).min(next_month(date)),
            Self::WeekOfYear => plus_days(date, 7 - since_monday(date)),
            Self::Month => next_month(date),
            Self::Year => plus_days(date.last_of_year(), 1),
        };
        Moment::midnight(begins)
    }
}

fn day(date: Date) -> i32 {
    i32::from(date.day())
}

fn weekday(date: Date) -> i32 {
    i32::from(date.weekday().to_sunday_one_offset())
}

fn since_monday(date: Date) -> i32 {
    i32::from(date.weekday().to_monday_zero_offset())
}

fn next_month(date: Date) -> Date {
    plus_days(date.last_of_month(), 1)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Period; 12] = [
        Period::Second,
        Period::Minute,
        Period::Hour,
        Period::Time,
        Period::Day,
        Period::Weekday,
        Period::DayInstance,
        Period::DayOfYear,
        Period::WeekOfMonth,
        Period::WeekOfYear,
        Period::Month,
        Period::Year,
    ];

    fn midnight(year: i16, month: i8, day: i8) -> Moment {
        Moment::midnight(date(year, month, day))
    }

    #[test]
    fn numbers_of_a_moment() {
        // A Wednesday.
        let at = Moment { date: date(2026, 3, 11), second: 10 * 3600 + 7 * 60 + 23 };
        let numbers = ALL.map(|period| period.number(at));
        assert_eq!(numbers, [23, 7, 10, 36_443, 11, 4, 2, 70, 2, 11, 3, 2026]);
    }

    #[test]
    fn the_year_ends_in_week_53_or_1() {
        assert_eq!(Period::WeekOfYear.number(midnight(2027, 1, 3)), 53);
        assert!(Period::WeekOfYear.is_last(midnight(2027, 1, 3)));
        assert_eq!(Period::WeekOfYear.number(midnight(2024, 12, 30)), 1);
        assert_eq!(Period::WeekOfYear.start(midnight(2027, 1, 3)), midnight(2026, 12, 28));
        assert_eq!(Period::DayOfYear.number(midnight(2028, 12, 31)), 366);
        assert!(Period::DayOfYear.is_last(midnight(2027, 12, 31)));
        assert_eq!(Period::Year.next_start(midnight(2027, 12, 31)), midnight(2028, 1, 1));
    }

    #[test]
    fn february_has_its_leap_day() {
        assert!(Period::Day.is_last(midnight(2028, 2, 29)));
        assert!(!Period::Day.is_last(midnight(2028, 2, 28)));
        assert!(Period::Day.is_last(midnight(2027, 2, 28)));
        assert!(Period::DayInstance.is_last(midnight(2028, 2, 23)));
        assert!(!Period::DayInstance.is_last(midnight(2028, 2, 22)));
        assert_eq!(Period::DayInstance.next_start(midnight(2028, 2, 29)), midnight(2028, 3, 1));
        assert_eq!(Period::Month.next_start(midnight(2028, 2, 29)), midnight(2028, 3, 1));
    }

    #[test]
    fn weeks_of_a_month_begin_on_sunday() {
        // August 2026 begins on a Saturday and touches six weeks.
        assert_eq!(Period::WeekOfMonth.number(midnight(2026, 8, 1)), 1);
        assert_eq!(Period::WeekOfMonth.next_start(midnight(2026, 8, 1)), midnight(2026, 8, 2));
        assert_eq!(Period::WeekOfMonth.number(midnight(2026, 8, 31)), 6);
        assert_eq!(Period::WeekOfMonth.start(midnight(2026, 8, 31)), midnight(2026, 8, 30));
        assert_eq!(Period::WeekOfMonth.next_start(midnight(2026, 8, 31)), midnight(2026, 9, 1));
        assert!(Period::WeekOfMonth.is_last(midnight(2026, 8, 30)));
    }

    proptest! {
        #[test]
        fn a_period_holds_its_moments(day in 0..100_000_i32, second in 0..86_400_i32) {
            let at = Moment { date: plus_days(date(1971, 1, 1), day), second };
            for period in ALL {
                let (start, next) = (period.start(at), period.next_start(at));
                prop_assert!(start <= at && at < next);
                prop_assert_eq!(period.number(start), period.number(at));
                prop_assert_eq!(period.start(next), next);
                prop_assert!((period.first()..=period.highest().max(2250)).contains(&period.number(at)));
            }
        }
    }
}
