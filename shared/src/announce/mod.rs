//! Announcements: retained messages for whoever subscribes, kept true through every restart of the
//! broker.
//!
//! Events go through the outbox and the drivers of `broker`, and none is lost. Here it is the latest
//! value that counts: whatever the broker forgot is published again, what was replaced never is.
//! MQTT 3.1.1, since nats-server's listener and old brokers speak nothing newer.
//!
//! ```text
//! keep, clear, tell ──► Book (what is due) ──► Line (one connection, a window) ──► broker
//! heard ◄────────────── Inbox ◄──────────────────────┘
//! ```

mod book;
mod client;
mod failure;
mod inbox;
mod line;
mod standing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::Tls;
use crate::secret::Secret;
use book::{Book, NotTaken};
use client::Client;
use inbox::Inbox;
use line::Line;
use standing::Teller;
pub use standing::{Counts, Standing};

/// How long a broker may take to confirm the last messages of a program that ends.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long the broker may take to close a connection that we ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Which broker, as whom, and what for.
#[derive(Clone, Debug)]
pub struct AnnouncerSettings {
    /// What is announced, for the log and the readiness page: `state topics`.
    pub name: &'static str,
    /// The configuration's section that has `username`, `password` and `tls`, for errors:
    /// `broker.mqtt`.
    pub section: &'static str,
    /// Where the broker is.
    pub address: Address,
    /// Who we are; nobody when none.
    pub username: Option<String>,
    /// How we prove it; asked for anew with each connection.
    pub password: Option<Secret>,
    /// The files of TLS, looked at with each handshake.
    pub tls: Tls,
    /// Unlike that of any other client of the broker.
    pub client_id: String,
    /// What the broker says about us when we come, leave, or are gone.
    pub will: Option<Will>,
    /// Filters of what is to be heard.
    pub listens_to: Vec<String>,
}

/// Where a broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its host name or IP address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub is_tls: bool,
}

/// A retained message about us: kept while we are connected, and the broker's last word when we
/// are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What it says while we are connected.
    pub online: Bytes,
    /// What it says otherwise.
    pub offline: Bytes,
}

/// One connection that keeps a set of retained messages true. Dropping it drops the connection
/// without a goodbye, and the broker says that we are offline.
#[derive(Debug)]
pub struct Announcer {
    shared: Arc<Shared>,
    closing: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// What callers and the client's task have in common.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    inbox: Inbox,
    teller: Teller,
    will: Option<Will>,
    /// Whether the broker has all that it is to retain.
    is_true: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    book: Book,
    line: Option<Line>,
}

impl Announcer {
    /// Starts to connect, and goes on for as long as it lives.
    pub fn start(settings: AnnouncerSettings) -> Self {
        let closing = CancellationToken::new();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            inbox: Inbox::default(),
            teller: Teller::new(settings.name),
            will: settings.will.clone(),
            is_true: watch::Sender::new(true),
        });
        if let Some(Will { topic, online, .. }) = settings.will.clone() {
            shared.change(|book| book.keep(topic, online));
        }
        let client = Client::new(settings, Arc::clone(&shared), closing.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(client.run()));
        Self { shared, closing, task: Mutex::new(Some(task)) }
    }

    /// The broker is to retain this: published now if it differs from the topic's last value, and
    /// again on every connection and with [`Self::again`].
    pub fn keep(&self, topic: String, payload: impl Into<Bytes>) {
        self.shared.change(|book| book.keep(topic, payload.into()));
    }

    /// The broker is to forget the topic, whoever published there.
    pub fn clear(&self, topic: &str) {
        self.shared.change(|book| book.clear(topic));
    }

    /// Whether a value of the topic is kept.
    pub fn keeps(&self, topic: &str) -> bool {
        self.shared.lock().book.keeps(topic)
    }

    /// Publishes once, with QoS 0. Without a connection it waits, up to a bound; a later message on
    /// the same topic takes its place.
    pub fn tell(&self, topic: String, payload: impl Into<Bytes>, retain: bool) {
        let mut dropped = 0;
        self.shared.change(|book| {
            dropped = book.tell(topic, payload.into(), retain)?;
            Ok(())
        });
        self.shared.teller.dropped(dropped);
    }

    /// Publishes everything that is kept again, for somebody who may not have it.
    pub fn again(&self) {
        self.shared.change(|book| {
            book.again();
            Ok(())
        });
    }

    /// The next message of those that `listens_to` asked for, retained ones first after each
    /// connection: topic and payload. None once it is closed. Nothing is lost when it is cancelled.
    pub async fn heard(&self) -> Option<(String, Bytes)> {
        self.shared.inbox.next().await
    }

    /// Whether the broker is there, now and whenever that changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.shared.teller.standing()
    }

    /// What was published since the start.
    pub fn counts(&self) -> Counts {
        self.shared.teller.counts()
    }

    /// Waits until the broker has confirmed all that it is to retain.
    pub async fn is_true(&self) {
        let mut is_true = self.shared.is_true.subscribe();
        // The sender lives as long as we do.
        let _true = is_true.wait_for(|is_true| *is_true).await;
    }

    /// Says that we are offline, waits until the broker has confirmed what it was given, and ends
    /// the connection. A broker that is away is not waited for.
    pub async fn close(&self) {
        if let Some(Will { topic, offline, .. }) = self.shared.will.clone() {
            self.shared.change(|book| book.keep(topic, offline));
        }
        if self.shared.lock().line.is_some() {
            let _in_time = tokio::time::timeout(LAST_WORDS, self.is_true()).await;
        }
        self.closing.cancel();
        if let Some(line) = &self.shared.lock().line {
            line.say_goodbye();
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _in_time = tokio::time::timeout(CLOSE_TIMEOUT, task).await;
        }
        self.shared.inbox.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is to be published, and publishes what there is room for.
    fn change(&self, change: impl FnOnce(&mut Book) -> Result<(), NotTaken>) {
        let mut state = self.lock();
        if let Err(not_taken) = change(&mut state.book) {
            self.teller.not_taken(not_taken);
        }
        self.push(&mut state);
    }

    /// Fills the connection's window with what is due.
    fn push(&self, state: &mut State) {
        let State { book, line } = state;
        if let Some(line) = line {
            line.fill(book);
        }
        let is_true = book.is_true();
        self.is_true.send_if_modified(|was| std::mem::replace(was, is_true) != is_true);
    }

    /// A connection begins: the broker is told everything.
    fn connected(&self, line: Line) {
        let mut state = self.lock();
        state.book.again();
        state.line = Some(line);
        self.push(&mut state);
    }

    /// It has ended.
    fn disconnected(&self) {
        self.lock().line = None;
    }
}
