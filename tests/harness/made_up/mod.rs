//! Events as a large site makes them, by the million: real types, real sizes, no site behind them.
//!
//! Sessions come and go, but their ids are those of a pool: influxd 1.x refuses a tag with more than
//! 100,000 values, and a site whose backlog is a million events has seen as many sessions as that.

mod patterns;

use std::time::Duration;

use bytes::Bytes;
use shared::broker::Outgoing;
use shared::envelope::{Origin, Unnumbered};
use shared::outbox::Entry;
use shared::timestamp::Timestamp;

use self::patterns::Pattern;

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// As a site makes them: mostly health of 2 to 9 KB, some sessions, app names, failed polls.
    Site,
    /// The same and beats: every kind of event that a writer knows.
    Kinds,
    /// Health alone, of 2 to 9 KB.
    Health,
    /// Sessions alone, eight in each event.
    Sessions,
    /// App names alone, two in each event.
    AppNames,
    /// Beats alone.
    Heartbeats,
    /// Failed polls alone: small, with two points each.
    Small,
    /// The largest that there may be, with many points each.
    Large,
}

/// Makes events, in order of their times, no two of which are alike.
#[derive(Debug)]
pub struct MadeUp {
    origin: Origin,
    patterns: Vec<Pattern>,
    made: u64,
    times: Times,
}

/// When made-up events were, none at the same time as another.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    first: Timestamp,
    apart: Duration,
}

impl Times {
    /// The last hour, for so many events.
    fn of(count: u64) -> Self {
        let hour = Duration::from_hours(1);
        let apart = hour / u32::try_from(count.max(1)).unwrap();
        Self { first: Timestamp::now().minus(hour), apart }
    }

    /// The time of an event, by its number from 0.
    pub fn of_event(self, number: u64) -> Timestamp {
        Timestamp::from_nanos(self.first.nanos() + self.apart() * i64::try_from(number).unwrap())
    }

    /// The number of the event at a time; none when there is none.
    pub fn event_at(self, time: Timestamp) -> Option<u64> {
        let since = u64::try_from(time.nanos() - self.first.nanos()).ok()?;
        let apart = u64::try_from(self.apart()).unwrap();
        since.is_multiple_of(apart).then(|| since / apart)
    }

    fn apart(self) -> i64 {
        i64::try_from(self.apart.as_nanos()).unwrap()
    }
}

impl MadeUp {
    /// `count` events of the last hour.
    pub fn new(mix: Mix, count: u64) -> Self {
        let patterns = patterns::of(mix);
        let origin = Origin::new("collector", "made-up");
        Self { origin, patterns, made: 0, times: Times::of(count) }
    }

    /// When its events are.
    pub fn times(&self) -> Times {
        self.times
    }

    /// The next event for an outbox.
    pub fn entry(&mut self) -> Entry {
        let time = self.times.of_event(self.made);
        let made = usize::try_from(self.made).unwrap();
        self.made += 1;
        let (round, place) = (made / self.patterns.len(), made % self.patterns.len());
        let pattern = &mut self.patterns[place];
        pattern.meet_others(round);
        let event = Unnumbered::encode(&self.origin, &pattern.name, time, &pattern.event).unwrap();
        Entry { subject: pattern.subject.clone(), event }
    }

    /// The next event for a broker.
    pub fn outgoing(&mut self) -> Outgoing {
        let Entry { subject, event } = self.entry();
        let id = event.id().to_string();
        let payload: Bytes = event.numbered(self.made);
        Outgoing { subject, id, payload }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use shared::envelope::Envelope;
    use shared::event::{Event, Kind};

    use super::patterns::{PROXIES, SERVERS, SESSION_IDS};
    use super::*;

    #[test]
    fn sessions_come_and_go_and_their_ids_are_those_of_a_pool() {
        let mut patterns = patterns::of(Mix::Sessions);
        let mut holders = BTreeMap::new();
        for round in 0..6 {
            for pattern in &mut patterns {
                pattern.meet_others(round);
                let Event::Sessions(event) = &pattern.event else { panic!("sessions") };
                for session in &event.sessions {
                    let holder = (event.server.name.clone(), event.virtual_proxy.clone());
                    let before = holders.insert(session.session_id.clone(), holder.clone());
                    assert!(before.is_none_or(|before| before == holder));
                }
            }
        }
        assert_eq!(holders.len(), SESSION_IDS / (SERVERS * PROXIES) * SERVERS * PROXIES);
    }

    #[test]
    fn all_kinds_are_mixed_and_each_event_is_found_by_its_time() {
        let mut made_up = MadeUp::new(Mix::Kinds, 100);
        let (mut kinds, times) = (BTreeSet::new(), made_up.times());
        for number in 0..100 {
            let envelope = Envelope::decode(&made_up.outgoing().payload).unwrap();
            kinds.insert(envelope.event.kind().name());
            assert_eq!(times.event_at(envelope.time), Some(number));
        }
        assert_eq!(kinds.len(), Kind::ALL.len());
        let between = times.of_event(3).plus(Duration::from_nanos(1));
        assert_eq!(times.event_at(between), None);
        assert_eq!(times.event_at(times.of_event(0).minus(Duration::from_secs(1))), None);
    }
}
