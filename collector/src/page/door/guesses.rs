//! How many passwords may be tried. Pure but for the time, which is handed in.

use std::time::Duration;

use tokio::time::Instant;

/// Passwords that may be tried at once: a person who mistypes, and a few programs.
const AT_ONCE: u32 = 10;
/// Time until one more may be tried: some 29,000 a day, of more than there are atoms.
const ONE_MORE: Duration = Duration::from_secs(3);

/// Passwords that may still be tried.
#[derive(Debug)]
pub(super) struct Guesses {
    left: u32,
    /// Until when what came back since is counted.
    counted: Instant,
}

impl Guesses {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, counted: now }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        while self.left < AT_ONCE && now.saturating_duration_since(self.counted) >= ONE_MORE {
            self.left += 1;
            self.counted += ONE_MORE;
        }
        if self.left == AT_ONCE {
            self.counted = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    /// It was right, so it was no guess.
    pub(super) fn give_back(&mut self) {
        self.left = AT_ONCE.min(self.left + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_then_one_every_three_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut guesses = Guesses::new(start);
        assert_eq!((0..20).filter(|_| guesses.take(at(0))).count(), 10);
        assert!(!guesses.take(at(2)));
        assert!(guesses.take(at(3)));
        assert!(!guesses.take(at(5)));
        assert_eq!((0..20).filter(|_| guesses.take(at(12))).count(), 3);
        assert_eq!((0..20).filter(|_| guesses.take(at(100_000))).count(), 10);
        guesses.give_back();
        assert!(guesses.take(at(100_000)));
        assert!(!guesses.take(at(100_000)));
    }
}
