//! Wall-clock times in nanoseconds, and the clock that stamps polls.
//!
//! A point's identity contains its timestamp, so two polls must never share one.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment: nanoseconds since the Unix epoch, written as RFC 3339 in UTC with nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes nanoseconds since the Unix epoch; earlier moments become the epoch itself.
    pub fn from_nanos(nanos: i64) -> Self {
        Self(nanos.max(0))
    }

    /// The wall clock now.
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment plus `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// This moment less `duration`, but not before the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self::from_nanos(self.0.saturating_sub(nanos))
    }

    /// RFC 3339 in UTC without a fraction, which is left out.
    pub fn to_seconds(self) -> String {
        let text = self.to_string();
        text.split_once('.').map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z"))
    }

    /// Reads RFC 3339 text with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(parsed.as_nanosecond()).ok().filter(|nanos| *nanos >= 0).map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(moment) => write!(f, "{moment:.9}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("expected a time like 2026-11-21T08:15:30.123456789Z")
        })
    }
}

/// Gives every poll of a process a moment of its own, whatever the wall clock does.
///
/// Equal and slightly backward readings move to the next free moment. A clock set back by more than
/// [`PollClock::SLIGHTLY`] is believed, since times far in the future would be worse; it then passes
/// times that were given before. So the last digits of a moment tell how often the clock was set
/// back and whether a request was sent, and no two kinds ever meet.
///
/// Two starts of a program may meet only where the clock was set back in between and both polled
/// the same server in the same nanosecond.
#[derive(Debug, Default)]
pub struct PollClock {
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    last: i64,
    /// How often the clock was set back.
    era: i64,
}

/// Eras that are told apart; with the ticks of each they take 32 nanoseconds, far less than any
/// request.
const ERAS: i64 = 16;

impl PollClock {
    /// How far back a reading may be and still be taken for jitter of the clock.
    pub const SLIGHTLY: Duration = Duration::from_secs(10);

    /// The wall clock now, never the same twice.
    pub fn now(&self) -> Timestamp {
        self.stamp(Timestamp::now())
    }

    /// The next free moment at or after `reading`, for a request that is sent now.
    pub fn stamp(&self, reading: Timestamp) -> Timestamp {
        let mut given = self.given();
        let slightly = i64::try_from(Self::SLIGHTLY.as_nanos()).unwrap_or(i64::MAX);
        let mut from = reading.0;
        if given.last.saturating_sub(reading.0) > slightly {
            given.era += 1;
        } else {
            from = from.max(given.last.saturating_add(1));
        }
        given.last = ending_in(from, given.era % ERAS);
        Timestamp(given.last)
    }

    /// The moment of a tick at which no request was sent, be it long ago: no request has it.
    pub fn tick(&self, scheduled: Timestamp) -> Timestamp {
        Timestamp(ending_in(scheduled.0, ERAS + self.given().era % ERAS))
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first moment at or after `from` with this remainder.
fn ending_in(from: i64, remainder: i64) -> i64 {
    let kinds = 2 * ERAS;
    from.saturating_add((remainder - from).rem_euclid(kinds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_has_nine_decimals_and_reads_back() {
        let moment = Timestamp::from_nanos(1_763_712_930_123_456_789);
        assert_eq!(moment.to_string(), "2025-11-21T08:15:30.123456789Z");
        assert_eq!(moment.to_seconds(), "2025-11-21T08:15:30Z");
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        assert_eq!(Timestamp::from_nanos(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::parse("2025-11-21T09:15:30+01:00").unwrap().nanos() % 1000, 0);
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("1901-01-01T00:00:00Z"), None);
    }

    /// Nanoseconds until a moment that is free is reached.
    const SOON: i64 = 2 * ERAS;
    const HOUR: Duration = Duration::from_hours(1);

    fn noon() -> Timestamp {
        Timestamp::parse("2026-11-21T12:00:00Z").unwrap()
    }

    fn is_soon_after(given: Timestamp, reading: Timestamp) -> bool {
        (reading.nanos()..=reading.nanos() + SOON).contains(&given.nanos())
    }

    #[test]
    fn no_two_polls_share_a_moment() {
        let clock = PollClock::default();
        let first = clock.stamp(noon());
        assert!(is_soon_after(first, noon()));
        let second = clock.stamp(noon());
        assert!(second > first && is_soon_after(second, first));
        for back in [1, 1_000, 9_000_000_000] {
            let before = clock.stamp(noon());
            let slightly_back = Timestamp::from_nanos(noon().nanos() - back);
            let given = clock.stamp(slightly_back);
            assert!(given > before && is_soon_after(given, before), "{back}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_believed() {
        let clock = PollClock::default();
        let year = Duration::from_hours(24 * 365);
        clock.stamp(noon());
        for reading in
            [noon().minus(HOUR), noon().plus(year), noon(), noon().minus(year), noon().plus(HOUR)]
        {
            assert!(is_soon_after(clock.stamp(reading), reading), "{reading}");
        }
    }

    #[test]
    fn a_time_that_passes_again_gives_other_moments() {
        let clock = PollClock::default();
        let mut seen = std::collections::BTreeSet::new();
        for _setting_back in 0..10 {
            for step in 0..200 {
                let reading = noon().plus(Duration::from_millis(step * 100));
                assert!(seen.insert(clock.stamp(reading)), "a request's moment is given again");
                // Of a poll that has waited for half a minute.
                let scheduled = reading.minus(Duration::from_secs(30));
                assert!(seen.insert(clock.tick(scheduled)), "a tick's moment is given again");
            }
            assert!(is_soon_after(clock.stamp(noon().plus(HOUR)), noon().plus(HOUR)));
        }
    }

    #[test]
    fn ticks_of_long_ago_leave_the_order_of_requests_alone() {
        let clock = PollClock::default();
        let before = clock.stamp(noon());
        let scheduled = noon().minus(HOUR);
        assert!(is_soon_after(clock.tick(scheduled), scheduled));
        assert!(clock.stamp(noon().minus(Duration::from_millis(1))) > before);
    }

    #[test]
    fn the_ends_of_time_are_moments_too() {
        let clock = PollClock::default();
        clock.stamp(Timestamp::from_nanos(i64::MAX));
        clock.stamp(Timestamp::from_nanos(i64::MAX));
        assert!(is_soon_after(clock.stamp(Timestamp::from_nanos(0)), Timestamp::from_nanos(0)));
    }

    proptest! {
        #[test]
        fn any_clock_gives_moments_that_differ(
            readings in proptest::collection::vec((0..200_i64, 0..4_u8), 1..60),
        ) {
            let clock = PollClock::default();
            let (mut seen, mut set_back, mut last) = (std::collections::BTreeSet::new(), 0, 0);
            for (seconds, nanos) in readings {
                let reading = noon().nanos() + seconds * 1_000_000_000 + i64::from(nanos);
                let given = clock.stamp(Timestamp::from_nanos(reading)).nanos();
                set_back += i64::from(given < last);
                // More eras than that are not told apart.
                prop_assume!(set_back < ERAS);
                prop_assert!(seen.insert(given));
                prop_assert!(given >= reading && given - reading < 11_000_000_000);
                last = given;
            }
        }
    }
}
