//! The load of every server in the last hour, for the sparklines; it outlives a reload of the page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::timestamp::Timestamp;

use super::state::CpuHistory;

/// Time between two points: a sparkline of an hour has one for every pixel or two.
const STEP: Duration = Duration::from_secs(30);
/// Points of a server: one hour.
const POINTS: usize = 120;

/// What every server's load was. Bounded by [`POINTS`] for each server that is polled.
#[derive(Debug, Default)]
pub(super) struct History {
    servers: Mutex<BTreeMap<String, VecDeque<Point>>>,
}

/// The highest load within a step: a peak is what one looks for.
#[derive(Clone, Copy, Debug)]
struct Point {
    step: i64,
    percent: u16,
}

impl History {
    /// Takes note of a server's load.
    pub(super) fn note(&self, server: &str, time: Timestamp, cpu_percent: f64) {
        let point = Point { step: step(time), percent: whole(cpu_percent) };
        let mut servers = self.servers();
        let points = match servers.get_mut(server) {
            Some(points) => points,
            None => servers.entry(server.to_owned()).or_default(),
        };
        match points.back_mut() {
            Some(last) if last.step == point.step => last.percent = last.percent.max(point.percent),
            // The clock was set back: what was known is of another time.
            Some(last) if last.step > point.step => {
                points.clear();
                points.push_back(point);
            }
            _ => points.push_back(point),
        }
        while points.len() > POINTS {
            points.pop_front();
        }
    }

    /// Forgets all other servers.
    pub(super) fn keep(&self, polled: &BTreeSet<&str>) {
        self.servers().retain(|server, _| polled.contains(server.as_str()));
    }

    /// The last hour of a server; nothing before its first point.
    pub(super) fn of(&self, server: &str, now: Timestamp) -> CpuHistory {
        let last = step(now);
        let begin = last.saturating_sub(i64::try_from(POINTS).unwrap_or(0)).saturating_add(1);
        let servers = self.servers();
        let hour = begin..=last;
        let known =
            servers.get(server).into_iter().flatten().filter(|point| hour.contains(&point.step));
        let mut percent: Vec<Option<u16>> = Vec::new();
        let mut next = None;
        for point in known {
            while next.is_some_and(|next| next < point.step) {
                percent.push(None);
                next = next.map(|next| next + 1);
            }
            percent.push(Some(point.percent));
            next = Some(point.step + 1);
        }
        let silent = next.map_or(0, |next| usize::try_from(last + 1 - next).unwrap_or(0));
        percent.extend(std::iter::repeat_n(None, silent.min(POINTS)));
        CpuHistory { step_s: STEP.as_secs(), percent }
    }

    fn servers(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Point>>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn step(time: Timestamp) -> i64 {
    time.nanos() / i64::try_from(STEP.as_nanos()).unwrap_or(1)
}

/// The nearest whole percentage; what is absurd is the end of the range.
fn whole(percent: f64) -> u16 {
    let clamped = percent.clamp(0.0, 999.0).round();
    let found = Duration::try_from_secs_f64(clamped).unwrap_or_default().as_secs();
    u16::try_from(found).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn the_highest_of_each_step_and_gaps_between() {
        let history = History::default();
        for (second, percent) in [(0, 3.2), (10, 7.6), (20, 5.0), (95, 100.0), (125, 1.4)] {
            history.note("sense1", at(3_000 + second), percent);
        }
        let found = history.of("sense1", at(3_000 + 190));
        assert_eq!(found.step_s, 30);
        assert_eq!(found.percent, [Some(8), None, None, Some(100), Some(1), None, None]);
        assert_eq!(history.of("other", at(3_000)).percent, []);
    }

    #[test]
    fn bounded_by_an_hour_and_by_the_servers_that_are_polled() {
        let history = History::default();
        for second in (0..10_000).step_by(5) {
            history.note("sense1", at(second), 50.0);
        }
        assert_eq!(history.of("sense1", at(9_995)).percent.len(), POINTS);
        assert_eq!(history.servers().values().map(VecDeque::len).sum::<usize>(), POINTS);
        assert_eq!(history.of("sense1", at(9_995 + 3_600)).percent, []);
        history.keep(&BTreeSet::from(["sense2"]));
        assert!(history.servers().is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew_and_absurd_loads_end_at_the_range() {
        let history = History::default();
        history.note("sense1", at(9_000), f64::INFINITY);
        assert_eq!(history.of("sense1", at(9_000)).percent, [Some(999)]);
        history.note("sense1", at(3_000), -4.0);
        assert_eq!(history.of("sense1", at(3_000)).percent, [Some(0)]);
        history.note("sense1", at(3_030), f64::NAN);
        assert_eq!(history.of("sense1", at(3_030)).percent, [Some(0), Some(0)]);
        history.note("sense1", at(9_000_000_000), 1.0);
        assert_eq!(history.of("sense1", at(3_030)).percent, [Some(0), Some(0)]);
    }
}
