//! The promise in force: what becomes of polled events in each kind of trouble, computed from what
//! was seen. Pure.

mod words;

use std::time::Duration;

pub(crate) use words::promise;

/// What an event has beside the answer that it was made of: envelope, server, poll, page overhead.
const ENVELOPE_BYTES: u64 = 1_200;
/// What the programs say of themselves: two beats a minute of about so many bytes each.
const BEATS_PER_DAY: u64 = 2 * 2 * 60 * 24;
const BEAT_BYTES: u64 = 2_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// How much is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    bytes_per_day: u64,
}

impl Rate {
    /// That of answers of a size, at an interval.
    pub(crate) fn of(bytes: usize, interval: Duration) -> Self {
        let each = (bytes as u64).saturating_add(ENVELOPE_BYTES);
        let seconds = interval.as_secs_f64().max(0.001);
        let times = Duration::from_secs(SECONDS_PER_DAY).as_secs_f64() / seconds;
        let bytes = Duration::try_from_secs_f64(times).map_or(u64::MAX, |times| times.as_secs());
        Self { bytes_per_day: each.saturating_mul(bytes) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.bytes_per_day = self.bytes_per_day.saturating_add(other.bytes_per_day);
    }

    fn with_beats(self) -> u64 {
        self.bytes_per_day.saturating_add(BEATS_PER_DAY * BEAT_BYTES)
    }

    /// How long it takes to fill so many bytes; none when nothing is known to be polled.
    pub(super) fn fills(self, bytes: u64) -> Option<Duration> {
        if self.bytes_per_day == 0 {
            return None;
        }
        let days = bytes as f64 / self.with_beats() as f64;
        Duration::try_from_secs_f64(days * Duration::from_secs(SECONDS_PER_DAY).as_secs_f64()).ok()
    }
}

/// What was seen of the broker.
#[derive(Clone, Debug)]
pub(crate) enum BrokerSeen {
    Embedded(EmbeddedSeen),
    /// None when the server let nobody in.
    Nats(Option<NatsSeen>),
    /// None when the broker let nobody in.
    Mqtt(Option<MqttSeen>),
}

/// The queue on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmbeddedSeen {
    pub(crate) max_bytes: u64,
    pub(crate) max_age: Duration,
    pub(crate) used: u64,
    pub(crate) free: Option<u64>,
}

/// What NATS has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NatsSeen {
    /// None when it is not there, or not seen.
    pub(crate) stream: Option<StreamSeen>,
}

/// The stream of events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamSeen {
    pub(crate) on_disk: bool,
    pub(crate) replicas: usize,
    pub(crate) refuses_when_full: bool,
    pub(crate) work_queue: bool,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) bytes: u64,
}

/// What the MQTT broker has.
#[derive(Clone, Debug)]
pub(crate) struct MqttSeen {
    pub(crate) groups_without_slots: Vec<String>,
}

/// What the promise is computed from.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) broker: BrokerSeen,
    pub(crate) rate: Rate,
    /// Bytes that the disk of the outbox has free.
    pub(crate) outbox_free: Option<u64>,
    /// Bytes that the outbox has.
    pub(crate) outbox_used: u64,
}

#[cfg(test)]
mod tests;
