//! Schedule texts: any text is a schedule that fires in order, or an error with its place in it.

use std::time::{Duration, Instant};

use shared::schedule::{Schedule, ScheduleError};
use shared::timestamp::Timestamp;

/// Moments at odd places: an ordinary day, the end of a leap year, and close to where it ends.
const MOMENTS: [&str; 3] =
    ["2026-03-11T10:07:23.5Z", "2028-12-31T23:59:59.999999999Z", "2097-02-28T23:59:58Z"];
const TEN_YEARS: Duration = Duration::from_hours(24 * 366 * 10);
const FIRINGS: usize = 40;
/// No text may occupy a program: generous on a machine that does other things too.
const DEADLINE: Duration = Duration::from_secs(20);
/// Firings are looked at for so long.
const LOOKED: Duration = Duration::from_secs(2);

/// Reads a text, and fires.
pub fn schedule(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for moment in MOMENTS {
        let moment = Timestamp::parse(moment).unwrap();
        match in_time(&text, || Schedule::parse_at(&text, moment)) {
            Ok(schedule) => check_firings(&schedule, &text, moment),
            Err(error) => check_error(&error, &text),
        }
    }
}

fn in_time<T>(text: &str, act: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = act();
    assert!(began.elapsed() < DEADLINE, "{:?} for {text:?}", began.elapsed());
    done
}

fn check_firings(schedule: &Schedule, text: &str, moment: Timestamp) {
    assert_eq!((schedule.as_str(), schedule.to_string().as_str()), (text, text));
    let (began, mut last) = (Instant::now(), moment);
    for number in 0..FIRINGS {
        let firing = in_time(text, || schedule.next_firing(last));
        let Some(firing) = firing else {
            assert!(number > 0, "it never fires: {text:?}");
            break;
        };
        assert!(firing > last, "{firing} after {last}: {text:?}");
        assert!(number > 0 || firing.since(moment) <= TEN_YEARS, "{firing}: {text:?}");
        assert_eq!(firing.nanos() % 1_000_000_000, 0, "schedules look at whole seconds");
        last = firing;
        if began.elapsed() > LOOKED {
            break;
        }
    }
    let row = schedule.firings(moment).take(2).collect::<Vec<_>>();
    assert!(row.first() <= Some(&last) && row.is_sorted());
}

fn check_error(error: &ScheduleError, text: &str) {
    assert!(!error.to_string().is_empty());
    let Some(index) = error.index() else { return };
    assert!(index <= text.chars().count(), "{index} is not in {text:?}");
    let excerpt = error.excerpt().unwrap();
    let (line, caret) = excerpt.split_once('\n').unwrap();
    assert_eq!(line.chars().count(), text.chars().count());
    assert_eq!((caret.trim_start(), caret.chars().count()), ("^", index + 1));
}
