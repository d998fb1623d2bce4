//! The outbox's database: SQLite with a write-ahead log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OptionalExtension, Transaction, params};
use ulid::Ulid;

use super::reserve::Reserve;
use super::{OpenError, OpenTick, OutboxSettings};
use crate::timestamp::Timestamp;

const FILE: &str = "outbox.sqlite";
/// What makes each version of the schema out of the one before; the first one out of nothing.
const VERSIONS: [&str; 2] = [
    "
    CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        appended INTEGER NOT NULL,
        subject TEXT NOT NULL,
        id TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE TABLE progress (
        settled INTEGER NOT NULL
    );
    INSERT INTO progress (settled) VALUES (0);
    CREATE TABLE ticks (
        endpoint TEXT PRIMARY KEY,
        sent INTEGER NOT NULL,
        open INTEGER NOT NULL
    ) WITHOUT ROWID;",
    "
    ALTER TABLE progress ADD COLUMN identity TEXT;
    ALTER TABLE progress ADD COLUMN broker TEXT;",
];
/// What the log may keep on disk after a checkpoint, in bytes.
const LOG_SIZE: i64 = 16 << 20;
/// Free pages kept for what comes next; more are given back to the disk.
const FREE_PAGES_KEPT: i64 = 4_096;
/// Pages given back at once, so that a commit does not become slow.
const PAGES_GIVEN_BACK: i64 = 512;
/// How long a commit waits for a process that should not be there, such as a backup program:
/// everything waits with it.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// Pages in the log before a checkpoint, at most; SQLite's own default.
const CHECKPOINT_PAGES: u64 = 1_000;
/// The same, at least: a checkpoint waits for the disk.
const LEAST_CHECKPOINT_PAGES: u64 = 32;
/// The part of the reserve that the log may grow to: a checkpoint may need as much again.
const PART_OF_RESERVE: u64 = 2;
/// Room on a page and in the tree that a row takes beside its payload, in bytes; on the safe side.
const ROW_OVERHEAD: u64 = 256;

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    page_size: u64,
    /// As of the last commit; nobody else writes.
    pages: Pages,
}

/// The pages of the database.
#[derive(Clone, Copy, Debug)]
struct Pages {
    all: i64,
    /// Those of them that hold nothing.
    free: i64,
}

/// What was in the outbox when it was opened.
#[derive(Debug)]
pub(super) struct Contents {
    /// The last position that is settled.
    pub(super) settled: i64,
    /// The last position ever given.
    pub(super) last: i64,
    /// The outbox's name for ever.
    pub(super) identity: String,
    /// What was remembered of the broker.
    pub(super) broker: Option<String>,
    pub(super) open_ticks: Vec<OpenTick>,
}

/// How hard a commit tries to survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// On the disk when the commit returns.
    Disk,
    /// With the operating system: survives the process.
    Process,
}

pub(super) fn file_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

impl Store {
    pub(super) fn open(settings: &OutboxSettings) -> Result<(Self, Contents), OpenError> {
        let file = file_in(&settings.directory);
        let damaged = |source| OpenError::Damaged { file: file.clone(), source };
        let connection = Connection::open(&file).map_err(damaged)?;
        prepare(&connection).map_err(damaged)?;
        let found: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(damaged)?;
        let known = i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(OpenError::Newer { file, found, known });
        }
        if found < known {
            migrate(&connection, found, known).map_err(damaged)?;
        }
        let contents = contents(&connection).map_err(damaged)?;
        let page_size: i64 =
            connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(damaged)?;
        let page_size = u64::try_from(page_size).unwrap_or(4_096);
        let log_pages = Reserve::size(settings.max_bytes) / PART_OF_RESERVE / page_size.max(1);
        let log_pages = log_pages.clamp(LEAST_CHECKPOINT_PAGES, CHECKPOINT_PAGES);
        let log_pages = i64::try_from(log_pages).unwrap_or(i64::MAX);
        connection.pragma_update(None, "wal_autocheckpoint", log_pages).map_err(damaged)?;
        let pages = Pages::count(&connection).map_err(damaged)?;
        Ok((Self { connection, page_size, pages }, contents))
    }

    /// Bytes of the pages in use.
    pub(super) fn used_bytes(&self) -> u64 {
        u64::try_from(self.pages.all - self.pages.free).unwrap_or(0) * self.page_size
    }

    /// Runs `work` in one transaction, committed when it succeeds.
    pub(super) fn transaction<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let synchronous = match durability {
            Durability::Disk => "FULL",
            Durability::Process => "NORMAL",
        };
        self.connection.pragma_update(None, "synchronous", synchronous)?;
        let transaction = self.connection.transaction()?;
        let result = work(&transaction)?;
        transaction.commit()?;
        // What is committed is not undone by not knowing its size.
        if let Ok(pages) = Pages::count(&self.connection) {
            self.pages = pages;
        }
        Ok(result)
    }

    /// Gives pages back to the disk when many are free.
    pub(super) fn give_back(&mut self) -> Result<(), Error> {
        if self.pages.free > FREE_PAGES_KEPT {
            let pages = format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})");
            let mut statement = self.connection.prepare(&pages)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            self.pages = Pages::count(&self.connection)?;
        }
        Ok(())
    }

    /// Gives everything back to the disk that is free, and the log's room too.
    pub(super) fn shrink(&mut self) -> Result<(), Error> {
        for pragma in ["PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let mut statement = self.connection.prepare(pragma)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
        }
        self.pages = Pages::count(&self.connection)?;
        Ok(())
    }
}

