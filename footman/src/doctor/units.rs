//! Sizes and times as people read them.

use std::time::Duration;

const UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `1.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} bytes"),
        Some((name, unit)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
    }
}

/// `3 d 4 h`: the two largest units, rounded down.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let pair = |large: u64, name: &str, small: u64, small_name: &str| {
        let rest = seconds % large / small;
        let whole = seconds / large;
        if rest == 0 {
            format!("{whole} {name}")
        } else {
            format!("{whole} {name} {rest} {small_name}")
        }
    };
    match seconds {
        0 if duration.is_zero() => "no time".to_owned(),
        0 => format!("{} ms", duration.as_millis()),
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => pair(MINUTE, "min", 1, "s"),
        s if s < DAY => pair(HOUR, "h", MINUTE, "min"),
        _ => pair(DAY, "d", HOUR, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        assert_eq!((bytes(12).as_str(), bytes(1 << 30).as_str()), ("12 bytes", "1 GiB"));
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
        for (seconds, words) in
            [(0, "no time"), (59, "59 s"), (90, "1 min 30 s"), (7_200, "2 h"), (97_200, "1 d 3 h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), words);
        }
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
    }
}
