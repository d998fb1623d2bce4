//! Schedules as later.js has them: 149 texts, and what is true of every text.

use std::time::Duration;

use proptest::prelude::*;
use serde::Deserialize;
use shared::schedule::{Schedule, ScheduleError};
use shared::timestamp::Timestamp;

const CASES: &str = include_str!("fixtures/schedule-cases.json");

/// How far an interval is followed.
const FOLLOWED: usize = 2_000;
/// Within so many firings, schedules without an interval show that they have none.
const UNEVEN_WITHIN: usize = 4_000;

#[derive(Deserialize)]
struct Cases {
    start: Timestamp,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    input: String,
    valid: bool,
    error_index: Option<usize>,
    #[serde(default)]
    timer_fires: Vec<Timestamp>,
    interval_seconds: Option<u64>,
    /// Why Footman refuses a text that later.js accepts.
    overridden: Option<String>,
}

impl Case {
    /// What is wrong with the outcome of this case, if anything.
    fn disagreement(&self, start: Timestamp) -> Option<String> {
        match Schedule::parse_at(&self.input, start) {
            Err(ScheduleError::Syntax { index, .. }) if !self.valid => (Some(index)
                != self.error_index)
                .then(|| format!("error at {index}, not at {:?}", self.error_index)),
            Err(
                ScheduleError::Empty
                | ScheduleError::TooLong { .. }
                | ScheduleError::NeverFires { .. },
            ) if self.overridden.is_some() => None,
            Err(error) => Some(format!("refused: {error}")),
            Ok(_) if !self.valid => Some("accepted".to_owned()),
            Ok(_) if self.overridden.is_some() => Some("accepted, though overridden".to_owned()),
            Ok(schedule) => self.firings_disagree(&schedule, start),
        }
    }

    fn firings_disagree(&self, schedule: &Schedule, start: Timestamp) -> Option<String> {
        let fires: Vec<_> = schedule.firings(start).take(self.timer_fires.len()).collect();
        if fires != self.timer_fires {
            return Some(format!("fires at {fires:?}, not at {:?}", self.timer_fires));
        }
        let Some(interval) = self.interval_seconds.map(Duration::from_secs) else {
            let mut gaps = gaps(schedule, start, UNEVEN_WITHIN);
            let first = gaps.next();
            let even = gaps.all(|gap| Some(gap) == first);
            return even.then(|| format!("an interval of {first:?}"));
        };
        let mut gaps = gaps(schedule, start, FOLLOWED);
        let other = gaps.find(|gap| *gap != interval)?;
        Some(format!("a gap of {other:?} in an interval of {interval:?}"))
    }
}

fn gaps(schedule: &Schedule, start: Timestamp, count: usize) -> impl Iterator<Item = Duration> {
    let firings = schedule.firings(start);
    firings.clone().skip(1).zip(firings).take(count).map(|(later, earlier)| later.since(earlier))
}

#[test]
fn schedule_texts_agree_with_later_js() {
    let Cases { start, cases } = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 149);
    let disagreements: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{:?}: {}", case.input, case.disagreement(start)?)))
        .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

/// Words and signs of the syntax, so that random texts get far into the parser.
const WORDS: [&str; 56] = [
    "every",
    "at",
    "@",
    "on",
    "on the",
    "of",
    "in",
    "after",
    "before",
    "also",
    "except",
    "and",
    ",",
    "first",
    "last",
    "through",
    "to",
    "-",
    "starting on the",
    "starting at",
    "between the",
    "between",
    "0",
    "1",
    "2nd",
    "5",
    "15th",
    "30",
    "60",
    "99999999999",
    "2027",
    "8:00",
    "10:15 am",
    "23:59",
    "s",
    "seconds",
    "minutes",
    "hour",
    "day",
    "day instance",
    "days of the week",
    "day of the year",
    "week",
    "week of the month",
    "month",
    "years",
    "mon",
    "friday",
    "sun",
    "feb",
    "december",
    "weekday",
    "weekend",
    "é",
    " ",
    "",
];

fn text() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..14);
    prop_oneof![words.prop_map(|words| words.join(" ")), ".{0,60}"]
}

/// Texts that are schedules, with some that are too strange to fire.
fn clauses() -> impl Strategy<Value = String> {
    let clause = prop_oneof![
        (
            0..70_u8,
            prop::sample::select(vec!["seconds", "minutes", "hours", "days", "weeks", "months"])
        )
            .prop_map(|(count, unit)| format!("every {count} {unit}")),
        (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| format!("at {hour}:{minute:02}")),
        (0..24_u8).prop_map(|hour| format!("after {hour}:30")),
        (0..24_u8).prop_map(|hour| format!("before {hour} hours")),
        (1..32_u8).prop_map(|day| format!("on the {day} day of the month")),
        (1..6_u8).prop_map(|count| format!("on the {count} day instance")),
        prop::sample::select(vec![
            "on mon",
            "every weekday",
            "of feb",
            "in 2028",
            "also",
            "except"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(clause, 1..5).prop_map(|clauses| clauses.join(" "))
}

proptest! {
    #[test]
    fn schedule_parser_takes_any_text(text in text()) {
        if let Err(error) = Schedule::parse(&text) {
            prop_assert!(error.index().is_none_or(|index| index <= text.chars().count()));
            prop_assert_eq!(error.index().is_some(), error.excerpt().is_some());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn schedule_firings_are_seconds_apart(
        text in clauses(),
        // From 2020 to 2051, at any nanosecond.
        start in (1_577_836_800_i64..2_556_144_000, 0..1_000_000_000_i64),
    ) {
        let start = Timestamp::from_nanos(start.0 * 1_000_000_000 + start.1);
        let Ok(schedule) = Schedule::parse_at(&text, start) else { return Ok(()) };
        let firings: Vec<_> = schedule.firings(start).take(20).collect();
        prop_assert!(firings.iter().all(|firing| firing.nanos() % 1_000_000_000 == 0));
        prop_assert!(firings.first().is_some_and(|first| *first > start));
        for (earlier, later) in firings.iter().zip(firings.iter().skip(1)) {
            prop_assert!(*later > *earlier, "{earlier} {later}");
        }
    }

    #[test]
    fn schedule_of_a_divisor_is_an_interval(
        (unit, seconds, step) in prop_oneof![
            (Just("seconds"), Just(1_u64), prop::sample::select(vec![1_u64, 2, 5, 10, 15, 20, 30])),
            (Just("minutes"), Just(60), prop::sample::select(vec![1_u64, 2, 5, 10, 15, 20, 30])),
            (Just("hours"), Just(3_600), prop::sample::select(vec![1_u64, 2, 3, 4, 6, 8, 12])),
        ],
        start in 0..4_000_000_000_i64,
    ) {
        let start = Timestamp::from_nanos(start * 1_000_000_000);
        let schedule = Schedule::parse_at(&format!("every {step} {unit}"), start).unwrap();
        let interval = Duration::from_secs(step * seconds);
        prop_assert!(gaps(&schedule, start, 50).all(|gap| gap == interval));
    }
}
