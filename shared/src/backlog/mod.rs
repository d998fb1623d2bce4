//! How a backlog drains: what waits, how fast it leaves, how long that will take.
//!
//! Pure: whoever watches a queue hands in what it sees, with the time. Not every broker can tell
//! what waits; then the age of what leaves says how far behind it is, and its shrinking how long
//! that will last.

mod words;

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// Rates are taken over this time at most: requests come in bursts.
const WINDOW: Duration = Duration::from_secs(20);
/// Rates are taken over this time at least: a broker tells each few seconds what waits.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Time between two lines about the same backlog.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// Fewer events are no backlog, however slowly they leave.
const LEAST_EVENTS: u64 = 1_000;
/// What leaves within this is no backlog, however much it is.
const LEAST_TIME: Duration = Duration::from_secs(5);
/// Where nobody knows what waits: events that are older are behind.
const LEAST_AGE: Duration = Duration::from_secs(30);
/// What becomes younger more slowly than this share of the time that passes is not being caught up
/// with: a clock that is wrong looks like that.
const LEAST_SHRINKING: f64 = 0.1;

/// Which queue has a backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// What waits to be stored.
    Broker,
    /// What waits to be published to a broker.
    Outbox,
}

/// What is seen of a queue at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Events that wait, where the broker can tell.
    pub waiting: Option<u64>,
    /// Events that have left since the start.
    pub left: u64,
    /// Age of the oldest event in hand, since its poll; none where nobody looks at that.
    pub age: Option<Duration>,
}

/// A queue as `/readyz` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    /// Events that wait, where the broker can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Events that leave each second.
    pub per_second: f64,
    /// Time until nothing waits, at the present rate; none while it does not become less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Age of the oldest event in hand, since its poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
}

/// Something to say about a backlog; shown as a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// It becomes less, or not.
    Draining(Queue, Backlog),
    /// It is gone.
    Drained {
        /// Of which queue.
        queue: Queue,
        /// What has left meanwhile.
        events: u64,
        /// How long that took.
        took: Duration,
    },
}

/// Watches one queue.
#[derive(Debug)]
pub struct Watch {
    queue: Queue,
    seen: VecDeque<Seen>,
    draining: Option<Draining>,
}

#[derive(Clone, Copy, Debug)]
struct Draining {
    since: Instant,
    left_before: u64,
    last_line: Option<Instant>,
}

impl Watch {
    /// Nothing was seen yet.
    pub fn new(queue: Queue) -> Self {
        Self { queue, seen: VecDeque::new(), draining: None }
    }

    /// Takes note of what is seen; gives what is worth a line now.
    pub fn see(&mut self, seen: Seen) -> Option<Progress> {
        self.seen.push_back(seen);
        // One that is older than the window stays, so that the rates have all of it.
        while self.seen.get(1).is_some_and(|second| seen.at - second.at >= WINDOW) {
            self.seen.pop_front();
        }
        let backlog = self.backlog();
        let Some(draining) = self.draining else {
            if self.span() >= FIRST_LOOK && is_backlog(&backlog, self.shrinking()) {
                let first = self.seen.front().copied().unwrap_or(seen);
                self.draining =
                    Some(Draining { since: first.at, left_before: first.left, last_line: None });
                return self.line(seen.at, backlog);
            }
            return None;
        };
        if is_gone(&backlog) {
            self.draining = None;
            let events = seen.left.saturating_sub(draining.left_before);
            let took = seen.at - draining.since;
            return Some(Progress::Drained { queue: self.queue, events, took });
        }
        self.line(seen.at, backlog)
    }

    /// The queue as it is.
    pub fn backlog(&self) -> Backlog {
        let Some(last) = self.seen.back() else { return Backlog::default() };
        let shrinking = self.shrinking();
        let leaving = self.leaving();
        // Others may take from the same queue.
        let per_second = if last.waiting.is_some() { leaving.max(shrinking) } else { leaving };
        let amount = match last.waiting {
            Some(waiting) => waiting as f64,
            None => last.age.unwrap_or_default().as_secs_f64(),
        };
        let left = Duration::try_from_secs_f64((amount / shrinking).round());
        let seconds_left = left.ok().filter(|_| shrinking > 0.0 && amount > 0.0);
        Backlog {
            waiting: last.waiting,
            per_second: (per_second * 10.0).round() / 10.0,
            seconds_left: seconds_left.map(|left| left.as_secs()),
            age_seconds: last.age.map(|age| (age.as_secs_f64() * 10.0).round() / 10.0),
        }
    }

    /// What leaves less what comes, since that began: events each second, or seconds of age.
    fn shrinking(&self) -> f64 {
        let Some(last) = self.seen.back() else { return 0.0 };
        let amount = |seen: &Seen| match last.waiting {
            Some(_) => seen.waiting.map(|waiting| waiting as f64),
            None => seen.age.map(|age| age.as_secs_f64()),
        };
        let known = self.seen.iter().filter_map(|seen| Some((seen.at, amount(seen)?)));
        // Of equal ones the latest: until then it did not shrink.
        let most = known.max_by(|(_, one), (_, other)| one.total_cmp(other));
        match (most, amount(last)) {
            (Some((since, most)), Some(now)) => (most - now) / seconds(last.at - since),
            _ => 0.0,
        }
    }

    /// What leaves each second, since the first of it left.
    fn leaving(&self) -> f64 {
        let (Some(first), Some(last)) = (self.seen.front(), self.seen.back()) else { return 0.0 };
        let still = self.seen.iter().take_while(|seen| seen.left == first.left).last();
        let since = still.map_or(first.at, |still| still.at);
        last.left.saturating_sub(first.left) as f64 / seconds(last.at - since)
    }

    fn span(&self) -> Duration {
        match (self.seen.front(), self.seen.back()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => Duration::ZERO,
        }
    }

    fn line(&mut self, now: Instant, backlog: Backlog) -> Option<Progress> {
        let draining = self.draining.as_mut()?;
        let is_due = draining.last_line.is_none_or(|last| now - last >= BETWEEN_LINES);
        // While nothing leaves, others say why.
        if !is_due || backlog.per_second <= 0.0 {
            return None;
        }
        draining.last_line = Some(now);
        Some(Progress::Draining(self.queue, backlog))
    }
}

/// What a rate is taken over, in seconds: a broker's news may be as old as [`FIRST_LOOK`].
fn seconds(span: Duration) -> f64 {
    span.max(FIRST_LOOK).as_secs_f64()
}

/// Whether a queue has more than comes and goes at any time, and is being drained.
fn is_backlog(backlog: &Backlog, shrinking: f64) -> bool {
    let Backlog { waiting, per_second, age_seconds, .. } = *backlog;
    match (waiting, age_seconds) {
        _ if per_second <= 0.0 => false,
        (Some(waiting), _) => {
            waiting >= LEAST_EVENTS && waiting as f64 >= per_second * LEAST_TIME.as_secs_f64()
        }
        (None, Some(age)) => age >= LEAST_AGE.as_secs_f64() && shrinking >= LEAST_SHRINKING,
        (None, None) => false,
    }
}

/// Whether nothing is left of a backlog but what comes and goes at any time.
fn is_gone(backlog: &Backlog) -> bool {
    match (backlog.waiting, backlog.age_seconds) {
        (Some(waiting), _) => waiting < LEAST_EVENTS || (waiting as f64) < backlog.per_second,
        (None, Some(age)) => age < LEAST_AGE.as_secs_f64() / 2.0,
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests;
