//! Log lines that could come thousands of times: the first at once, the rest counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The lines about what was not stored at first.
#[derive(Debug)]
pub(crate) struct Repeated {
    summary: Duration,
    dead_letters: Mutex<Line>,
    replayed: Mutex<Line>,
    expired: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    last: Option<Instant>,
    unsaid: u64,
}

impl Repeated {
    pub(crate) fn new(summary: Duration) -> Self {
        Self {
            summary,
            dead_letters: Mutex::default(),
            replayed: Mutex::default(),
            expired: Mutex::default(),
        }
    }

    /// Counts dead letters; gives their number since the last line when it is time for a line.
    pub(crate) fn dead_letters(&self, count: u64) -> Option<u64> {
        self.count(&self.dead_letters, count)
    }

    /// Counts events stored from the dead letters, in the same way.
    pub(crate) fn replayed(&self, count: u64) -> Option<u64> {
        self.count(&self.replayed, count)
    }

    /// Counts expired points, in the same way.
    pub(crate) fn expired(&self, count: u64) -> Option<u64> {
        self.count(&self.expired, count)
    }

    fn count(&self, line: &Mutex<Line>, count: u64) -> Option<u64> {
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        line.unsaid += count;
        if line.last.is_some_and(|last| last.elapsed() < self.summary) {
            return None;
        }
        line.last = Some(Instant::now());
        Some(std::mem::take(&mut line.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_at_once_then_one_a_minute() {
        let repeated = Repeated::new(Duration::from_mins(1));
        assert_eq!(repeated.dead_letters(1), Some(1));
        assert_eq!(repeated.dead_letters(2), None);
        assert_eq!(repeated.expired(9), Some(9));
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(repeated.dead_letters(3), Some(5));
    }
}
