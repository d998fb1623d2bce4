//! The day of the site: its clock, how busy each hour is, and the nights in which engines restart.

use std::time::Duration;

use super::chance::{Chance, RESTART};

/// How busy the hours of a working day begin, 0 to 1; between them the load changes evenly.
const HOURS: [f64; 24] = [
    0.05, 0.04, 0.04, 0.06, 0.05, 0.06, 0.12, 0.32, 0.68, 0.92, 1.00, 0.94, 0.66, 0.78, 0.96, 0.90,
    0.76, 0.52, 0.30, 0.20, 0.15, 0.11, 0.08, 0.06,
];

/// How busy a day of the weekend is, compared with a working day.
const WEEKEND: f64 = 0.2;

/// A day that lasts this long follows the clock and has weekends.
const REAL_DAY: Duration = Duration::from_hours(24);

/// The moment at which a site of short days begins, in days since 1970: a Monday, eight in the morning.
const FIRST_MOMENT: f64 = 20_003.0 + 8.0 / 24.0;

/// The hour of the restarts, as part of a day; each server follows the one before it by some minutes.
const RESTART_HOUR: f64 = 3.0 / 24.0;
const RESTART_STAGGER: f64 = 7.0 / 1_440.0;
const RESTART_STAGGERS: usize = 20;

/// An engine restarts in one of so many nights.
const NIGHTS_PER_RESTART: u64 = 3;

/// No engine runs longer than this many days.
const MAX_NIGHTS: u32 = 14;

/// A moment of the site in days since 1970, by the site's own clock.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Moment(pub(super) f64);

impl Moment {
    /// Days since 1970 by the site's clock.
    pub fn days(self) -> f64 {
        self.0
    }

    /// The hour of the site's day, 0 to below 24.
    pub fn hour(self) -> f64 {
        self.0.rem_euclid(1.0) * 24.0
    }

    /// The number of the current span of `length` days; `phase` shifts where the spans begin.
    #[expect(clippy::cast_possible_truncation, reason = "a count of spans is far below 2^63")]
    #[expect(clippy::cast_sign_loss, reason = "moments before 1970 are cut to 0")]
    pub(super) fn span(self, length: f64, phase: f64) -> u64 {
        (self.0 / length + phase).floor().max(0.0) as u64
    }
}

/// Turns time into the site's time and back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    /// The time that is `first` on the site's clock.
    origin: Duration,
    first: f64,
    day: Duration,
    weekends: bool,
}

impl Calendar {
    pub(super) fn new(born: Duration, day: Duration) -> Self {
        if day >= REAL_DAY {
            Self { origin: Duration::ZERO, first: 0.0, day, weekends: true }
        } else {
            Self { origin: born, first: FIRST_MOMENT, day, weekends: false }
        }
    }

    pub(super) fn moment(&self, unix: Duration) -> Moment {
        let since = unix.as_secs_f64() - self.origin.as_secs_f64();
        Moment(self.first + since / self.day.as_secs_f64())
    }

    /// The time of a moment, in whole milliseconds and not before 1970.
    pub(super) fn unix(&self, moment: Moment) -> Duration {
        let since = (moment.0 - self.first) * self.day.as_secs_f64();
        let seconds = (self.origin.as_secs_f64() + since).max(0.0);
        whole_milliseconds(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }

    /// How busy the site is, 0 to 1.
    pub(super) fn load(&self, moment: Moment) -> f64 {
        let (hour, part) = hour_and_part(moment);
        let from = hour_load(hour);
        let load = from + (hour_load(hour + 1) - from) * part;
        load * self.day_factor(moment.0.floor())
    }

    /// The load since 1970, in days of full load: what counters are made from.
    pub(super) fn load_so_far(&self, moment: Moment) -> f64 {
        let (hour, part) = hour_and_part(moment);
        let whole_hours: f64 = (0..hour).map(|hour| mean_load(hour, 1.0)).sum();
        let today = (whole_hours + mean_load(hour, part)) / 24.0;
        let full_day: f64 = (0..24).map(|hour| mean_load(hour, 1.0)).sum::<f64>() / 24.0;
        let day = moment.0.floor();
        let weekend_days = if self.weekends { weekend_days_before(day) } else { 0.0 };
        full_day * (day - weekend_days * (1.0 - WEEKEND)) + today * self.day_factor(day)
    }

    /// The time of the last nightly restart of a server's engine.
    pub(super) fn last_restart(&self, chance: Chance, server: usize, moment: Moment) -> Duration {
        let stagger = (server % RESTART_STAGGERS) as f64 * RESTART_STAGGER;
        let hour = RESTART_HOUR + stagger;
        let mut night = (moment.0 - hour).floor();
        for _ in 0..MAX_NIGHTS {
            let question = [RESTART, server as u64, Moment(night).span(1.0, 0.0)];
            if chance.number(&question).is_multiple_of(NIGHTS_PER_RESTART) {
                break;
            }
            night -= 1.0;
        }
        self.unix(Moment(night + hour))
    }

    fn day_factor(&self, day: f64) -> f64 {
        if self.weekends && (day + 3.0).rem_euclid(7.0) >= 5.0 { WEEKEND } else { 1.0 }
    }
}

/// Cuts what a timestamp of Qlik Sense does not show.
pub(super) fn whole_milliseconds(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// How many of the days before `day` were Saturdays or Sundays; day 0, in 1970, was a Thursday.
fn weekend_days_before(day: f64) -> f64 {
    let since_monday = day + 3.0;
    let weeks = (since_monday / 7.0).floor();
    weeks * 2.0 + (since_monday - weeks * 7.0 - 5.0).max(0.0)
}

#[expect(clippy::cast_possible_truncation, reason = "an hour is below 24")]
#[expect(clippy::cast_sign_loss, reason = "an hour is not negative")]
fn hour_and_part(moment: Moment) -> (usize, f64) {
    let hour = moment.hour();
    (hour as usize, hour.fract())
}

fn hour_load(hour: usize) -> f64 {
    HOURS.get(hour % HOURS.len()).copied().unwrap_or_default()
}

/// The load of the first `part` of an hour, in hours of full load.
fn mean_load(hour: usize, part: f64) -> f64 {
    let from = hour_load(hour);
    let to = from + (hour_load(hour + 1) - from) * part;
    f64::midpoint(from, to) * part
}
