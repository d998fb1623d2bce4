//! When an engine started, as it writes it.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::EngineHealth;
use crate::timestamp::Timestamp;

impl<S: AsRef<str>> EngineHealth<S> {
    /// When the engine started, fractions of a second left out; none when it says nothing that is a time.
    pub fn started_at(&self) -> Option<Timestamp> {
        parse(self.started.as_ref()?.as_ref())
    }
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
    // Nobody needs the fractions of a second.
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

    fn started_at(started: &str) -> Option<Timestamp> {
        EngineHealth { started: Some(started.to_owned()), ..EngineHealth::default() }.started_at()
    }

    #[test]
    fn offsets_are_honoured() {
        let expected = Timestamp::parse("2024-05-09T15:41:01Z");
        for started in [
            "20240509T174101.000+0200",
            "20240509T154101.000Z",
            "20240509T154101",
            "20240509T101101.999-0530",
            "2024-05-09T17:41:01+02:00",
            "2024-05-09T15:41:01.000Z",
        ] {
            assert_eq!(started_at(started), expected, "{started}");
        }
    }

    #[test]
    fn what_is_no_time_is_no_start() {
        assert_eq!(EngineHealth::<String>::default().started_at(), None);
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
            assert_eq!(started_at(started), None, "{started}");
        }
    }
}
