//! The messages on their way over one connection.
//!
//! The client library tells nobody what became of a publish, so this follows it: messages enter the
//! event loop's queue in the order of a list, each one that leaves it takes the next packet id, and
//! the PUBACK of that id is the confirmation. All of it ends with the connection.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rumqttc::{AsyncClient, QoS};
use tokio::time::Instant;

use super::book::{Book, Message};

/// Messages on their way at once. Small, so that a value that changes meanwhile is sent once.
pub(super) const WINDOW: usize = 32;
/// How long a broker may take to confirm a message before the connection is of no use.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(30);

/// One connection's window.
#[derive(Debug)]
pub(super) struct Line {
    client: AsyncClient,
    /// Handed to the event loop, which has not sent them yet.
    queued: VecDeque<OnItsWay>,
    /// Sent with QoS 1, by packet id.
    sent: BTreeMap<u16, OnItsWay>,
}

#[derive(Debug)]
struct OnItsWay {
    since: Instant,
    /// The topic and the value, when it is kept.
    kept: Option<(String, u64)>,
}

/// What has become of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The broker has it, or a message of QoS 0 has left.
    Published,
    /// Nothing is known yet.
    Waiting,
}

impl Line {
    /// For a connection that has just begun.
    pub(super) fn new(client: AsyncClient) -> Self {
        Self { client, queued: VecDeque::new(), sent: BTreeMap::new() }
    }

    /// Hands in what is due, as far as the window goes.
    pub(super) fn fill(&mut self, book: &mut Book) {
        while self.queued.len() + self.sent.len() < WINDOW {
            let Some(Message { topic, payload, retain, change }) = book.next() else { return };
            let qos = if change.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            let kept = change.map(|change| (topic.clone(), change));
            if self.client.try_publish(topic, qos, retain, payload).is_err() {
                // The event loop is gone, and a new connection begins with everything.
                return;
            }
            self.queued.push_back(OnItsWay { since: Instant::now(), kept });
        }
    }

    /// The event loop has sent the next message; the id of one with QoS 0 is 0.
    pub(super) fn left(&mut self, packet_id: u16) -> Progress {
        let Some(message) = self.queued.pop_front() else { return Progress::Waiting };
        if packet_id == 0 {
            return Progress::Published;
        }
        self.sent.insert(packet_id, message);
        Progress::Waiting
    }

    /// The broker has confirmed a message.
    pub(super) fn confirmed(&mut self, packet_id: u16, book: &mut Book) -> Progress {
        let Some(message) = self.sent.remove(&packet_id) else { return Progress::Waiting };
        if let Some((topic, change)) = message.kept {
            book.confirmed(&topic, change);
        }
        Progress::Published
    }

    /// Whether a confirmation is overdue.
    pub(super) fn is_stuck(&self) -> bool {
        self.sent.values().any(|message| message.since.elapsed() > CONFIRMATION_TIMEOUT)
    }

    /// Asks the broker to end the connection after everything that was handed in.
    pub(super) fn say_goodbye(&self) {
        // A queue that is full belongs to a connection that is stuck; a timeout ends it.
        let _queued = self.client.try_disconnect();
    }
}
