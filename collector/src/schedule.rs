//! The ticks of one endpoint: when, and whether it is its turn.
//!
//! Scheduling is apart from meaning: nothing here knows what a poll is. Each endpoint has a task of
//! its own, so that none waits for another. A tick whose predecessor still waits or runs is
//! skipped; ticks that passed while the whole program stood still are skipped as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared::timestamp::Timestamp;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rhythm::Rhythm;

/// A moment at which a poll is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    /// On the clock that never jumps.
    pub(crate) due: Instant,
    /// On the wall clock.
    pub(crate) scheduled: Timestamp,
}

/// Why ticks are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// The tick before still waits or runs.
    Busy,
    /// The program stood still.
    Stalled,
}

/// What is done at a tick.
pub(crate) trait Work: Send + Sync + 'static {
    /// Polls.
    fn poll(self: Arc<Self>, tick: Tick) -> impl Future<Output = ()> + Send;
    /// Tells of ticks that were skipped, the first of which is given.
    fn skip(&self, tick: Tick, ticks: u64, why: Skipped) -> impl Future<Output = ()> + Send;
}

/// Does the work at every tick until `stop`; polls run on `tasks` and may outlive it.
pub(crate) async fn keep<W: Work>(
    work: Arc<W>,
    rhythm: Rhythm,
    start: Instant,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let due = |number| start + rhythm.tick(number);
    let mut number = 0_u32;
    // No handle of the task, which would keep its memory until the next one is begun.
    let running = Arc::new(AtomicBool::new(false));
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep_until(due(number)) => {}
        }
        let now = Instant::now();
        let mut passed = 0;
        while due(number + 1 + passed) <= now {
            passed += 1;
        }
        if passed > 0 {
            // In boxes, since thousands of these tasks wait and few ever skip.
            Box::pin(work.skip(tick(due(number)), u64::from(passed), Skipped::Stalled)).await;
            number += passed;
        }
        let this = tick(due(number));
        if running.swap(true, Ordering::AcqRel) {
            Box::pin(work.skip(this, 1, Skipped::Busy)).await;
        } else {
            let ended = Ended(Arc::clone(&running));
            let poll = Arc::clone(&work).poll(this);
            tasks.spawn(async move {
                poll.await;
                drop(ended);
            });
        }
        number += 1;
    }
}

/// Says that the poll has ended, whichever way it did.
struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn tick(due: Instant) -> Tick {
    // By the wall clock of now, which may have been set since the start.
    let ago = Instant::now().saturating_duration_since(due);
    let nanos = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
    Tick { due, scheduled: Timestamp::from_nanos(Timestamp::now().nanos().saturating_sub(nanos)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Notes when it was polled or skipped, and polls as long as it is told.
    struct Noted {
        start: Instant,
        takes: Duration,
        notes: Mutex<Vec<(u128, &'static str, u64)>>,
    }

    impl Noted {
        fn new(takes: Duration) -> Arc<Self> {
            Arc::new(Self { start: Instant::now(), takes, notes: Mutex::default() })
        }

        fn note(&self, tick: Tick, what: &'static str, ticks: u64) {
            let at = tick.due.duration_since(self.start).as_millis();
            self.notes.lock().unwrap().push((at, what, ticks));
        }
    }

    impl Work for Noted {
        async fn poll(self: Arc<Self>, tick: Tick) {
            self.note(tick, "polled", 1);
            tokio::time::sleep(self.takes).await;
        }

        async fn skip(&self, tick: Tick, ticks: u64, why: Skipped) {
            let what = if why == Skipped::Busy { "busy" } else { "stalled" };
            self.note(tick, what, ticks);
        }
    }

    async fn run(
        work: &Arc<Noted>,
        rhythm: Rhythm,
        time: Duration,
    ) -> Vec<(u128, &'static str, u64)> {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let kept = keep(Arc::clone(work), rhythm, work.start, tasks, stop);
        let _elapsed = tokio::time::timeout(time, kept).await;
        work.notes.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn every_tick_is_polled() {
        let work = Noted::new(Duration::from_millis(1));
        let rhythm = Rhythm::new(10 * SECOND, 1, 2, 2);
        let notes = run(&work, rhythm, 31 * SECOND).await;
        let polled = |at| (at, "polled", 1);
        assert_eq!(notes, [polled(2_500), polled(10_000), polled(20_000), polled(30_000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_behind_a_long_poll_are_skipped_one_by_one() {
        let work = Noted::new(Duration::from_millis(2_500));
        let rhythm = Rhythm::new(SECOND, 0, 1, 1);
        let notes = run(&work, rhythm, Duration::from_millis(4_100)).await;
        let expected = [
            (0, "polled", 1),
            (1_000, "busy", 1),
            (2_000, "busy", 1),
            (3_000, "polled", 1),
            (4_000, "busy", 1),
        ];
        assert_eq!(notes, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_that_passed_in_a_stall_are_one() {
        let work = Noted::new(Duration::from_millis(1));
        let rhythm = Rhythm::new(SECOND, 0, 1, 1);
        tokio::time::advance(Duration::from_millis(3_500)).await;
        let notes = run(&work, rhythm, Duration::from_millis(600)).await;
        assert_eq!(notes, [(0, "stalled", 3), (3_000, "polled", 1), (4_000, "polled", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_begun_after_the_stop() {
        let work = Noted::new(SECOND);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        stop.cancel();
        let rhythm = Rhythm::new(SECOND, 0, 1, 1);
        keep(Arc::clone(&work), rhythm, work.start, tasks, stop).await;
        assert!(work.notes.lock().unwrap().is_empty());
    }
}
