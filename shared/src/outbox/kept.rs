//! How long settled events stay: until the broker has gone on confirming for the whole window.
//!
//! Pure, with moments handed in. Time counts only while something is settled: as long as the broker
//! is away nobody knows yet what it has forgotten, so nothing of it is let go.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Parts of the window that are told apart: bounds what is remembered, and how much longer than the
/// window an event may stay.
const STEPS: u32 = 32;

/// When what was settled.
#[derive(Debug)]
pub(super) struct Kept {
    window: Duration,
    /// In order.
    steps: VecDeque<Step>,
    settled: i64,
    let_go: i64,
}

/// What was settled in one part of the window.
#[derive(Debug)]
struct Step {
    began: Instant,
    ended: Instant,
    through: i64,
}

impl Kept {
    /// Nobody knows when what is `settled` by now was: it stays for a whole window.
    pub(super) fn new(window: Duration, now: Instant, settled: i64) -> Self {
        let steps = VecDeque::from([Step { began: now, ended: now, through: settled }]);
        Self { window, steps, settled, let_go: 0 }
    }

    /// Everything up to `through` is settled by `now`. Gives the last position that need not be
    /// kept any longer.
    pub(super) fn settle(&mut self, now: Instant, through: i64) -> i64 {
        if through <= self.settled {
            return self.let_go;
        }
        self.settled = through;
        match self.steps.back_mut() {
            Some(step) if now.duration_since(step.began) < self.window / STEPS => {
                (step.ended, step.through) = (now, through);
            }
            _ => self.steps.push_back(Step { began: now, ended: now, through }),
        }
        let is_over = |step: &Step| now.duration_since(step.ended) >= self.window;
        while let Some(step) = self.steps.pop_front_if(|step| is_over(step)) {
            self.let_go = step.through;
        }
        self.let_go
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(320);

    #[test]
    fn what_is_settled_stays_for_the_window() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut kept = Kept::new(WINDOW, start, 10);
        assert_eq!(kept.settle(after(50), 20), 0);
        assert_eq!(kept.settle(after(319), 30), 0);
        assert_eq!(kept.settle(after(320), 40), 10, "it was settled when this began, or before");
        assert_eq!(kept.settle(after(370), 50), 20);
        assert_eq!(kept.settle(after(10_000), 60), 50);
    }

    #[test]
    fn nothing_is_let_go_as_long_as_nothing_is_settled() {
        let start = Instant::now();
        let mut kept = Kept::new(WINDOW, start, 10);
        let much_later = start + WINDOW * 100;
        assert_eq!(kept.settle(much_later, 10), 0);
        assert_eq!(kept.settle(much_later, 11), 10);
    }

    #[test]
    fn remembers_few_steps_however_often_something_is_settled() {
        let start = Instant::now();
        let mut kept = Kept::new(WINDOW, start, 0);
        for position in 1..10_000 {
            let now = start + Duration::from_millis(100) * position;
            let let_go = kept.settle(now, position.into());
            let seconds_kept = (i64::from(position) - let_go) / 10;
            assert!(let_go == 0 || (320..=330).contains(&seconds_kept), "{seconds_kept}");
        }
        assert!(kept.steps.len() <= 34, "{}", kept.steps.len());
    }
}
