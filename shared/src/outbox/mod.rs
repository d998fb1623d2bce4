//! The queue on disk between a poll and the broker; with the embedded broker it is the queue.
//!
//! What was appended survives a kill at any moment. Sequences are given here, at the commit, so
//! that they have no gaps. A full outbox drops nothing it holds: it takes nothing more.
//!
//! One task owns the database and commits in groups; readers have connections of
//! their own ([`OutboxReader`]). Events leave from the front, in order.

mod committer;
pub(crate) mod directory;
mod kept;
mod lock;
mod metrics;
mod reader;
mod reserve;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use reader::{OutboxReader, ReadError};

use crate::broker::Outgoing;
use crate::envelope::Unnumbered;
use crate::subject::Subject;
use crate::timestamp::Timestamp;
use committer::{Command, Committer, Item};
use lock::DirectoryLock;
use reserve::Reserve;
use store::Store;

/// Commands that may wait for the committer: more than the polls that run at once, so that only a
/// disk that stalls ever fills it.
const COMMANDS: usize = 4_096;
/// Committed events that a slow tap may lag behind before it misses some.
const TAPPED_EVENTS: usize = 1_024;

/// Where the outbox lies and how large it may become.
#[derive(Clone, Debug)]
pub struct OutboxSettings {
    /// Its directory; made when missing, used by one process at a time.
    pub directory: PathBuf,
    /// Bytes of its pages on disk beyond which nothing more is taken.
    pub max_bytes: u64,
    /// Age beyond which events are given up; none keeps them for ever.
    pub max_age: Option<Duration>,
    /// How long an event stays after it was settled, in case the broker forgets it. It is let go
    /// earlier when the outbox is more than half full, and not as long as nothing more is settled.
    pub keep_settled: Duration,
}

/// An event to append.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it will be published.
    pub subject: Subject,
    /// The encoded event.
    pub event: Unnumbered,
}

/// An event in the outbox.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its place in the outbox; places rise, and what leaves goes from the front.
    pub position: i64,
    /// Where it will be published.
    pub subject: Subject,
    /// The event's id.
    pub id: String,
    /// The encoded event.
    pub payload: Bytes,
}

/// A tick that had no outcome when the process before this one ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTick {
    /// The endpoint, as given to [`Outbox::tick_started`].
    pub endpoint: String,
    /// When its last request was sent.
    pub sent: Timestamp,
    /// Ticks without an outcome.
    pub ticks: u64,
}

/// Why the outbox cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{} is in use by another process: stop that one, or give this one a directory of its own",
        directory.display()
    )]
    InUse {
        /// The outbox's directory.
        directory: PathBuf,
    },
    /// Its directory cannot be made or written.
    #[error("the directory {} cannot be used", directory.display())]
    Directory {
        /// The outbox's directory.
        directory: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Its file is no outbox, or damaged.
    #[error(
        "{} cannot be used as an outbox: move the file away to begin anew, and keep it if what it \
         holds matters",
        file.display()
    )]
    Damaged {
        /// The database file.
        file: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// It was written by a newer version of this program.
    #[error("{} was written by a newer version ({found}; this one knows {known})", file.display())]
    Newer {
        /// The database file.
        file: PathBuf,
        /// Schema version found.
        found: i64,
        /// Schema version known here.
        known: i64,
    },
}

/// Why events were not taken. Nothing of them was written.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// There is no room, in the outbox or on the disk.
    #[error("the outbox is full: {why}")]
    Full {
        /// Which limit was met.
        why: String,
    },
    /// The outbox cannot be written for another reason.
    #[error("the outbox cannot be written: {why}")]
    Unusable {
        /// What is wrong.
        why: String,
    },
}

/// A handle to the outbox.
#[derive(Clone, Debug)]
pub struct Outbox {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    open_ticks: Arc<Vec<OpenTick>>,
}

/// What the committer tells the handles.
#[derive(Debug)]
struct Shared {
    file: PathBuf,
    /// The last position in the outbox.
    committed: watch::Sender<i64>,
    /// The last position that is settled.
    settled: AtomicI64,
    /// The last position that a reader was given.
    read: AtomicI64,
    /// From which position on settled events are needed, however old.
    needed_from: AtomicI64,
    /// Events appended by this process.
    appended: AtomicU64,
    /// Events given up for their age.
    expired: AtomicU64,
    /// The last position that was there when this process began.
    found: i64,
    identity: String,
    /// What was remembered of the broker when this process began.
    broker: Option<String>,
    taps: broadcast::Sender<Stored>,
    _lock: DirectoryLock,
}

impl Outbox {
    /// Opens the outbox, or makes it. Needs a running tokio runtime.
    pub fn open(settings: &OutboxSettings) -> Result<Self, OpenError> {
        let lock = DirectoryLock::take(&settings.directory)?;
        let (store, contents) = Store::open(settings)?;
        let shared = Arc::new(Shared {
            file: store::file_in(&settings.directory),
            committed: watch::Sender::new(contents.last),
            settled: AtomicI64::new(contents.settled),
            read: AtomicI64::new(contents.settled),
            needed_from: AtomicI64::new(i64::MAX),
            appended: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            found: contents.last,
            identity: contents.identity,
            broker: contents.broker,
            taps: broadcast::Sender::new(TAPPED_EVENTS),
            _lock: lock,
        });
        let (commands, received) = mpsc::channel(COMMANDS);
        let reserve = Reserve::take(&settings.directory, settings.max_bytes);
        let committer = Committer::new(store, reserve, settings, Arc::clone(&shared));
        tokio::spawn(committer.run(received));
        Ok(Self { commands, shared, open_ticks: Arc::new(contents.open_ticks) })
    }

