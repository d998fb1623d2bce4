//! When an endpoint is polled: its place in the first round, and its fixed place in every interval.
//!
//! The first round comes soon, so that a new collector shows something; the rounds after it are
//! spread over the whole interval. No gap between two ticks is longer than the interval, and none
//! is shorter than the first round.

use std::time::Duration;

/// Longest first round, unless there are too many handshakes for it.
const FIRST_ROUND: Duration = Duration::from_secs(5);
/// New connections each second: one costs about two milliseconds of processor time on our side,
/// most of it for the signature with the client key.
const HANDSHAKES_PER_SECOND: usize = 200;

/// The ticks of one endpoint, as time since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    first: Duration,
    second: Duration,
    interval: Duration,
}

impl Rhythm {
    /// The rhythm of the endpoint at `index` of the `total` that share an interval, when
    /// `connections` are to be made in the first round.
    pub(crate) fn new(interval: Duration, index: usize, total: usize, connections: usize) -> Self {
        let place = index as f64 / total.max(1) as f64;
        let handshakes = Duration::from_secs_f64(connections as f64 / HANDSHAKES_PER_SECOND as f64);
        let window = FIRST_ROUND.min(interval).max(handshakes);
        let (first, second) = if window <= interval {
            (window.mul_f64(place), window + interval.mul_f64(place))
        } else {
            // Early endpoints are polled again while late ones still wait for their first poll.
            // Every one begins at its fixed place, some intervals later than the first.
            let rounds = window.as_nanos().div_ceil(interval.as_nanos().max(1));
            let round = u32::try_from(index as u128 % rounds).unwrap_or(0);
            let first = interval.mul_f64(place) + interval.saturating_mul(round);
            (first, first + interval)
        };
        Self { first, second, interval }
    }

    /// The tick of that number, from 0.
    pub(crate) fn tick(&self, number: u32) -> Duration {
        match number.checked_sub(1) {
            None => self.first,
            Some(later) => self.second.saturating_add(self.interval.saturating_mul(later)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ROUNDING: Duration = Duration::from_nanos(10);

    #[test]
    fn twenty_servers() {
        let rhythm = |index| Rhythm::new(30 * SECOND, index, 20, 40);
        assert_eq!(rhythm(0).tick(0), Duration::ZERO);
        assert_eq!(rhythm(0).tick(1), 5 * SECOND);
        assert_eq!(rhythm(0).tick(2), 35 * SECOND);
        assert_eq!(rhythm(10).tick(0), Duration::from_millis(2_500));
        assert_eq!(rhythm(10).tick(1), 20 * SECOND);
        assert_eq!(rhythm(19).tick(3), 35 * SECOND + Duration::from_millis(58_500));
    }

    #[test]
    fn thousands_of_servers_are_connected_in_turn() {
        let first = |index| Rhythm::new(10 * SECOND, index, 2_000, 4_000).tick(0);
        assert_eq!(first(0), Duration::ZERO);
        assert_eq!(first(1), 10 * SECOND + Duration::from_millis(5));
        assert_eq!(first(1_000), 5 * SECOND);
        assert_eq!(first(1_999), 10 * SECOND + Duration::from_millis(9_995));
        let rhythm = Rhythm::new(10 * SECOND, 1_999, 2_000, 4_000);
        assert_eq!(rhythm.tick(1), rhythm.tick(0) + 10 * SECOND);
    }

    #[test]
    fn virtual_proxies_of_one_server_are_never_polled_at_the_same_moment() {
        for servers in [1, 20, 500, 1_001, 2_000] {
            let phase = |index| {
                let rhythm = Rhythm::new(5 * SECOND, index, 2 * servers, 2 * servers);
                rhythm.tick(3).as_millis() % 5_000
            };
            for server in [0, servers / 2, servers - 1] {
                let apart = phase(server).abs_diff(phase(servers + server));
                assert_eq!(apart, 2_500, "{server} of {servers}");
            }
        }
    }

    proptest! {
        #[test]
        fn gaps_are_never_longer_than_the_interval(
            interval in 1..100_000_u64,
            total in 1..6_000_usize,
            index in 0..6_000_usize,
        ) {
            let interval = Duration::from_millis(interval);
            let rhythm = Rhythm::new(interval, index % total, total, total);
            for number in 0..4 {
                let gap = rhythm.tick(number + 1).checked_sub(rhythm.tick(number)).unwrap();
                prop_assert!(gap <= interval + ROUNDING, "{gap:?}");
                prop_assert!(gap + ROUNDING >= interval.min(FIRST_ROUND), "{gap:?}");
            }
        }

        #[test]
        fn no_more_connections_a_second_than_bearable(total in 1..6_000_usize, second in 0..40_u64) {
            let begins = Duration::from_secs(second);
            let first_ticks = (0..total)
                .map(|index| Rhythm::new(10 * SECOND, index, total, total).tick(0))
                .filter(|tick| *tick >= begins && *tick < begins + SECOND)
                .count();
            let allowed = if total <= 1_000 { total.div_ceil(5) } else { HANDSHAKES_PER_SECOND } + 1;
            prop_assert!(first_ticks <= allowed, "{first_ticks}");
        }
    }
}
