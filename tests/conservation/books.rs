//! The books: what the site served against what InfluxDB has, poll by poll.
//!
//! Each poll of any source leaves one point `footman_poll` with the time at which its request was
//! sent, so an answer of the site belongs to the last poll of its endpoint that was sent before it.
//! Each event makes either such a point or a `footman_heartbeat`, so their number is the number of
//! events that were ever appended to the outbox, whatever was sent twice on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::PATIENCE;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use shared::envelope::Envelope;
use simulator::{Endpoint, Site};
use tokio::time::Instant;

use crate::rig::{DATABASE, Rig, outbox_of};

/// Between looks at InfluxDB while something is on its way.
const LOOK: Duration = Duration::from_millis(200);
/// How long a request may be under way before its answer is made: the timeout of a poll.
const UNDER_WAY: i64 = 5_000_000_000;

/// Server, source and virtual proxy.
type EndpointKey = (String, String, String);

/// A poll in InfluxDB.
#[derive(Clone, Debug, PartialEq)]
struct StoredPoll {
    time: i64,
    is_ok: bool,
}

/// What is in InfluxDB.
#[derive(Debug, Default)]
struct Stored {
    polls: BTreeMap<EndpointKey, Vec<StoredPoll>>,
    /// The times of the collector's heartbeats.
    beats: Vec<i64>,
    /// By server and the engine's count of calls: the times under which it is stored.
    health: BTreeMap<(String, i64), BTreeSet<i64>>,
}

/// One comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Books {
    /// Answers of the site.
    pub(crate) served: u64,
    /// Answers that came to a collector which was killed before they were polled, and said so.
    pub(crate) in_hand: u64,
    /// Events that were ever appended to the outbox.
    pub(crate) polled: u64,
    /// Events that InfluxDB has.
    pub(crate) stored: u64,
    /// Events that InfluxDB was given and had already.
    pub(crate) sent_twice: u64,
    /// Answers that are in InfluxDB under two times, and polls that were never made.
    pub(crate) visible_twice: u64,
    /// Ticks that a full outbox did not take, and told of.
    pub(crate) unrecorded: u64,
    /// Answers that are nowhere, and events that were polled and are nowhere.
    pub(crate) lost: u64,
    /// The longest time between two polls of an endpoint that are in InfluxDB.
    pub(crate) longest_gap: Duration,
    /// What is wrong, one by one.
    pub(crate) wrong: Vec<String>,
}

/// What a fault is known to cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The outbox did not take some ticks, and must have told of each.
    pub(crate) outbox_was_full: bool,
}

