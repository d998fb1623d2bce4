//! The words of the syntax: what stands at a place of the tokens, and how many of them it takes.

use super::period::Period;
use super::tokens::{Gap, Tokens};

/// A thing of the syntax at the place where the tokens are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading<T> {
    pub(super) value: T,
    /// How many tokens it takes.
    pub(super) tokens: usize,
}

/// Words with one space between them.
type Phrase = &'static [&'static str];

/// How a clause begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Every,
    At,
    After,
    Before,
    OnThe,
    On,
    Of,
    In,
    And,
    Also,
    Except,
}

const KEYWORDS: [(Phrase, Keyword); 12] = [
    (&["every"], Keyword::Every),
    (&["at"], Keyword::At),
    (&["after"], Keyword::After),
    (&["before"], Keyword::Before),
    (&["on", "the"], Keyword::OnThe),
    (&["on"], Keyword::On),
    (&["of"], Keyword::Of),
    (&["in"], Keyword::In),
    (&["and"], Keyword::And),
    (&[","], Keyword::And),
    (&["also"], Keyword::Also),
    (&["except"], Keyword::Except),
];

const PERIODS: [(Phrase, Period); 32] = [
    (&["s"], Period::Second),
    (&["sec"], Period::Second),
    (&["secs"], Period::Second),
    (&["second"], Period::Second),
    (&["seconds"], Period::Second),
    (&["m"], Period::Minute),
    (&["min"], Period::Minute),
    (&["mins"], Period::Minute),
    (&["minute"], Period::Minute),
    (&["minutes"], Period::Minute),
    (&["h"], Period::Hour),
    (&["hour"], Period::Hour),
    (&["hours"], Period::Hour),
    (&["day"], Period::Day),
    (&["days"], Period::Day),
    (&["day", "of", "the", "month"], Period::Day),
    (&["days", "of", "the", "month"], Period::Day),
    (&["day", "instance"], Period::DayInstance),
    (&["day", "of", "the", "week"], Period::Weekday),
    (&["days", "of", "the", "week"], Period::Weekday),
    (&["day", "of", "the", "year"], Period::DayOfYear),
    (&["days", "of", "the", "year"], Period::DayOfYear),
    (&["week"], Period::WeekOfYear),
    (&["weeks"], Period::WeekOfYear),
    (&["week", "of", "the", "year"], Period::WeekOfYear),
    (&["weeks", "of", "the", "year"], Period::WeekOfYear),
    (&["week", "of", "the", "month"], Period::WeekOfMonth),
    (&["weeks", "of", "the", "month"], Period::WeekOfMonth),
    (&["month"], Period::Month),
    (&["months"], Period::Month),
    (&["year"], Period::Year),
    (&["years"], Period::Year),
];

/// How a clause begins here.
pub(super) fn keyword(tokens: &Tokens) -> Option<Reading<Keyword>> {
    // The sign for `at` stands right before its time.
    let time = tokens.peek_after(1);
    if tokens.comes(&["@"]) && time.is_word() && time.gap == Gap::None {
        return Some(Reading { value: Keyword::At, tokens: 1 });
    }
    longest(tokens, KEYWORDS.iter())
}

/// A unit of time.
pub(super) fn period(tokens: &Tokens) -> Option<Reading<Period>> {
    longest(tokens, PERIODS.iter())
}

/// A unit of time that was named before.
pub(super) fn same_period(tokens: &Tokens, same: Period) -> Option<Reading<Period>> {
    longest(tokens, PERIODS.iter().filter(|(_, period)| *period == same))
}

fn longest<'w, T: Copy + 'w>(
    tokens: &Tokens,
    words: impl Iterator<Item = &'w (Phrase, T)>,
) -> Option<Reading<T>> {
    words
        .filter(|(phrase, _)| tokens.comes(phrase))
        .map(|(phrase, value)| Reading { value: *value, tokens: phrase.len() })
        .max_by_key(|reading| reading.tokens)
}