    /// Appends all entries or none, and returns once they are on the disk.
    ///
    /// With an endpoint, its open ticks are settled by the same commit.
    pub async fn append(
        &self,
        entries: Vec<Entry>,
        endpoint: Option<&str>,
    ) -> Result<(), AppendError> {
        let items = entries.into_iter().map(Item::New).collect();
        self.commit(items, endpoint.map(str::to_owned)).await
    }

    /// Appends events as they are, all or none: each was an event before, and has its sequence.
    pub async fn put_back(&self, events: Vec<Outgoing>) -> Result<(), AppendError> {
        self.commit(events.into_iter().map(Item::Again).collect(), None).await
    }

    async fn commit(&self, items: Vec<Item>, endpoint: Option<String>) -> Result<(), AppendError> {
        let (reply, committed) = oneshot::channel();
        let closed = || AppendError::Unusable { why: "the outbox is closed".to_owned() };
        self.commands
            .send(Command::Append { items, endpoint, reply })
            .await
            .map_err(|_closed| closed())?;
        committed.await.map_err(|_closed| closed())?
    }

    /// Marks that a request is about to be sent for a tick, and returns once the mark survives a
    /// kill of the process; a crash of the machine may lose it.
    pub async fn tick_started(&self, endpoint: &str, sent: Timestamp) {
        let (reply, marked) = oneshot::channel();
        let mark = Command::TickStarted { endpoint: endpoint.to_owned(), sent, reply };
        // Without its mark a tick is still polled; only a kill in its middle would go unreported.
        if self.commands.send(mark).await.is_ok() {
            let _closed = marked.await;
        }
    }

    /// The ticks that had no outcome when the process before this one ended.
    pub fn open_ticks(&self) -> &[OpenTick] {
        &self.open_ticks
    }

    /// Settles everything up to and including `position`: it is stored, or a broker has it.
    pub async fn settle_through(&self, position: i64) {
        // The committer ends only with the process, and then the events stay for the next one.
        let _closed = self.commands.send(Command::Settle { through: position, broker: None }).await;
    }

    /// The same, and remembers in the same commit what the broker was when it confirmed.
    pub async fn settle_and_remember(&self, position: i64, broker: String) {
        let settle = Command::Settle { through: position, broker: Some(broker) };
        let _closed = self.commands.send(settle).await;
    }

    /// Keeps what is settled from this position on, for longer than `keep_settled` if need be:
    /// somebody may still ask for it. As ever it makes room for what is not settled.
    pub fn keep_from(&self, position: Option<i64>) {
        self.shared.needed_from.store(position.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The directory that it has for itself as long as it is open.
    pub fn directory(&self) -> &Path {
        self.shared.file.parent().unwrap_or_else(|| Path::new(""))
    }

    /// Its name, unlike that of any other outbox, for as long as its file lives.
    pub fn identity(&self) -> &str {
        &self.shared.identity
    }

    /// What was remembered of the broker when this process began.
    pub fn remembered_broker(&self) -> Option<&str> {
        self.shared.broker.as_deref()
    }

    /// Waits until everything commanded so far is on the disk.
    pub async fn flush(&self) {
        let (reply, flushed) = oneshot::channel();
        if self.commands.send(Command::Flush { reply }).await.is_ok() {
            let _closed = flushed.await;
        }
    }

    /// Reads events from the front.
    pub fn reader(&self) -> Result<OutboxReader, OpenError> {
        OutboxReader::open(Arc::clone(&self.shared))
    }

    /// Every event from now on, as it is committed; one who lags far behind misses some.
    pub fn tap(&self) -> broadcast::Receiver<Stored> {
        self.shared.taps.subscribe()
    }

    /// Events that are not settled.
    pub fn depth(&self) -> u64 {
        self.shared.depth()
    }

    /// The last position that is settled.
    pub fn settled(&self) -> i64 {
        self.shared.settled.load(Ordering::Relaxed)
    }

    /// The sequence of this process' first event that is not settled, or the one to come.
    pub fn held_from(&self) -> u64 {
        let settled = self.settled().saturating_sub(self.shared.found);
        u64::try_from(settled).unwrap_or(0) + 1
    }

    /// Whether a reader was given every event.
    pub fn is_read(&self) -> bool {
        self.shared.read.load(Ordering::Relaxed) >= *self.shared.committed.borrow()
    }

    /// Events that this process has appended.
    pub fn appended(&self) -> u64 {
        self.shared.appended.load(Ordering::Relaxed)
    }

    /// Events that this process gave up for their age.
    pub fn expired(&self) -> u64 {
        self.shared.expired.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn depth(&self) -> u64 {
        let waiting = *self.committed.borrow() - self.settled.load(Ordering::Relaxed);
        u64::try_from(waiting).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
