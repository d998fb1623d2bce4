//! Schedule texts in the syntax of later.js, and the moments at which a timer on one fires.
//!
//! Heartbeats are configured with them: `every 5 minutes`, `on mon through fri at 8:00`. All of it
//! is UTC, and units lie on the boundaries of calendar and clock, whenever the program started.
//!
//! A text is cut into `tokens`, read as `words` by the `parser`, and sorted into a `draft`:
//! alternatives and exclusions, each a `rule` of `constraint`s on `period`s. A rule finds the next
//! moment at which it holds by leaping from period to period, and `firing` makes of several rules
//! what a timer does.
//!
//! A text that never fires is an error here: a heartbeat that is configured and never sent is worse
//! than none.

mod constraint;
mod draft;
mod error;
mod firing;
mod moment;
mod parser;
mod period;
mod rule;
#[cfg(test)]
mod tests;
mod time_of_day;
mod tokens;
mod words;

use std::fmt;
use std::str::FromStr;

pub use self::error::{Expected, ScheduleError};
use self::firing::Timer;
use self::moment::Moment;
use self::rule::Rule;
use crate::timestamp::Timestamp;

/// A schedule that does not fire for so long is taken for a mistake.
const HORIZON_YEARS: i32 = 10;

/// When something is due, as a text said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    alternatives: Vec<Rule>,
    exclusions: Vec<Rule>,
}

impl Schedule {
    /// Reads a text of a schedule that fires within ten years from now.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        Self::parse_at(text, Timestamp::now())
    }

    /// Reads a text of a schedule that fires within ten years from `moment`.
    pub fn parse_at(text: &str, moment: Timestamp) -> Result<Self, ScheduleError> {
        let (alternatives, exclusions) = parser::parse(text)?.into_rules();
        let schedule = Self { text: text.to_owned(), alternatives, exclusions };
        let horizon = Moment::containing(moment).plus_years(HORIZON_YEARS);
        match schedule.next_firing(moment) {
            Some(firing) if Moment::containing(firing) <= horizon => Ok(schedule),
            _ => Err(ScheduleError::NeverFires { text: schedule.text }),
        }
    }

    /// When a timer fires that is started at `after`: never at once, and `None` when not before the
    /// end of the century.
    ///
    /// An occurrence less than a second away is passed over, since the timer that fired for it may
    /// just have been started again.
    pub fn next_firing(&self, after: Timestamp) -> Option<Timestamp> {
        Timer::new(&self.alternatives, &self.exclusions, after).firing()
    }

    /// The firings of a timer that is started at `after` and again at each of its firings.
    pub fn firings(&self, after: Timestamp) -> Firings<'_> {
        Firings { schedule: self, last: after }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        Self::parse(text)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One firing after the other; see [`Schedule::firings`].
#[derive(Clone, Debug)]
pub struct Firings<'s> {
    schedule: &'s Schedule,
    last: Timestamp,
}

impl Iterator for Firings<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        self.last = self.schedule.next_firing(self.last)?;
        Some(self.last)
    }
}
