//! One fetch after another: what is asked of the server, and how it says that a fetch has ended.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::{Message, StatusCode, Subject as Inbox};
use tokio::time::Instant;

/// Deliveries of one fetch. Enough that the way to the server and back does not count, and few
/// enough that the members of a group share what waits.
const MOST_DELIVERIES: usize = 1_000;
/// Bytes of one fetch: with few but large events, what is in memory beyond the caller's window.
const MOST_BYTES: usize = 4 << 20;

/// A fetch that is open at the server.
#[derive(Debug)]
pub(super) struct Fetch {
    inbox: Inbox,
    outstanding: usize,
    received: usize,
    /// When a silent server is taken to have forgotten it.
    pub(super) deadline: Instant,
    silence: Duration,
}

/// What an ended fetch means for the next one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It goes on with another one.
    Over,
    /// Its first event is larger than a fetch may be: the next one must take it alone.
    TooLarge,
    /// The consumer at the server has to be looked at.
    Gone(String),
    /// The server wants a rest.
    Refused(String),
}

impl Fetch {
    /// A fetch of what is wanted, and how it is asked for. `alone` takes one event of any size.
    pub(super) fn new(
        inbox: Inbox,
        wanted: usize,
        alone: bool,
        expiry: Duration,
        grace: Duration,
    ) -> (Self, BatchConfig) {
        let batch = if alone { 1 } else { wanted.min(MOST_DELIVERIES) };
        let request = BatchConfig {
            batch,
            expires: Some(expiry),
            max_bytes: if alone { 0 } else { MOST_BYTES },
            ..BatchConfig::default()
        };
        let silence = expiry + grace;
        let deadline = Instant::now() + silence;
        (Self { inbox, outstanding: batch, received: 0, deadline, silence }, request)
    }

    /// Counts deliveries. True when nothing more will come.
    pub(super) fn count(&mut self, deliveries: usize) -> bool {
        self.received += deliveries;
        self.outstanding = self.outstanding.saturating_sub(deliveries);
        self.deadline = Instant::now() + self.silence;
        self.outstanding == 0
    }

    /// What a message without a delivery says about this fetch, if it is about this one.
    pub(super) fn ended_by(&self, message: &Message) -> Option<Ended> {
        if message.subject != self.inbox {
            return None;
        }
        let words = message.description.as_deref().unwrap_or_default();
        match message.status? {
            StatusCode::IDLE_HEARTBEAT => None,
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => Some(Ended::Over),
            StatusCode::NO_RESPONDERS => {
                Some(Ended::Gone("the server does not know it".to_owned()))
            }
            StatusCode::REQUEST_TERMINATED => Some(self.terminated(words)),
            status => Some(Ended::Refused(format!("{status} {words}"))),
        }
    }

    fn terminated(&self, words: &str) -> Ended {
        let lower = words.to_ascii_lowercase();
        if lower.contains("maxbytes") {
            if self.received == 0 { Ended::TooLarge } else { Ended::Over }
        } else if lower.contains("deleted") || lower.contains("push based") {
            Ended::Gone(words.to_owned())
        } else {
            Ended::Refused(words.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(wanted: usize) -> Fetch {
        let inbox = Inbox::from("_INBOX.a.1");
        let second = Duration::from_secs(1);
        Fetch::new(inbox, wanted, false, second, second).0
    }

    fn status(subject: &str, status: StatusCode, words: &str) -> Message {
        Message {
            subject: Inbox::from(subject),
            reply: None,
            payload: bytes::Bytes::new(),
            headers: None,
            status: Some(status),
            description: Some(words.to_owned()),
            length: 0,
        }
    }

    #[tokio::test]
    async fn ends_when_everything_has_come() {
        let mut fetch = fetch(3);
        assert!(!fetch.count(2));
        assert!(fetch.count(1));
        let two = fetch_request(usize::MAX, false);
        assert_eq!((two.batch, two.max_bytes), (MOST_DELIVERIES, MOST_BYTES));
        let alone = fetch_request(10, true);
        assert_eq!((alone.batch, alone.max_bytes), (1, 0));
    }

    fn fetch_request(wanted: usize, alone: bool) -> BatchConfig {
        let second = Duration::from_secs(1);
        Fetch::new(Inbox::from("_INBOX.a.1"), wanted, alone, second, second).1
    }

    #[tokio::test]
    async fn tells_ends_apart() {
        let mut fetch = fetch(3);
        let conflict = StatusCode::REQUEST_TERMINATED;
        let ended = |fetch: &Fetch, code, words| fetch.ended_by(&status("_INBOX.a.1", code, words));
        assert_eq!(ended(&fetch, StatusCode::TIMEOUT, "Request Timeout"), Some(Ended::Over));
        assert_eq!(ended(&fetch, StatusCode::IDLE_HEARTBEAT, ""), None);
        let too_large = "Message Size Exceeds MaxBytes";
        assert_eq!(ended(&fetch, conflict, too_large), Some(Ended::TooLarge));
        let gone = ended(&fetch, conflict, "Consumer Deleted");
        assert!(matches!(gone, Some(Ended::Gone(_))));
        let refused = ended(&fetch, conflict, "Leadership Change");
        assert!(matches!(refused, Some(Ended::Refused(_))));
        fetch.count(1);
        assert_eq!(ended(&fetch, conflict, too_large), Some(Ended::Over));
        let other = fetch.ended_by(&status("_INBOX.a.0", StatusCode::TIMEOUT, ""));
        assert_eq!(other, None);
    }
}
