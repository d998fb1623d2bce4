//! What InfluxDB has, compared with what was made: each event makes one point of its own, at its
//! time, and no two events are at the same time.

use std::collections::BTreeSet;

use integration_tests::backlog::Made;
use integration_tests::influxd::Influxd;
use shared::timestamp::Timestamp;

use super::config::DATABASE;

/// Events that are asked for at once.
const AT_ONCE: u64 = 20_000;
/// The measurements of which each event makes one point, a field of each, and which points of it are
/// of made-up events: the programs have hearts of their own.
const ONE_EACH: [(&str, &str, &str); 2] =
    [("footman_poll", "ok", ""), ("footman_heartbeat", "honest", "instance =~ /^made-up-/ AND ")];

/// The difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Events without their point.
    pub(crate) lost: u64,
    /// Points beside those of the events.
    pub(crate) doubled: u64,
}

/// Compares.
pub(crate) async fn compare(influxd: &Influxd, made: &Made) -> Found {
    let mut found = Found::default();
    let mut first = 0;
    while first < made.events {
        let end = made.events.min(first + AT_ONCE);
        let (from, to) = (made.times.of_event(first), made.times.of_event(end));
        let mut events = BTreeSet::new();
        let mut points = 0;
        for time in times(influxd, from, to).await {
            points += 1;
            events.extend(made.times.event_at(time).filter(|event| (first..end).contains(event)));
        }
        let stored = events.len() as u64;
        found.lost += end - first - stored;
        found.doubled += points - stored;
        first = end;
    }
    found
}

/// The times of such points from `from` on and before `to`.
async fn times(influxd: &Influxd, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let mut times = Vec::new();
    let (from, to) = (from.nanos(), to.nanos());
    for (measurement, field, further) in ONE_EACH {
        let query = format!(
            "SELECT \"{field}\" FROM \"{measurement}\" WHERE {further}time >= {from} AND time < {to}"
        );
        let rows = influxd.rows(DATABASE, &query).await;
        times.extend(rows.iter().filter_map(|row| row["time"].as_i64()).map(Timestamp::from_nanos));
    }
    times
}
