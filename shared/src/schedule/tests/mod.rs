//! What the tests of texts and of firings have in common.

mod firings;
mod syntax;

use super::*;

/// A Wednesday.
const START: &str = "2026-03-11T10:07:23Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

fn parse(text: &str) -> Result<Schedule, ScheduleError> {
    Schedule::parse_at(text, at(START))
}

/// The next firings, without what they have in common with every whole second of UTC.
fn firings_from(start: &str, text: &str, count: usize) -> Vec<String> {
    let schedule = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let firings = schedule.firings(at(start)).take(count);
    firings.map(|firing| firing.to_string().replace(".000000000Z", "")).collect()
}

fn assert_fires(text: &str, expected: &[&str]) {
    assert_eq!(firings_from(START, text, expected.len()), expected, "{text}");
}

fn assert_same(text: &str, other: &str) {
    assert_eq!(firings_from(START, text, 50), firings_from(START, other, 50), "{text} | {other}");
}

fn assert_error(text: &str, index: usize, expected: Expected) {
    let error = ScheduleError::Syntax { text: text.to_owned(), index, expected };
    assert_eq!(parse(text), Err(error), "{text}");
}

fn assert_never(text: &str) {
    assert_eq!(parse(text), Err(ScheduleError::NeverFires { text: text.to_owned() }));
}
