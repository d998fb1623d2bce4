//! Times like `08:15`, `8:15` and `8:15 am`, as seconds of the day.

use super::tokens::{Gap, Tokens};
use super::words::Reading;

/// Which half of the day a time of twelve hours lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

impl Half {
    fn of(word: &str) -> Option<Self> {
        match word {
            "am" => Some(Self::Am),
            "pm" => Some(Self::Pm),
            _ => None,
        }
    }
}

/// A time of day: hours and minutes, with `am` or `pm` right after them or one blank further.
pub(super) fn time(tokens: &Tokens) -> Option<Reading<i32>> {
    let hour = two_digits(&tokens.peek().text, 1)?;
    let colon = tokens.peek_after(1);
    let minutes = tokens.peek_after(2);
    if colon.text != ":" || colon.gap != Gap::None || minutes.gap != Gap::None {
        return None;
    }
    let (digits, glued) = minutes.text.split_at_checked(2)?;
    let minute = two_digits(digits, 2).filter(|minute| *minute < 60)?;
    let of_twelve = (1..=12).contains(&hour);
    if !glued.is_empty() {
        let half = Half::of(glued).filter(|_| of_twelve)?;
        return Some(reading(hour, minute, Some(half), 3));
    }
    let next = tokens.peek_after(3);
    let half = Half::of(&next.text).filter(|_| of_twelve && next.gap != Gap::Wide);
    if half.is_none() && hour > 23 {
        return None;
    }
    Some(reading(hour, minute, half, 3 + usize::from(half.is_some())))
}

fn reading(hour: i32, minute: i32, half: Option<Half>, tokens: usize) -> Reading<i32> {
    let hour = match half {
        Some(Half::Am) => hour % 12,
        Some(Half::Pm) => hour % 12 + 12,
        None => hour,
    };
    Reading { value: hour * 3_600 + minute * 60, tokens }
}

/// The number of one or two digits, of two when `fewest` says so.
fn two_digits(word: &str, fewest: usize) -> Option<i32> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !(fewest..=2).contains(&word.len()) {
        return None;
    }
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(i32, i32, usize)> {
        let reading = time(&Tokens::new(text))?;
        Some((reading.value / 3_600, reading.value / 60 % 60, reading.tokens))
    }

    #[test]
    fn times_of_24_hours() {
        for (text, expected) in [
            ("10:15", Some((10, 15, 3))),
            ("8:05", Some((8, 5, 3))),
            ("00:00", Some((0, 0, 3))),
            ("23:59", Some((23, 59, 3))),
            ("24:00", None),
            ("10:61", None),
            ("10:5", None),
            ("010:15", None),
            ("10 :15", None),
            ("10: 15", None),
            ("10:155", None),
            ("10:15:30", Some((10, 15, 3))),
            ("noon", None),
            ("10", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn times_of_12_hours() {
        for (text, expected) in [
            ("10:15 am", Some((10, 15, 4))),
            ("10:15am", Some((10, 15, 3))),
            ("10:15\tPM", Some((22, 15, 4))),
            ("12:00 am", Some((0, 0, 4))),
            ("12:30pm", Some((12, 30, 3))),
            ("01:30 pm", Some((13, 30, 4))),
            // Left for the next clause, which is then no clause.
            ("10:15  am", Some((10, 15, 3))),
            ("13:00 pm", Some((13, 0, 3))),
            ("0:30 am", Some((0, 30, 3))),
            ("10:15 amen", Some((10, 15, 3))),
            ("10:15amen", None),
            ("13:00pm", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