impl Pages {
    /// SQLite prepares these statements anew each time, so they are asked once for each commit.
    fn count(connection: &Connection) -> Result<Self, Error> {
        let pages = |pragma| connection.query_row(pragma, [], |row| row.get(0));
        Ok(Self { all: pages("PRAGMA page_count")?, free: pages("PRAGMA freelist_count")? })
    }
}

/// Bytes that an event with `payload` bytes takes, at most.
pub(super) fn bytes_of(payload: usize) -> u64 {
    u64::try_from(payload).unwrap_or(u64::MAX).saturating_add(ROW_OVERHEAD)
}

/// Whether the disk, or the database's own limit, has no room.
pub(super) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    appended: Timestamp,
    subject: &str,
    id: &str,
    payload: &[u8],
) -> Result<i64, Error> {
    transaction
        .prepare_cached(
            "INSERT INTO events (appended, subject, id, payload) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![appended.nanos(), subject, id, payload])?;
    Ok(transaction.last_insert_rowid())
}

/// Remembers what is settled, for events that stay after it, and what was learnt of the broker that
/// has them.
pub(super) fn remember_settled(
    transaction: &Transaction<'_>,
    position: i64,
    broker: Option<&str>,
) -> Result<(), Error> {
    transaction
        .prepare_cached("UPDATE progress SET settled = ?1, broker = coalesce(?2, broker)")?
        .execute(params![position, broker])?;
    Ok(())
}

pub(super) fn delete_through(transaction: &Transaction<'_>, position: i64) -> Result<usize, Error> {
    transaction.prepare_cached("DELETE FROM events WHERE position <= ?1")?.execute([position])
}

/// Deletes from the front, not beyond `position` and not more than `at_most`.
pub(super) fn delete_some_through(
    transaction: &Transaction<'_>,
    position: i64,
    at_most: i64,
) -> Result<usize, Error> {
    transaction
        .prepare_cached(
            "DELETE FROM events WHERE position <= ?1
             AND position < (SELECT min(position) FROM events) + ?2",
        )?
        .execute([position, at_most])
}

/// The last position that was appended before `moment`, when the front is that old.
pub(super) fn older_than(
    transaction: &Transaction<'_>,
    moment: Timestamp,
    at_most: i64,
) -> Result<Option<i64>, Error> {
    transaction
        .prepare_cached(
            "SELECT max(position) FROM
             (SELECT position, appended FROM events ORDER BY position LIMIT ?2)
             WHERE appended < ?1",
        )?
        .query_row(params![moment.nanos(), at_most], |row| row.get(0))
}

pub(super) fn mark_tick(
    transaction: &Transaction<'_>,
    endpoint: &str,
    sent: Timestamp,
) -> Result<(), Error> {
    transaction
        .prepare_cached(
            "INSERT INTO ticks (endpoint, sent, open) VALUES (?1, ?2, 1)
             ON CONFLICT (endpoint) DO UPDATE SET sent = excluded.sent, open = open + 1",
        )?
        .execute(params![endpoint, sent.nanos()])?;
    Ok(())
}

pub(super) fn settle_ticks(transaction: &Transaction<'_>, endpoint: &str) -> Result<(), Error> {
    transaction.prepare_cached("DELETE FROM ticks WHERE endpoint = ?1")?.execute([endpoint])?;
    Ok(())
}

fn prepare(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Takes effect only before the first table is made.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_SIZE)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(())
}

/// Makes the newest version out of the one that was found, or leaves it as it is.
fn migrate(connection: &Connection, found: i64, known: i64) -> Result<(), Error> {
    let transaction = connection.unchecked_transaction()?;
    for version in VERSIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(version)?;
    }
    transaction.execute(
        "UPDATE progress SET identity = ?1 WHERE identity IS NULL",
        [Ulid::generate().to_string()],
    )?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()
}

fn contents(connection: &Connection) -> Result<Contents, Error> {
    let given: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'events'", [], |row| row.get(0))
        .optional()?;
    let last = given.unwrap_or(0);
    let first: Option<i64> =
        connection.query_row("SELECT min(position) FROM events", [], |row| row.get(0))?;
    let (remembered, identity, broker): (i64, String, Option<String>) =
        connection.query_row("SELECT settled, identity, broker FROM progress", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let gone = first.unwrap_or(last + 1) - 1;
    let mut statement = connection.prepare("SELECT endpoint, sent, open FROM ticks")?;
    let open_ticks = statement
        .query_map([], |row| {
            Ok(OpenTick {
                endpoint: row.get(0)?,
                sent: Timestamp::from_nanos(row.get(1)?),
                ticks: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(1),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Contents { settled: gone.max(remembered).min(last), last, identity, broker, open_ticks })
}
