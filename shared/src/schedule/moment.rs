//! A second of the calendar in UTC, which is as fine as a schedule looks.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::timestamp::Timestamp;

/// Seconds of a day; UTC as computers keep it has no leap seconds.
const DAY: i32 = 86_400;

/// A date and the second of its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) date: Date,
    pub(super) second: i32,
}

impl Moment {
    /// The first second of a day.
    pub(super) fn midnight(date: Date) -> Self {
        Self { date, second: 0 }
    }

    /// The second in which `timestamp` lies.
    pub(super) fn containing(timestamp: Timestamp) -> Self {
        let seconds = timestamp.nanos().div_euclid(1_000_000_000);
        let datetime = TimeZone::UTC
            .to_datetime(jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX));
        let (hour, minute) = (i32::from(datetime.hour()), i32::from(datetime.minute()));
        let second = hour * 3600 + minute * 60 + i32::from(datetime.second());
        Self { date: datetime.date(), second }
    }

    /// The beginning of this second; `None` outside what a timestamp can hold.
    pub(super) fn timestamp(self) -> Option<Timestamp> {
        let midnight = TimeZone::UTC.to_timestamp(self.date.at(0, 0, 0, 0)).ok()?;
        let seconds = midnight.as_second() + i64::from(self.second);
        seconds.checked_mul(1_000_000_000).filter(|nanos| *nanos >= 0).map(Timestamp::from_nanos)
    }

    /// The same day at another second, or the midnight after it when the day has no such second.
    pub(super) fn at_second(self, second: i32) -> Self {
        if second < DAY { Self { second, ..self } } else { self.tomorrow() }
    }

    /// The midnight that ends this day.
    pub(super) fn tomorrow(self) -> Self {
        Self::midnight(plus_days(self.date, 1))
    }

    /// Years later at the same time.
    pub(super) fn plus_years(self, years: i32) -> Self {
        Self { date: self.date.saturating_add(years.years()), ..self }
    }
}

/// The date some days later, or earlier when `days` is negative.
pub(super) fn plus_days(date: Date, days: i32) -> Date {
    date.saturating_add(days.days())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn timestamps_there_and_back() {
        let moment = Moment { date: date(2026, 3, 11), second: 36_443 };
        let timestamp = Timestamp::parse("2026-03-11T10:07:23Z").unwrap();
        assert_eq!(Moment::containing(timestamp), moment);
        assert_eq!(moment.timestamp(), Some(timestamp));
        let within = Timestamp::parse("2026-03-11T10:07:23.999Z").unwrap();
        assert_eq!(Moment::containing(within), moment);
        let far = Moment::midnight(date(2263, 1, 1));
        assert_eq!(far.timestamp(), None);
    }

    #[test]
    fn days_end_at_midnight() {
        let eve = Moment { date: date(2028, 2, 28), second: 86_399 };
        assert_eq!(eve.at_second(86_400), Moment::midnight(date(2028, 2, 29)));
        assert_eq!(eve.tomorrow().tomorrow(), Moment::midnight(date(2028, 3, 1)));
        let leap_day = Moment { date: date(2028, 2, 29), second: 5 };
        assert_eq!(leap_day.plus_years(10).date, date(2038, 2, 28));
    }
}
