//! What the driver is told beside `broker.nats`, and its timing.

use std::time::Duration;

/// The server gives a delivery to another consumer after this silence.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Three signs of life fit into [`ACK_WAIT`], so that two may get lost.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// A fetch ends after this time, whether anything came or not: it bounds how long a server that
/// forgot about it goes unnoticed.
const FETCH_EXPIRY: Duration = Duration::from_secs(10);
/// What a server may take to say that a fetch has ended, before it is taken to be forgotten.
const FETCH_GRACE: Duration = Duration::from_secs(5);
/// The server's answer to a publish or to a question about a stream.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Rests between attempts at what the server refuses: an operator is on the way.
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// How old the number of waiting events may be.
const BACKLOG_EVERY: Duration = Duration::from_secs(5);

/// What the driver is told beside `broker.nats`.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// The program's name, which the server's monitoring shows, e.g. `writer host1`.
    pub name: String,
    /// `broker.topicPrefix`.
    pub topic_prefix: String,
    /// `broker.deadLetters.maxBytes`.
    pub dead_letters_max_bytes: u64,
    /// Shortened by tests alone.
    pub timing: Timing,
}

/// How long things take at most. The default is what production uses.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The silence after which the server delivers again.
    pub ack_wait: Duration,
    /// How often the server is told that a delivery is in hand.
    pub progress_every: Duration,
    /// How long a fetch waits at the server.
    pub fetch_expiry: Duration,
    /// How much longer it may be silent.
    pub fetch_grace: Duration,
    /// How long an answer of the server may take.
    pub answer_wait: Duration,
    /// How long to rest after the server refused something.
    pub retry_every: Duration,
    /// How often the backlog is asked for.
    pub backlog_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ack_wait: ACK_WAIT,
            progress_every: PROGRESS_EVERY,
            fetch_expiry: FETCH_EXPIRY,
            fetch_grace: FETCH_GRACE,
            answer_wait: ANSWER_WAIT,
            retry_every: RETRY_EVERY,
            backlog_every: BACKLOG_EVERY,
        }
    }
}