/// The words between a period and the number that `every` begins at.
pub(super) fn starting(tokens: &Tokens) -> Option<Reading<()>> {
    if !(tokens.comes(&["start"]) || tokens.comes(&["starting"])) {
        return None;
    }
    linking(tokens, &[&["on", "the"], &["on"], &["at"]])
}

/// The words between a period and the numbers that `every` keeps between.
pub(super) fn between(tokens: &Tokens) -> Option<Reading<()>> {
    if !tokens.comes(&["between"]) {
        return None;
    }
    linking(tokens, &[&["the"]])
}

/// A word, one space, then one of these phrases or any other word, which is not taken.
fn linking(tokens: &Tokens, phrases: &[Phrase]) -> Option<Reading<()>> {
    let next = tokens.peek_after(1);
    if next.gap != Gap::Space || !next.is_word() {
        return None;
    }
    let linked = phrases.iter().find(|phrase| tokens.comes_after(1, phrase));
    Some(Reading { value: (), tokens: 1 + linked.map_or(0, |phrase| phrase.len()) })
}

/// What joins the first and the last of a range.
pub(super) fn through(tokens: &Tokens) -> Option<Reading<()>> {
    let comes = ["-", "to", "through"].iter().any(|word| tokens.comes(&[word]));
    comes.then_some(Reading { value: (), tokens: 1 })
}

/// What joins the items of a list.
pub(super) fn and(tokens: &Tokens) -> Option<Reading<()>> {
    (tokens.comes(&["and"]) || tokens.comes(&[","])).then_some(Reading { value: (), tokens: 1 })
}

/// The first or the last of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Last,
}

/// A place in an order that is given by a word.
pub(super) fn place(tokens: &Tokens) -> Option<Reading<Place>> {
    longest(tokens, [(&["first"] as Phrase, Place::First), (&["last"], Place::Last)].iter())
}

/// A number, with the ending of an ordinal or without; those too large for anything are one.
pub(super) fn number(tokens: &Tokens) -> Option<Reading<i32>> {
    let word = &tokens.peek().text;
    let digits = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))
        .unwrap_or(word);
    if digits.is_empty() || !is_number(digits) {
        return None;
    }
    Some(Reading { value: digits.parse().unwrap_or(i32::MAX), tokens: 1 })
}

/// A year of four digits.
pub(super) fn year(tokens: &Tokens) -> Option<Reading<i32>> {
    let word = &tokens.peek().text;
    if word.len() != 4 || !is_number(word) {
        return None;
    }
    word.parse().ok().map(|value| Reading { value, tokens: 1 })
}

/// The name of a weekday, short or long; Sunday is 1.
pub(super) fn weekday(tokens: &Tokens) -> Option<Reading<i32>> {
    let word = &tokens.peek().text;
    let value = match word.strip_suffix("day").unwrap_or(word) {
        "sun" => 1,
        "mon" => 2,
        "tue" | "tues" => 3,
        "wed" | "wednes" => 4,
        "thu" | "thur" | "thurs" => 5,
        "fri" => 6,
        "sat" | "satur" => 7,
        _ => return None,
    };
    Some(Reading { value, tokens: 1 })
}

/// The name of a month; not every short form that one would think of is one.
pub(super) fn month(tokens: &Tokens) -> Option<Reading<i32>> {
    let value = match tokens.peek().text.as_str() {
        "jan" | "january" => 1,
        "feb" | "february" => 2,
        "mar" | "march" => 3,
        "apr" | "april" => 4,
        "may" => 5,
        "june" => 6,
        "july" => 7,
        "aug" | "august" => 8,
        "sept" | "september" => 9,
        "oct" | "october" => 10,
        "nov" | "november" => 11,
        "dec" | "december" => 12,
        _ => return None,
    };
    Some(Reading { value, tokens: 1 })
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
