//! How long to wait before trying again.

use std::time::Duration;

use rand::RngExt as _;

/// Doublings after which every sensible backoff is at its longest.
const MAX_DOUBLINGS: u32 = 20;

/// Waits that double, with jitter between half of a wait and the whole, so that programs do not
/// come back in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait: it bounds how late a recovery is noticed.
    pub longest: Duration,
}

impl Backoff {
    /// The wait after the `failures`th failure in a row, from 1.
    pub fn wait(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_with_jitter() {
        let backoff =
            Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(10) };
        for (failures, millis) in [(1, 250), (2, 500), (3, 1_000), (7, 10_000), (u32::MAX, 10_000)]
        {
            let whole = Duration::from_millis(millis);
            for _ in 0..50 {
                let wait = backoff.wait(failures);
                assert!(wait >= whole / 2 && wait <= whole, "{failures}: {wait:?}");
            }
        }
    }
}
