//! Wall-clock times in nanoseconds, and the clock that stamps polls.
//!
//! A point's identity contains its timestamp, so two polls must never share one.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
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

/// Gives every poll of a process a moment of its own.
///
/// Equal and slightly backward readings of the wall clock move to the next free nanosecond.
/// A clock set back by more than [`PollClock::SLIGHTLY`] is believed, since times far in the future
/// would be worse than the remote chance of meeting a nanosecond again.
#[derive(Debug, Default)]
pub struct PollClock {
    last: AtomicI64,
}

impl PollClock {
    /// How far back a reading may be and still be taken for jitter of the clock.
    pub const SLIGHTLY: Duration = Duration::from_secs(10);

    /// The wall clock now, never the same twice.
    pub fn now(&self) -> Timestamp {
        self.stamp(Timestamp::now())
    }

    /// The next free nanosecond at or after `reading`.
    pub fn stamp(&self, reading: Timestamp) -> Timestamp {
        let slightly = i64::try_from(Self::SLIGHTLY.as_nanos()).unwrap_or(i64::MAX);
        let mut given = reading.0;
        // The closure always gives a value, so the update cannot fail.
        let _previous = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            let behind = last.saturating_sub(reading.0);
            given = if (0..=slightly).contains(&behind) { last + 1 } else { reading.0 };
            Some(given)
        });
        Timestamp(given)
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn no_two_polls_share_a_moment() {
        let clock = PollClock::default();
        let noon = Timestamp::from_nanos(1_000_000_000_000);
        assert_eq!(clock.stamp(noon), noon);
        assert_eq!(clock.stamp(noon).nanos(), noon.nanos() + 1);
        let slightly_back = Timestamp::from_nanos(noon.nanos() - 1_000);
        assert_eq!(clock.stamp(slightly_back).nanos(), noon.nanos() + 2);
    }

    #[test]
    fn a_clock_set_back_is_believed() {
        let clock = PollClock::default();
        clock.stamp(Timestamp::from_nanos(3_600_000_000_000));
        let hour_back = Timestamp::from_nanos(1_000);
        assert_eq!(clock.stamp(hour_back), hour_back);
    }
}
