//! The syntax, one clause after the other.

use super::*;

#[test]
fn every_counts_in_the_parent() {
    assert_fires(
        "every 25 minutes",
        &["2026-03-11T10:25:00", "2026-03-11T10:50:00", "2026-03-11T11:00:00"],
    );
    assert_fires("every 100 days", &["2026-04-01T00:00:00", "2026-05-01T00:00:00"]);
    assert_fires(
        "every 100 days of the year",
        &[
            "2026-04-11T00:00:00",
            "2026-07-20T00:00:00",
            "2026-10-28T00:00:00",
            "2027-01-01T00:00:00",
        ],
    );
    assert_fires(
        "every 3 days of the week",
        &["2026-03-14T00:00:00", "2026-03-15T00:00:00", "2026-03-18T00:00:00"],
    );
    assert_fires("every 2 years", &["2028-01-01T00:00:00", "2030-01-01T00:00:00"]);
    assert_same("every 0 hours", "every 1 hour");
    assert_same("every 99999999999999999999 minutes", "every 1 hour");
}

#[test]
fn every_starts_somewhere() {
    assert_fires(
        "every 20 minutes starting on the 7th minute",
        &["2026-03-11T10:27:00", "2026-03-11T10:47:00", "2026-03-11T11:07:00"],
    );
    for words in ["start at", "starting", "start on", "starting at", "starting on the"] {
        assert_same(
            &format!("every 6 hours {words} 4 hours"),
            "every 6 hours starting on the 4th hour",
        );
    }
    assert_error("every 5 minutes starting at 7", 29, Expected::SamePeriod);
    assert_error("every 5 minutes starting at 7 hours", 30, Expected::SamePeriod);
    assert_error("every 5 minutes starting  at 7 minutes", 16, Expected::Clause);
    assert_never("every 5 minutes starting on the 70th minute");
}

#[test]
fn every_keeps_between() {
    assert_fires(
        "every 20 minutes between 5 and 25",
        &["2026-03-11T10:25:00", "2026-03-11T11:05:00"],
    );
    assert_same("every 20 minutes between the 5th, 25th", "every 20 minutes between 5 and 25");
    assert_same("every 20 minutes between 5", "every 20 minutes");
    assert_error("every 5 minutes between 20 and", 30, Expected::Number);
    assert_error("every 5 minutes between 40 and 20", 31, Expected::RangeEnd);
}

#[test]
fn weekdays_and_weekends() {
    assert_same("every weekday at 8:00", "on mon through fri at 8:00");
    assert_same("every weekend at 8:00", "on sat, sun at 8:00");
    assert_error("every weekdays", 6, Expected::Number);
    assert_error("on weekday", 3, Expected::Weekday);
}

#[test]
fn times_in_any_order() {
    assert_fires(
        "at 5:00 pm, 10:30 and 00:01",
        &["2026-03-11T10:30:00", "2026-03-11T17:00:00", "2026-03-12T00:01:00"],
    );
    assert_same("@12:00am", "at 00:00");
    assert_error("@ 12:00", 0, Expected::Clause);
    assert_error("at 10:00 and noon", 13, Expected::Time);
    assert_error("at 13:00 pm", 9, Expected::Clause);
}

#[test]
fn after_and_before() {
    assert_fires(
        "every 20 minutes after 22 hours",
        &["2026-03-11T22:00:00", "2026-03-11T22:20:00"],
    );
    assert_fires(
        "at 10:00 after 20 days before 22 days",
        &["2026-03-20T10:00:00", "2026-03-21T10:00:00", "2026-04-20T10:00:00"],
    );
    assert_error("after noon", 6, Expected::TimeOrNumber);
    assert_error("after 25:00", 8, Expected::Period);
    assert_never("before 0 hours");
}

#[test]
fn places_in_an_order() {
    assert_fires("on the 3rd - 4th, 5 to 6 and 20 minute", &["2026-03-11T10:20:00"]);
    assert_fires("on the last hour", &["2026-03-11T23:00:00", "2026-03-12T23:00:00"]);
    assert_fires("on the last day of the year", &["2026-12-31T00:00:00", "2027-12-31T00:00:00"]);
    assert_fires("on the last week", &["2026-12-28T00:00:00", "2027-12-27T00:00:00"]);
    assert_fires("on the last week of the month", &["2026-03-29T00:00:00", "2026-04-26T00:00:00"]);
    assert_fires(
        "on the 0 through 2 day",
        &[
            "2026-03-31T00:00:00",
            "2026-04-01T00:00:00",
            "2026-04-02T00:00:00",
            "2026-04-30T00:00:00",
        ],
    );
    assert_error("on the second", 7, Expected::Number);
    assert_error("on the 5 fortnight", 9, Expected::Period);
}

#[test]
fn names_of_days_and_months() {
    assert_same("on tues, thurs", "on tuesday and thursday");
    assert_same("on wednesday to fri", "on wed - fri");
    assert_same("at 8:00 of sept through november", "at 8:00 of september, oct, nov");
    assert_fires("on mon of jan", &["2027-01-04T00:00:00", "2027-01-11T00:00:00"]);
    assert_error("of jul", 3, Expected::Month);
    assert_error("on funday", 3, Expected::Weekday);
    assert_error("on fri through mon", 15, Expected::RangeEnd);
}

#[test]
fn texts_without_a_clause() {
    for text in ["", " ", "\t\n", ",", "and and"] {
        assert_eq!(parse(text), Err(ScheduleError::Empty), "{text:?}");
    }
    assert_error("every 5 minutes ", 16, Expected::NoBlanks);
    assert_error("tomorrow", 0, Expected::Clause);
}

#[test]
fn schedules_are_read_and_shown() {
    let schedule: Schedule = "Every 5 Minutes".parse().unwrap();
    assert_eq!(
        (schedule.as_str(), schedule.to_string()),
        ("Every 5 Minutes", "Every 5 Minutes".to_owned())
    );
}
