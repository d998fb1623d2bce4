//! The names and settings of the streams and the consumer: the promise to whoever looks at the
//! server with other tools.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};

use super::settings::NatsSettings;
use crate::config;
use crate::event::Kind;
use crate::subject::Token;

/// Where dead letters are put back for consumers, beside the kinds of events.
const REPLAY: &str = "replay";
const DEAD_LETTERS: &str = "dead-letters";
const VERSION: &str = "v1";
/// The stream of dead letters is named after that of the events.
const DEAD_SUFFIX: &str = "_DEAD";
/// How long the server recognises a repeated message id: it covers a publisher that lost the
/// connection before the confirmation came.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// Neither messages nor anything else is counted: bytes and age are the limits.
const UNLIMITED: i64 = -1;
/// Deliveries of all members of a group that may be unacked. The server counts them for the group
/// as a whole, so a member's window here would let one that waits for its InfluxDB starve the
/// others. Each member bounds itself; this is sixteen of the largest windows.
const MAX_ACK_PENDING: i64 = 16 * 65_536;

/// The names and settings.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The topic prefix in the form of NATS.
    prefix: String,
    /// The stream of events.
    pub(super) stream: String,
    /// The stream of dead letters.
    pub(super) dead_stream: String,
    max_bytes: u64,
    max_age: Duration,
    replicas: usize,
    /// How much the dead letters may take.
    pub(super) dead_letters_max_bytes: u64,
    ack_wait: Duration,
}

impl Layout {
    pub(super) fn new(config: &config::Nats, settings: &NatsSettings) -> Self {
        Self {
            prefix: settings.topic_prefix.replace('/', "."),
            stream: config.stream.clone(),
            dead_stream: format!("{}{DEAD_SUFFIX}", config.stream),
            max_bytes: config.max_bytes,
            max_age: config.max_age,
            replicas: config.replicas,
            dead_letters_max_bytes: settings.dead_letters_max_bytes,
            ack_wait: settings.timing.ack_wait,
        }
    }

    /// The stream of events: what is acked is deleted, and what does not fit is refused.
    pub(super) fn events(&self) -> stream::Config {
        let kinds = Kind::ALL.iter().map(|kind| kind.name()).chain([REPLAY]);
        stream::Config {
            name: self.stream.clone(),
            subjects: kinds.map(|kind| format!("{}.{VERSION}.{kind}.>", self.prefix)).collect(),
            retention: RetentionPolicy::WorkQueue,
            max_bytes: signed(self.max_bytes),
            max_age: self.max_age,
            // The server refuses a window that is longer than the age.
            duplicate_window: DUPLICATE_WINDOW.min(self.max_age),
            ..self.common()
        }
    }

    /// The stream of dead letters: one for each event, for as long as nobody removes it.
    pub(super) fn dead_letters(&self) -> stream::Config {
        stream::Config {
            name: self.dead_stream.clone(),
            subjects: vec![format!("{}.{VERSION}.{DEAD_LETTERS}.>", self.prefix)],
            retention: RetentionPolicy::Limits,
            max_bytes: signed(self.dead_letters_max_bytes),
            max_messages_per_subject: 1,
            duplicate_window: DUPLICATE_WINDOW,
            ..self.common()
        }
    }

    fn common(&self) -> stream::Config {
        stream::Config {
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: self.replicas,
            max_messages: UNLIMITED,
            max_messages_per_subject: UNLIMITED,
            max_message_size: -1,
            max_consumers: -1,
            ..stream::Config::default()
        }
    }

    /// The consumer of a group. No filter: the stream has one group, and a 2.9 server answers to a
    /// list of filters as if it obeyed, and delivers everything.
    pub(super) fn consumer(&self, group: &str) -> pull::Config {
        pull::Config {
            durable_name: Some(group.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_deliver: UNLIMITED,
            max_ack_pending: MAX_ACK_PENDING,
            ..pull::Config::default()
        }
    }

    /// All events of a kind.
    pub(super) fn all_of(&self, kind: Kind) -> String {
        format!("{}.{VERSION}.{}.>", self.prefix, kind.name())
    }

    /// Where a group's dead letters lie.
    pub(super) fn dead_letters_of(&self, group: &Token) -> String {
        format!("{}.{VERSION}.{DEAD_LETTERS}.{group}", self.prefix)
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
