//! How long the writer waits before it tries again.

use std::time::Duration;

use shared::backoff::Backoff;

use crate::destination::TroubleKind;

/// The waits between two tries. A field of the context, so that tests are fast.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The first wait when InfluxDB is not available: a restart of it takes a few seconds.
    pub first_backoff: Duration,
    /// The longest wait when InfluxDB is not available: it bounds how late a recovery is noticed.
    pub longest_backoff: Duration,
    /// The wait while somebody must change a configuration: quick tries would only fill the logs.
    pub slow: Duration,
    /// The longest wait that InfluxDB may ask for; the shortest is the first backoff.
    pub longest_retry_after: Duration,
    /// Time between two log lines about the same trouble.
    pub summary: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_backoff: Duration::from_millis(250),
            longest_backoff: Duration::from_secs(10),
            slow: Duration::from_secs(30),
            longest_retry_after: Duration::from_mins(5),
            summary: Duration::from_mins(1),
        }
    }
}

impl Pace {
    /// The wait after the `failures`th failure in a row, from 1.
    pub fn wait(&self, kind: TroubleKind, failures: u32) -> Duration {
        match kind {
            TroubleKind::Unavailable { retry_after: Some(wanted) } => {
                wanted.min(self.longest_retry_after).max(self.first_backoff)
            }
            TroubleKind::Unavailable { retry_after: None } => {
                Backoff { first: self.first_backoff, longest: self.longest_backoff }.wait(failures)
            }
            TroubleKind::Misconfigured | TroubleKind::Cardinality => self.slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_longest_and_has_jitter() {
        let pace = Pace::default();
        let unavailable = TroubleKind::Unavailable { retry_after: None };
        for (failures, millis) in [(1, 250), (2, 500), (3, 1000), (7, 10_000), (u32::MAX, 10_000)] {
            let whole = Duration::from_millis(millis);
            for _ in 0..50 {
                let wait = pace.wait(unavailable, failures);
                assert!(wait >= whole / 2 && wait <= whole, "{failures}: {wait:?}");
            }
        }
    }

    #[test]
    fn what_influxdb_asks_for_has_a_bound() {
        let pace = Pace::default();
        let asked =
            |seconds| TroubleKind::Unavailable { retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(pace.wait(asked(7), 9), Duration::from_secs(7));
        assert_eq!(pace.wait(asked(7000), 1), Duration::from_mins(5));
        assert_eq!(pace.wait(asked(0), 1), pace.first_backoff);
        assert_eq!(pace.wait(TroubleKind::Misconfigured, 9), pace.slow);
        assert_eq!(pace.wait(TroubleKind::Cardinality, 9), pace.slow);
    }
}
