//! Waiting for the firings of a schedule, by the wall clock.
//!
//! The wall clock may be set while a program waits, so it is looked at again and again.

use std::time::Duration;

use crate::schedule::Schedule;
use crate::timestamp::Timestamp;

/// How long the wall clock is trusted to go on as it did: what it is set forward is noticed then.
const LOOK: Duration = Duration::from_secs(30);
/// A clock that goes back by more was set; less is its discipline.
const SET_BACK: Duration = Duration::from_secs(1);

/// A timer on a schedule.
#[derive(Debug)]
pub(super) struct Alarm<Now = fn() -> Timestamp> {
    schedule: Schedule,
    now: Now,
    seen: Timestamp,
    due: Option<Timestamp>,
}

impl Alarm {
    /// Sets an alarm by this machine's clock.
    pub(super) fn new(schedule: Schedule) -> Self {
        Self::by(schedule, Timestamp::now)
    }
}

impl<Now: Fn() -> Timestamp> Alarm<Now> {
    /// Sets an alarm by a clock.
    fn by(schedule: Schedule, now: Now) -> Self {
        let seen = now();
        let due = schedule.next_firing(seen);
        Self { schedule, now, seen, due }
    }

    /// Waits for the next firing; firings that nobody waited for are one.
    ///
    /// # Cancel safety
    /// A firing is missed only by dropping a future that is ready.
    pub(super) async fn rings(&mut self) {
        while !self.rang() {
            let Some(due) = self.due else { return std::future::pending().await };
            tokio::time::sleep(due.since(self.seen).min(LOOK)).await;
        }
    }

    fn rang(&mut self) -> bool {
        let now = (self.now)();
        if self.seen.since(now) > SET_BACK {
            self.due = self.schedule.next_firing(now);
        }
        self.seen = now;
        let rang = self.due.is_some_and(|due| due <= now);
        if rang {
            self.due = self.schedule.next_firing(now);
        }
        rang
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::time::Instant;

    use super::*;

    const NOON: &str = "2026-11-21T12:00:00Z";

    /// A wall clock over tokio's, set forward or back by some seconds.
    fn clock(set_by: &Arc<AtomicI64>) -> impl Fn() -> Timestamp + use<> {
        let (noon, begun) = (Timestamp::parse(NOON).unwrap(), Instant::now());
        let set_by = Arc::clone(set_by);
        move || {
            let set = set_by.load(Ordering::Relaxed) * 1_000_000_000;
            Timestamp::from_nanos(noon.plus(begun.elapsed()).nanos() + set)
        }
    }

    fn every_5_minutes(set_by: &Arc<AtomicI64>) -> Alarm<impl Fn() -> Timestamp + use<>> {
        Alarm::by("every 5 minutes".parse().unwrap(), clock(set_by))
    }

    #[tokio::test(start_paused = true)]
    async fn rings_at_each_firing() {
        let mut alarm = every_5_minutes(&Arc::default());
        let begun = Instant::now();
        for firing in 1..=20 {
            alarm.rings().await;
            assert_eq!(begun.elapsed().as_secs(), firing * 300);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_firing_is_lost_by_looking_elsewhere() {
        let mut alarm = every_5_minutes(&Arc::default());
        let begun = Instant::now();
        let mut other = tokio::time::interval(Duration::from_millis(100));
        let mut rung = Vec::new();
        while rung.len() < 3 {
            tokio::select! {
                () = alarm.rings() => rung.push(begun.elapsed().as_secs()),
                _ = other.tick() => {}
            }
        }
        assert_eq!(rung, [300, 600, 900]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_followed() {
        let set_by = Arc::new(AtomicI64::new(0));
        let mut alarm = every_5_minutes(&set_by);
        let begun = Instant::now();
        alarm.rings().await;
        set_by.store(-3_600, Ordering::Relaxed);
        alarm.rings().await;
        assert_eq!(begun.elapsed().as_secs(), 600);
        set_by.store(0, Ordering::Relaxed);
        alarm.rings().await;
        assert!(begun.elapsed().as_secs() <= 600 + LOOK.as_secs(), "{:?}", begun.elapsed());
    }
}
