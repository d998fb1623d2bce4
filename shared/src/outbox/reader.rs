//! Reads the outbox from the front, beside the committer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Error, OpenFlags, OptionalExtension as _, params};
use tokio::sync::watch;

use super::{OpenError, Shared, Stored};
use crate::subject::Subject;
use crate::timestamp::Timestamp;

/// Payload bytes read at once: bounds memory when events are large.
const BYTES_AT_ONCE: usize = 1 << 20;

/// Reads events after a position, in order.
#[derive(Debug)]
pub struct OutboxReader {
    connection: Arc<Mutex<Connection>>,
    committed: watch::Receiver<i64>,
    shared: Arc<Shared>,
}

impl OutboxReader {
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&shared.file, flags)
            .map_err(|source| OpenError::Damaged { file: shared.file.clone(), source })?;
        let committed = shared.committed.subscribe();
        Ok(Self { connection: Arc::new(Mutex::new(connection)), committed, shared })
    }

    /// Waits for events after `position`, at most `limit`.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn read_after(
        &mut self,
        position: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        loop {
            if *self.committed.borrow_and_update() > position {
                let connection = Arc::clone(&self.connection);
                let read = tokio::task::spawn_blocking(move || {
                    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                    select(&connection, position, limit)
                });
                let found = read.await.map_err(|_ended| ReadError::Closed)??;
                if !found.is_empty() {
                    return Ok(self.given(found));
                }
            }
            self.committed.changed().await.map_err(|_closed| ReadError::Closed)?;
        }
    }

    fn given(&self, found: Vec<Stored>) -> Vec<Stored> {
        if let Some(last) = found.last() {
            self.shared.read.fetch_max(last.position, Ordering::Relaxed);
        }
        found
    }

    /// The first event after `position`, and when it was appended; unlike `read_after` this does not
    /// wait for one.
    pub async fn first_after(&self, position: i64) -> Result<Option<(i64, Timestamp)>, ReadError> {
        let connection = Arc::clone(&self.connection);
        let read = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            first(&connection, position)
        });
        Ok(read.await.map_err(|_ended| ReadError::Closed)??)
    }

    /// The last position in the outbox.
    pub fn last(&self) -> i64 {
        *self.committed.borrow()
    }

    /// Whether the event at `position` was there before this process began.
    pub fn is_from_before(&self, position: i64) -> bool {
        position <= self.shared.found
    }

    /// Whether nothing has been committed after `position`.
    pub fn is_at_end(&self, position: i64) -> bool {
        *self.committed.borrow() <= position
    }

    /// Events that are not settled.
    pub fn depth(&self) -> u64 {
        self.shared.depth()
    }
}

/// Why events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The outbox is closed.
    #[error("the outbox is closed")]
    Closed,
    /// The database cannot be read.
    #[error("the outbox cannot be read")]
    Unreadable(#[from] Error),
}

fn first(connection: &Connection, position: i64) -> Result<Option<(i64, Timestamp)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT position, appended FROM events WHERE position > ?1 ORDER BY position LIMIT 1",
    )?;
    let row = statement.query_row([position], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.map(|(position, nanos)| (position, Timestamp::from_nanos(nanos))))
}

fn select(connection: &Connection, position: i64, limit: usize) -> Result<Vec<Stored>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT position, subject, id, payload FROM events
         WHERE position > ?1 ORDER BY position LIMIT ?2",
    )?;
    let mut rows = statement.query(params![position, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    let mut bytes = 0;
    while bytes < BYTES_AT_ONCE
        && let Some(row) = rows.next()?
    {
        let payload: Vec<u8> = row.get(3)?;
        bytes += payload.len();
        found.push(Stored {
            position: row.get(0)?,
            subject: Subject::from_neutral(row.get(1)?),
            id: row.get(2)?,
            payload: payload.into(),
        });
    }
    Ok(found)
}
