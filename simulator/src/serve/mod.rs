//! The sockets of the site: from the listening address to the bytes of an answer.

mod body;
mod connection;
mod faults;
mod listener;
mod stream;

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

pub use body::{HUGE_ANSWER_BYTES, SLOW_DRIP_PAUSE};
pub use listener::MAX_CONNECTIONS;

pub(crate) use listener::Service;

/// What an endpoint saw, whether it answered or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// TCP connections that were accepted.
    pub connections: u64,
    /// TLS handshakes that came to their end.
    pub handshakes: u64,
    /// TLS handshakes that did not, as when a client shows no certificate or refuses the server's.
    pub failed_handshakes: u64,
    /// Requests whose head arrived whole.
    pub requests: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    handshakes: AtomicU64,
    failed_handshakes: AtomicU64,
    requests: AtomicU64,
}

impl Counters {
    fn now(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Traffic {
            connections: read(&self.connections),
            handshakes: read(&self.handshakes),
            failed_handshakes: read(&self.failed_handshakes),
            requests: read(&self.requests),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}
