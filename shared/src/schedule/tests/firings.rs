//! Firings at the odd places of the calendar and of the syntax.

use std::time::Duration;

use super::*;

#[test]
fn the_unit_is_the_finest_of_the_text() {
    // The last hour of a day is shorter than a minute's worth of hours: once a day it is.
    assert_fires("every 5 minutes after 23 hours", &["2026-03-11T23:00:00", "2026-03-12T23:00:00"]);
    assert_fires("every 1 day after 20:00", &["2026-03-11T20:00:00", "2026-03-11T20:00:01"]);
    assert_fires("every 1 minute on the 2 hour", &["2026-03-12T02:00:00", "2026-03-12T02:01:00"]);
}

#[test]
fn years() {
    assert_fires("every 1 month in 2028-2029", &["2028-01-01T00:00:00", "2028-02-01T00:00:00"]);
    assert_error("in 28", 3, Expected::Year);
    assert_never("in 2025");
    assert_never("in 2037");
    // The last unit of all lasts as long as it lasts.
    let eve = firings_from("2028-12-31T23:59:58Z", "every 1 day in 2028", 3);
    assert_eq!(eve, ["2028-12-31T23:59:59", "2029-01-01T00:00:00"]);
}

#[test]
fn leap_days() {
    assert_fires("on the 29th day of feb", &["2028-02-29T00:00:00", "2032-02-29T00:00:00"]);
    assert_fires("on the last day of feb", &["2027-02-28T00:00:00", "2028-02-29T00:00:00"]);
    assert_fires("on the 366th day of the year", &["2028-12-31T00:00:00", "2032-12-31T00:00:00"]);
    let century = firings_from("2026-03-11T10:07:23Z", "on the 60th day of the year", 3);
    assert_eq!(century, ["2027-03-01T00:00:00", "2028-02-29T00:00:00", "2029-03-01T00:00:00"]);
    assert_never("on the 30th day of feb");
}

#[test]
fn alternatives() {
    assert_fires(
        "at 8:00 on mon also at 9:00 on the last day",
        &[
            "2026-03-16T08:00:00",
            "2026-03-23T08:00:00",
            "2026-03-30T08:00:00",
            "2026-03-31T09:00:00",
        ],
    );
    // later.js calls back without end here; a timer that never fires at once cannot.
    assert_fires(
        "every 1 hour also every 1 minute",
        &["2026-03-11T10:08:00", "2026-03-11T10:09:00"],
    );
    assert_same("also at 8:00", "at 8:00");
    assert_error("every 1 hour also", 17, Expected::Alternative);
    assert_error("every 1 hour also also every 1 day", 18, Expected::Alternative);
}

#[test]
fn exclusions() {
    assert_fires(
        "every 1 hour except on wed also after 3 hours",
        &[
            "2026-03-12T00:00:00",
            "2026-03-12T01:00:00",
            "2026-03-12T02:00:00",
            "2026-03-13T00:00:00",
        ],
    );
    assert_fires(
        "every 6 hours except on wed except on the 12 hour on thu",
        &["2026-03-12T00:00:00", "2026-03-12T06:00:00", "2026-03-12T18:00:00"],
    );
    assert_same("at 8:00 except", "at 8:00");
    assert_never("every 5 minutes except every 1 hour");
    assert_never("every 1 month except every 1 minute");
    assert_never("at 10:00 except after 9:00");
    assert_never("on the 0 second except on the 0 second");
    assert_eq!(parse("except on sat"), Err(ScheduleError::Empty));
}

#[test]
fn an_excluded_beginning_does_not_stop_the_timer() {
    let text = "every 1 hour except at 11:00";
    assert_eq!(
        firings_from("2026-03-11T10:59:59Z", text, 3),
        ["2026-03-11T11:00:00", "2026-03-11T12:00:00", "2026-03-11T13:00:00"]
    );
}

#[test]
fn occurrences_within_a_second_are_passed_over() {
    let text = "every 5 minutes";
    assert_eq!(firings_from("2026-03-11T10:09:59Z", text, 1), ["2026-03-11T10:10:00"]);
    assert_eq!(firings_from("2026-03-11T10:09:59.001Z", text, 1), ["2026-03-11T10:15:00"]);
    assert_eq!(firings_from("2026-03-11T10:10:00Z", text, 1), ["2026-03-11T10:15:00"]);
    assert_eq!(firings_from("2026-03-11T10:10:59.999Z", text, 1), ["2026-03-11T10:15:00"]);
    // Here a unit is under way, and the one after it is not passed over.
    assert_eq!(
        firings_from("2026-03-11T10:10:59.999Z", "every 1 minute", 1),
        ["2026-03-11T10:11:00"]
    );
    assert_eq!(
        firings_from("2026-03-11T10:10:59.999Z", "every 1 second", 1),
        ["2026-03-11T10:11:00"]
    );
}

#[test]
fn time_ends_where_timestamps_end() {
    let schedule = parse("every 1 second").unwrap();
    assert_eq!(schedule.next_firing(Timestamp::from_nanos(i64::MAX)), None);
    assert!(schedule.next_firing(Timestamp::from_nanos(0)).is_some());
}

#[test]
fn a_text_that_goes_on_and_on_occupies_nobody() {
    let repeated = |text: &str, times| text.repeat(times);
    // Every second is excluded, a minute's worth at a time, by several for each of several.
    let text = format!(
        "every 1 second{} except on the 0 second{}",
        repeated(" also every 1 second", 8),
        repeated(" also on the 0 second also on the 1 through 59 second in 2026-2035", 8),
    );
    let began = std::time::Instant::now();
    assert_never(&text);
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    let length = 20 * 1_000 + 14;
    let endless = format!("every 1 second{}", repeated(" also every 1 second", 1_000));
    assert_eq!(parse(&endless), Err(ScheduleError::TooLong { length }));
}
