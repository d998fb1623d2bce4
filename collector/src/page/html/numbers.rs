//! Numbers and times as people read them.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use shared::timestamp::Timestamp;

const MIB_OF_GIB: f64 = 1024.0;
/// Moments that are longer ago are told with their day.
const SAME_DAY: Duration = Duration::from_hours(20);
/// What stands where nothing is known.
pub(super) const UNKNOWN: &str = "–";

/// A count with commas between its thousands.
pub(super) struct Count(pub(super) u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A count, or the sign that nothing is known; counts of the engine may be negative by mistake.
pub(super) fn count(count: Option<impl TryInto<u64>>) -> String {
    let known = count.and_then(|count| count.try_into().ok());
    known.map_or_else(|| UNKNOWN.to_owned(), |count| Count(count).to_string())
}

/// Memory in GiB, given in MiB.
pub(super) fn gib(mib: f64) -> String {
    let gib = mib / MIB_OF_GIB;
    if gib < 99.95 { format!("{gib:.1}") } else { format!("{gib:.0}") }
}

/// A percentage; what is small has a decimal.
pub(super) fn percent(percent: f64) -> String {
    format!("{percent:.0} %")
}

/// A span in its largest unit.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A moment in UTC: the clock alone on the same day.
pub(super) fn clock(moment: Timestamp, now: Timestamp) -> String {
    let text = moment.to_seconds();
    let (day, clock) = text.split_once('T').unwrap_or(("", &text));
    let clock = clock.trim_end_matches('Z');
    if now.since(moment) < SAME_DAY { format!("{clock} UTC") } else { format!("{day} {clock} UTC") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(count(Some(number)), text);
        }
        assert_eq!((count(None::<u64>), count(Some(-1_i64))), ("–".to_owned(), "–".to_owned()));
        assert_eq!((gib(24_000.0), gib(524_288.0)), ("23.4".to_owned(), "512".to_owned()));
        assert_eq!(percent(7.4), "7 %");
        for (seconds, text) in [(51, "51 s"), (700, "11 min"), (9_000, "2 h"), (200_000, "2 days")]
        {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn moments_of_another_day_have_it() {
        let now = Timestamp::parse("2026-11-27T12:30:01.5Z").unwrap();
        assert_eq!(clock(now, now), "12:30:01 UTC");
        let before = now.minus(Duration::from_hours(21));
        assert_eq!(clock(before, now), "2026-11-26 15:30:01 UTC");
    }
}
