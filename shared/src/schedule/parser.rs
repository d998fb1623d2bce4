//! From a text to its clauses.
//!
//! A schedule is a row of clauses, with `and` or a comma between them or not:
//!
//! ```text
//! every N period [starting [at | on [the]] N period | between [the] N and N]
//! every weekday | every weekend
//! at time {and time}
//! after | before  time | N period
//! on the  first | last | N [through N] {and N [through N]}  period
//! on weekday {and weekday}    of month {and month}    in year {and year}
//! also          another alternative follows
//! except        exclusions follow, to the end of the text
//! ```
//!
//! Clauses about one period add to each other, those about different periods must hold together.

use std::collections::BTreeSet;

use super::constraint::Numbers;
use super::draft::Draft;
use super::error::{Expected, LONGEST_TEXT, ScheduleError};
use super::period::Period;
use super::time_of_day::time;
use super::tokens::{Gap, Tokens};
use super::words::{self, Keyword, Place, Reading};

/// Sunday and Saturday, as weekdays are numbered.
const WEEKEND: [i32; 2] = [1, 7];
/// Monday to Friday.
const WORKING_DAYS: [i32; 5] = [2, 3, 4, 5, 6];

/// Reads a text into a draft of its alternatives and exclusions.
pub(super) fn parse(text: &str) -> Result<Draft, ScheduleError> {
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(ScheduleError::TooLong { length });
    }
    let mut parser = Parser { text, tokens: Tokens::new(text), draft: Draft::default() };
    while !parser.tokens.at_end() {
        parser.clause()?;
    }
    if let Some(index) = parser.draft.unfinished() {
        return Err(parser.error(index, Expected::Alternative));
    }
    if parser.draft.is_empty() {
        return Err(ScheduleError::Empty);
    }
    let end = parser.tokens.peek();
    if end.gap != Gap::None {
        return Err(parser.error(end.index, Expected::NoBlanks));
    }
    Ok(parser.draft)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Tokens,
    draft: Draft,
}

/// How an item of the syntax is recognized.
type Read<T> = fn(&Tokens) -> Option<Reading<T>>;

impl Parser<'_> {
    fn clause(&mut self) -> Result<(), ScheduleError> {
        match self.expect(Expected::Clause, words::keyword)? {
            Keyword::Every => self.every()?,
            Keyword::At => self.at()?,
            Keyword::After => self.bound(Numbers::From)?,
            Keyword::Before => self.bound(Numbers::Before)?,
            Keyword::OnThe => self.on_the()?,
            Keyword::On => self.names(Period::Weekday, Expected::Weekday, words::weekday)?,
            Keyword::Of => self.names(Period::Month, Expected::Month, words::month)?,
            Keyword::In => self.names(Period::Year, Expected::Year, words::year)?,
            Keyword::And => {}
            Keyword::Also => self.draft.also(self.tokens.peek().index),
            Keyword::Except => self.draft.except(),
        }
        Ok(())
    }

    fn every(&mut self) -> Result<(), ScheduleError> {
        for (word, days) in [("weekend", &WEEKEND[..]), ("weekday", &WORKING_DAYS[..])] {
            if self.tokens.comes(&[word]) {
                self.tokens.take(1);
                let days = days.iter().copied().collect();
                self.draft.add(Period::Weekday, Numbers::Listed(days));
                return Ok(());
            }
        }
        let step = self.expect(Expected::Number, words::number)?;
        let period = self.expect(Expected::Period, words::period)?;
        let (mut first, mut last) = (period.first(), period.counts_to());
        if self.take(words::starting).is_some() {
            first = self.expect(Expected::Number, words::number)?;
            self.expect(Expected::SamePeriod, |tokens| words::same_period(tokens, period))?;
        } else if self.take(words::between).is_some() {
            let from = self.expect(Expected::Number, words::number)?;
            // Without an end the beginning says nothing.
            if self.take(words::and).is_some() {
                first = from;
                last = self.range_end(first, Expected::Number, words::number)?;
            }
        }
        self.draft.add(period, Numbers::Listed(Numbers::steps(first, last, step)));
        Ok(())
    }

    fn at(&mut self) -> Result<(), ScheduleError> {
        loop {
            let time = self.expect(Expected::Time, time)?;
            self.draft.add(Period::Time, Numbers::Listed(BTreeSet::from([time])));
            if self.take(words::and).is_none() {
                return Ok(());
            }
        }
    }

    fn bound(&mut self, numbers: fn(i32) -> Numbers) -> Result<(), ScheduleError> {
        if let Some(time) = self.take(time) {
            self.draft.add(Period::Time, numbers(time));
            return Ok(());
        }
        let number = self.expect(Expected::TimeOrNumber, words::number)?;
        let period = self.expect(Expected::Period, words::period)?;
        self.draft.add(period, numbers(number));
        Ok(())
    }

    fn on_the(&mut self) -> Result<(), ScheduleError> {
        let place = self.take(words::place);
        let numbers = match place {
            Some(_) => BTreeSet::new(),
            None => self.numbers(Expected::Number, words::number)?,
        };
        let period = self.expect(Expected::Period, words::period)?;
        let numbers = match place {
            Some(Place::First) => BTreeSet::from([period.first()]),
            Some(Place::Last) => BTreeSet::from([period.last()]),
            None => numbers,
        };
        self.draft.add(period, Numbers::Listed(numbers));
        Ok(())
    }

    fn names(
        &mut self,
        period: Period,
        expected: Expected,
        read: Read<i32>,
    ) -> Result<(), ScheduleError> {
        let numbers = self.numbers(expected, read)?;
        self.draft.add(period, Numbers::Listed(numbers));
        Ok(())
    }

    /// A list of items and ranges of items.
    fn numbers(
        &mut self,
        expected: Expected,
        read: Read<i32>,
    ) -> Result<BTreeSet<i32>, ScheduleError> {
        let mut numbers = BTreeSet::new();
        loop {
            let first = self.expect(expected, read)?;
            let last = match self.take(words::through) {
                Some(()) => self.range_end(first, expected, read)?,
                None => first,
            };
            numbers.extend(Numbers::range(first, last));
            if self.take(words::and).is_none() {
                return Ok(numbers);
            }
        }
    }

    /// Takes the last item of a range, which must not run backwards.
    fn range_end(
        &mut self,
        first: i32,
        expected: Expected,
        read: Read<i32>,
    ) -> Result<i32, ScheduleError> {
        let index = self.tokens.peek().index;
        let last = self.expect(expected, read)?;
        if last < first {
            return Err(self.error(index, Expected::RangeEnd));
        }
        Ok(last)
    }

    /// Takes an item if it comes next.
    fn take<T>(&mut self, read: impl Fn(&Tokens) -> Option<Reading<T>>) -> Option<T> {
        let reading = read(&self.tokens)?;
        self.tokens.take(reading.tokens);
        Some(reading.value)
    }

    /// Takes an item that must come next.
    fn expect<T>(
        &mut self,
        expected: Expected,
        read: impl Fn(&Tokens) -> Option<Reading<T>>,
    ) -> Result<T, ScheduleError> {
        let index = self.tokens.peek().index;
        self.take(read).ok_or_else(|| self.error(index, expected))
    }

    fn error(&self, index: usize, expected: Expected) -> ScheduleError {
        ScheduleError::Syntax { text: self.text.to_owned(), index, expected }
    }
}
