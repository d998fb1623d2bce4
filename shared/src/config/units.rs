//! Durations and sizes as text: `30s`, `7d`, `1GiB`, and InfluxDB's `10d` or `INF`.
//!
//! The parsers are strict: one whole number and one unit, nothing around them, so that a text
//! means the same to everybody who reads it.

use std::time::Duration;

/// The form of a duration, for messages.
pub(super) const DURATION_FORM: &str = "a whole number with ms, s, m, h or d, such as 30s or 7d";
/// The form of a size, for messages.
pub(super) const SIZE_FORM: &str =
    "a whole number with B, KiB, MiB, GiB or TiB, such as 256MiB or 1GiB";
/// The form of a retention duration, for messages.
pub(super) const RETENTION_FORM: &str =
    "a duration of InfluxDB such as 10d, 12h or 2w, at least 1s, or INF for ever";

/// The units of a duration in milliseconds, the largest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// The units of a size in bytes, the largest first.
const SIZE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// The units of InfluxDB in nanoseconds.
const RETENTION_UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("u", 1_000),
    ("µ", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];
/// The shortest time for which points can be kept.
const SHORTEST_RETENTION: Duration = Duration::from_secs(1);

/// Reads a duration such as `30s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    counted(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// Writes a duration with the largest unit that keeps it exact.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    written(millis, &DURATION_UNITS, "0s")
}

/// Reads a size such as `1GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    counted(text, &SIZE_UNITS)
}

/// Writes a size with the largest unit that keeps it exact.
pub(super) fn size_text(bytes: u64) -> String {
    written(bytes, &SIZE_UNITS, "0B")
}

/// Reads a retention duration of InfluxDB; the inner option is none for ever.
#[expect(clippy::option_option, reason = "no retention, and retention without an end, differ")]
pub(super) fn retention(text: &str) -> Option<Option<Duration>> {
    if text.eq_ignore_ascii_case("inf") {
        return Some(None);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(end)?;
        total = total.checked_add(number.checked_mul(nanoseconds(unit)?)?)?;
        rest = next;
    }
    let duration = Duration::from_nanos(total);
    (duration >= SHORTEST_RETENTION).then_some(Some(duration))
}

/// How many nanoseconds one unit of InfluxDB has.
fn nanoseconds(unit: &str) -> Option<u64> {
    RETENTION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// Splits `30s` into 30 and `s`.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

/// Reads one number and one unit.
fn counted(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

/// Writes a count with the largest unit that divides it.
fn written(count: u64, units: &[(&str, u64)], zero: &str) -> String {
    units
        .iter()
        .find(|(_, factor)| count >= *factor && count.is_multiple_of(*factor))
        .map_or_else(|| zero.to_owned(), |(name, factor)| format!("{}{name}", count / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_durations() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            " 30s",
            "30S",
            "1.5h",
            "-1s",
            "+1s",
            "1h30m",
            "5min",
            "7w",
            "99999999999999999999s",
            "18446744073709551615d",
            "３s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("0B", 0), ("512B", 512), ("1KiB", 1024), ("256MiB", 256 << 20), ("1GiB", 1 << 30)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "1", "1GB", "1gib", "1 GiB", "1.5GiB", "GiB", "99999999999TiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for text in ["0s", "250ms", "90s", "5m", "36h", "7d"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
        for text in ["0B", "1000B", "256MiB", "10GiB", "3TiB"] {
            assert_eq!(size_text(size(text).unwrap()), text);
        }
    }

    #[test]
    fn retention_follows_influxdb() {
        let days = |days: u64| Some(Some(Duration::from_hours(24 * days)));
        for (text, expected) in [
            ("10d", days(10)),
            ("2w", days(14)),
            ("24h", days(1)),
            ("1d24h", days(2)),
            ("INF", Some(None)),
            ("inf", Some(None)),
        ] {
            assert_eq!(retention(text), expected, "{text}");
        }
        for text in ["", "10", "d", "10 d", "10y", "0s", "0d", "5ms", "99999999999w", "10dd"] {
            assert_eq!(retention(text), None, "{text}");
        }
    }
}
