//! Why a text is not a schedule, in words for the person who wrote it.

use std::fmt;

use thiserror::Error;

/// A text that is not a schedule, or one that is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// There is no clause in the text that says when to fire.
    #[error("nothing to fire on: expected a text like `every 5 minutes`")]
    Empty,
    /// The text is longer than any that makes sense.
    #[error("the text has {length} characters, and a schedule has {LONGEST_TEXT} at most")]
    TooLong {
        /// Its characters.
        length: usize,
    },
    /// The parser gave up.
    #[error("expected {expected}{} at column {}", found(text, *index), index + 1)]
    Syntax {
        /// The text.
        text: String,
        /// Where in the text, in characters from 0.
        index: usize,
        /// What was expected there.
        expected: Expected,
    },
    /// The text can be read, but what it describes does not happen.
    #[error("`{text}` does not fire within ten years")]
    NeverFires {
        /// The text.
        text: String,
    },
}

impl ScheduleError {
    /// Index of the character where the parser gave up.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Syntax { index, .. } => Some(*index),
            Self::Empty | Self::TooLong { .. } | Self::NeverFires { .. } => None,
        }
    }

    /// Two lines: the text, and a caret under the place where the parser gave up.
    pub fn excerpt(&self) -> Option<String> {
        let Self::Syntax { text, index, .. } = self else {
            return None;
        };
        // A tab or a line break would put the caret elsewhere.
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // By hand, since the width of a format ends at 65,535.
        Some(format!("{line}\n{}^", " ".repeat(*index)))
    }
}

/// The longest text, in characters. Every alternative is compared with every exclusion, each time that
/// the schedule fires.
pub(super) const LONGEST_TEXT: usize = 1_000;

/// What stands at a place, up to the next blank.
fn found(text: &str, index: usize) -> String {
    let rest = text.chars().skip(index);
    let word: String = rest.take_while(|c| !c.is_whitespace()).take(LONGEST_FOUND).collect();
    if word.is_empty() { String::new() } else { format!(", found `{word}`") }
}

/// So much of a word is repeated in an error.
const LONGEST_FOUND: usize = 30;

/// What the parser would have understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The beginning of a clause.
    Clause,
    /// The end of the text, where there are only blanks.
    NoBlanks,
    /// A clause for the alternative that an `also` announced.
    Alternative,
    /// A count or a place in an order.
    Number,
    /// A unit after a number.
    Period,
    /// The unit of the clause once more.
    SamePeriod,
    /// A last of a range that is not before its first.
    RangeEnd,
    /// A time of day.
    Time,
    /// A time of day, or a number and a unit.
    TimeOrNumber,
    /// The name of a weekday.
    Weekday,
    /// The name of a month.
    Month,
    /// A year of four digits.
    Year,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clause => {
                "a clause, which begins with every, at, on, on the, of, in, after, before, \
                 also or except"
            }
            Self::NoBlanks => "no blanks at the end",
            Self::Alternative => "another clause after `also`",
            Self::Number => "a number like 5 or 3rd, as in `every 1 hour`",
            Self::Period => "a unit like seconds, minutes, hours, days, weeks, months or years",
            Self::SamePeriod => {
                "the same unit again, as in `every 5 minutes starting on the 2nd minute`"
            }
            Self::RangeEnd => "an end of the range that is not before its beginning",
            Self::Time => "a time like 08:15 or 8:15 am",
            Self::TimeOrNumber => "a time like 08:15 or a number and a unit like 10 minutes",
            Self::Weekday => "a weekday like mon or monday",
            Self::Month => "a month like jan, june, july, sept or december",
            Self::Year => "a year of four digits",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(text: &str, index: usize, expected: Expected) -> ScheduleError {
        ScheduleError::Syntax { text: text.to_owned(), index, expected }
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        let error = syntax("every hour", 6, Expected::Number);
        assert_eq!(
            error.to_string(),
            "expected a number like 5 or 3rd, as in `every 1 hour`, found `hour` at column 7"
        );
        assert_eq!(error.excerpt().unwrap(), "every hour\n      ^");
        assert_eq!(error.index(), Some(6));
    }

    #[test]
    fn the_end_has_nothing_to_show() {
        let error = syntax("every 5", 7, Expected::Period);
        assert!(error.to_string().ends_with("months or years at column 8"), "{error}");
        assert_eq!(error.excerpt().unwrap(), "every 5\n       ^");
        let over_lines = syntax("every\n5\tcats", 8, Expected::Period);
        assert_eq!(over_lines.excerpt().unwrap(), "every 5 cats\n        ^");
    }

    #[test]
    fn a_text_of_any_length_has_its_caret() {
        let error = syntax(&" ".repeat(70_000), 70_000, Expected::NoBlanks);
        assert_eq!(error.excerpt().unwrap().len(), 140_002);
    }

    #[test]
    fn some_errors_have_no_place() {
        let never = ScheduleError::NeverFires { text: "in 2001".to_owned() };
        assert_eq!(never.to_string(), "`in 2001` does not fire within ten years");
        assert_eq!((never.index(), never.excerpt()), (None, None));
        assert_eq!(ScheduleError::Empty.excerpt(), None);
    }
}