/// Compares until the books are right, or patience is at an end: events may still be on their way.
pub(crate) async fn balance(rig: &Rig, known: Known) -> Books {
    let deadline = Instant::now() + PATIENCE * 2;
    rig.says("until the books are right");
    loop {
        let books = compare(rig, known).await;
        if (books.lost == 0 && books.visible_twice == 0) || Instant::now() >= deadline {
            return books;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn compare(rig: &Rig, known: Known) -> Books {
    let served = served(&rig.site);
    let stored = stored(&rig.influxd).await;
    let unrecorded = if known.outbox_was_full { told(&rig.influxd).await } else { 0 };
    let mut books = Books {
        polled: appended(rig),
        sent_twice: rig.door.repeated_events(),
        unrecorded,
        ..Books::default()
    };
    let polls: usize = stored.polls.values().map(Vec::len).sum();
    books.stored = (polls + stored.beats.len()) as u64;
    books.lost += books.polled.saturating_sub(books.stored);
    books.visible_twice += books.stored.saturating_sub(books.polled);
    if books.polled != books.stored {
        books.wrong.push(format!("{} events polled, {} stored", books.polled, books.stored));
        books.wrong.extend(not_stored(rig, &stored));
    }
    let (none, mut missing) = (Vec::new(), 0);
    for (key, answers) in &served {
        missing += books.match_polls(key, answers, stored.polls.get(key).unwrap_or(&none));
    }
    books.lost += missing.saturating_sub(unrecorded);
    for (id, times) in &stored.health {
        if times.len() > 1 {
            books.visible_twice += 1;
            books.wrong.push(format!("{id:?} is stored at {times:?}"));
        }
    }
    books
}

impl Books {
    /// Gives every answer of an endpoint the poll that brought it, and counts those without.
    fn match_polls(&mut self, key: &EndpointKey, answers: &[i64], polls: &[StoredPoll]) -> u64 {
        self.served += answers.len() as u64;
        let mut taken = BTreeSet::new();
        let mut missing = 0;
        for answer in answers {
            let before = polls.partition_point(|poll| poll.time <= *answer);
            let asked = before.checked_sub(1).and_then(|at| polls.get(at));
            match asked.filter(|poll| answer - poll.time <= UNDER_WAY && taken.insert(poll.time)) {
                None => {
                    missing += 1;
                    self.wrong.push(format!("{key:?}: the answer at {answer} has no poll"));
                }
                Some(StoredPoll { is_ok: false, .. }) => self.in_hand += 1,
                Some(StoredPoll { is_ok: true, .. }) => {}
            }
        }
        for pair in polls.windows(2) {
            let gap = Duration::from_nanos(u64::try_from(pair[1].time - pair[0].time).unwrap());
            self.longest_gap = self.longest_gap.max(gap);
        }
        missing
    }
}

/// The times of all answers, by endpoint, in order.
fn served(site: &Site) -> BTreeMap<EndpointKey, Vec<i64>> {
    let mut served: BTreeMap<EndpointKey, Vec<i64>> = BTreeMap::new();
    for entry in site.ledger().entries() {
        let server = &site.servers()[entry.server];
        let virtual_proxy = entry.virtual_proxy.as_deref().unwrap_or_default();
        let key = match entry.endpoint {
            Endpoint::Engine => (server.name().to_owned(), "health", ""),
            Endpoint::Proxy => (server.name().to_owned(), "sessions", virtual_proxy),
            Endpoint::Repository => {
                let (address, _port) = entry.host.rsplit_once(':').unwrap();
                (address.to_owned(), "app-names", "")
            }
        };
        let (name, source, virtual_proxy) = key;
        let key = (name, source.to_owned(), virtual_proxy.to_owned());
        served.entry(key).or_default().push(i64::try_from(entry.time_ns).unwrap());
    }
    for times in served.values_mut() {
        times.sort_unstable();
    }
    served
}

async fn stored(influxd: &Influxd) -> Stored {
    let mut stored = Stored::default();
    let polls = "SELECT ok, server_name, source, virtual_proxy FROM footman_poll";
    for row in influxd.rows(DATABASE, polls).await {
        let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let key = (text("server_name"), text("source"), text("virtual_proxy"));
        let poll = StoredPoll { time: time(&row), is_ok: row["ok"].as_bool().unwrap() };
        stored.polls.entry(key).or_default().push(poll);
    }
    stored.polls.values_mut().for_each(|polls| polls.sort_by_key(|poll| poll.time));
    let beats = "SELECT uptime_s FROM footman_heartbeat WHERE process = 'collector' OR \
                 process = 'footman'";
    stored.beats = influxd.rows(DATABASE, beats).await.iter().map(time).collect();
    for row in influxd.rows(DATABASE, "SELECT calls, server_name FROM apps").await {
        let id = (row["server_name"].as_str().unwrap().to_owned(), row["calls"].as_i64().unwrap());
        stored.health.entry(id).or_default().insert(time(&row));
    }
    stored
}

/// Ticks that `outbox_full` told of.
async fn told(influxd: &Influxd) -> u64 {
    let told = "SELECT error_count, error_category FROM butler_sos_errors";
    let rows = influxd.rows(DATABASE, told).await;
    let full = rows.iter().filter(|row| row["error_category"] == "outbox_full");
    full.map(|row| row["error_count"].as_u64().unwrap()).sum()
}

fn time(row: &Value) -> i64 {
    row["time"].as_i64().unwrap()
}

/// The events that the outbox still has, settled or not, and InfluxDB does not: for whoever has to
/// find out why.
fn not_stored(rig: &Rig, stored: &Stored) -> Vec<String> {
    let polls = stored.polls.values().flatten().map(|poll| poll.time);
    let times: BTreeSet<i64> = polls.chain(stored.beats.iter().copied()).collect();
    let outbox = Connection::open_with_flags(outbox_of(rig), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let outbox = outbox.unwrap();
    let mut events = outbox.prepare("SELECT position, payload FROM events").unwrap();
    let events = events
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .unwrap()
        .map(|row| row.unwrap());
    events
        .filter_map(|(position, payload)| {
            let envelope = Envelope::decode(&payload).unwrap();
            let is_stored = times.contains(&envelope.time.nanos());
            (!is_stored).then(|| {
                format!("not stored: {} at {position}, {:?}", envelope.id, envelope.event.kind())
            })
        })
        .collect()
}

/// Events ever appended to the outbox, by its own count, which outlives them.
fn appended(rig: &Rig) -> u64 {
    let outbox = Connection::open_with_flags(outbox_of(rig), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let appended = outbox.unwrap().query_row(
        // What still waits, such as a last heartbeat, is held and neither lost nor stored.
        "SELECT seq - (SELECT count(*) FROM events WHERE position > (SELECT settled FROM progress))
         FROM sqlite_sequence WHERE name = 'events'",
        [],
        |row| row.get::<_, i64>(0),
    );
    u64::try_from(appended.unwrap()).unwrap()
}
