//! How long an engine runs, as the predecessor's text, but true in every time zone.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use shared::timestamp::Timestamp;

const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 3600;
const SECONDS_PER_DAY: u64 = 86_400;

/// `{D} days, {H}h {MM}m {SS}s` from `started` to `now`; none when `started` is no time.
///
/// A start in the future, where the clocks disagree, counts as now.
pub(super) fn uptime(started: &str, now: Timestamp) -> Option<String> {
    let seconds = now.since(parse(started)?).as_secs();
    Some(format!(
        "{} days, {}h {:02}m {:02}s",
        seconds / SECONDS_PER_DAY,
        seconds % SECONDS_PER_DAY / SECONDS_PER_HOUR,
        seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE,
        seconds % SECONDS_PER_MINUTE,
    ))
}

/// Reads the engine's `20240509T174101.000+0200`, or RFC 3339.
fn parse(text: &str) -> Option<Timestamp> {
    compact(text).or_else(|| Timestamp::parse(text))
}

fn compact(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T')?;
    if date.len() != 8 {
        return None;
    }
    let offset_at = rest.find(['+', '-', 'Z', 'z']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at_checked(offset_at)?;
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    if whole.len() != 6 {
        return None;
    }
    let moment = DateTime::new(
        number(date, 0, 4)?,
        i8::try_from(number(date, 4, 6)?).ok()?,
        i8::try_from(number(date, 6, 8)?).ok()?,
        i8::try_from(number(whole, 0, 2)?).ok()?,
        i8::try_from(number(whole, 2, 4)?).ok()?,
        i8::try_from(number(whole, 4, 6)?).ok()?,
        0,
    )
    .ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Fractions of a second would not show.
    let moment = parse_offset(offset)?.to_timestamp(moment).ok()?;
    Some(Timestamp::from_nanos(i64::try_from(moment.as_nanosecond()).ok()?))
}

/// `+hhmm`, `-hh:mm` or `Z`; UTC where the engine says nothing.
fn parse_offset(text: &str) -> Option<Offset> {
    if matches!(text, "" | "Z" | "z") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if digits.len() != 4 {
        return None;
    }
    let minutes = i32::from(number(&digits, 0, 2)?) * 60 + i32::from(number(&digits, 2, 4)?);
    Offset::from_seconds(sign * minutes * 60).ok()
}

fn number(text: &str, start: usize, end: usize) -> Option<i16> {
    let digits = text.get(start..end)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: &str, started: &str) -> Option<String> {
        uptime(started, Timestamp::parse(now).unwrap())
    }

    #[test]
    fn offsets_are_honoured() {
        let now = "2024-05-10T16:42:06Z";
        let expected = Some("1 days, 1h 01m 05s".to_owned());
        for started in [
            "20240509T174101.000+0200",
            "20240509T154101.000Z",
            "20240509T154101",
            "20240509T101101.999-0530",
            "2024-05-09T17:41:01+02:00",
            "2024-05-09T15:41:01.000Z",
        ] {
            assert_eq!(at(now, started), expected, "{started}");
        }
    }

    #[test]
    fn days_hours_and_the_future() {
        assert_eq!(
            at("2024-06-20T03:04:05Z", "20240509T030405.000Z").unwrap(),
            "42 days, 0h 00m 00s"
        );
        assert_eq!(
            at("2024-05-09T23:59:58Z", "20240509T000000.000Z").unwrap(),
            "0 days, 23h 59m 58s"
        );
        assert_eq!(
            at("2024-05-09T00:00:00Z", "20240509T174101.000Z").unwrap(),
            "0 days, 0h 00m 00s"
        );
    }

    #[test]
    fn what_is_no_time_gives_no_uptime() {
        for started in [
            "",
            "T",
            "yesterday",
            "20241309T174101.000Z",
            "20240509T174101.000+99",
            "20240509T1741",
            "2024é09T174101.000Z",
            "20240509T174101.x",
            "20240509T174101.000+9900",
        ] {
            assert_eq!(at("2024-05-10T16:42:06Z", started), None, "{started}");
        }
    }
}
