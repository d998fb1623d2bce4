//! The file of the dead letters: its tables, their versions, and how an older one becomes a newer.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Error, ErrorCode, TransactionBehavior};

use crate::outbox::OpenError;

/// How long one process waits for another that reads or replays dead letters.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
const VERSION: i64 = 1;
/// The first files had this and no version.
const FIRST: &str = "
    CREATE TABLE IF NOT EXISTS dead_letters (
        event_id TEXT PRIMARY KEY,
        first_time INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        letter TEXT NOT NULL
    );";
/// Since when somebody wants a letter replayed. A program of the first version reads past it.
const WANTED: &str = "
    ALTER TABLE dead_letters ADD COLUMN wanted INTEGER;
    CREATE INDEX dead_letters_wanted ON dead_letters (wanted) WHERE wanted IS NOT NULL;";

/// Opens the file, or makes it, and brings it up to date.
pub(super) fn open(file: &Path) -> Result<Connection, OpenError> {
    let damaged = |source| OpenError::Damaged { file: file.to_owned(), source };
    let mut connection = Connection::open(file).map_err(damaged)?;
    prepare(&connection).map_err(damaged)?;
    let found = match version(&connection).map_err(damaged)? {
        VERSION => return Ok(connection),
        older if older < VERSION => bring_up(&mut connection).map_err(damaged)?,
        newer => newer,
    };
    if found > VERSION {
        return Err(OpenError::Newer { file: file.to_owned(), found, known: VERSION });
    }
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    keep_a_log(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Sets the journal mode, which stays with the file.
///
/// Of several processes that set it at once all but one are told at once that the file is busy:
/// SQLite does not wait where two would wait for each other.
fn keep_a_log(connection: &Connection) -> Result<(), Error> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                #[expect(clippy::disallowed_methods, reason = "SQLite waits in the same way")]
                std::thread::sleep(BETWEEN_TRIES);
            }
            result => return result,
        }
    }
}

fn is_busy(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

fn version(connection: &Connection) -> Result<i64, Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes the newest version, unless another process was faster; gives the version that there is.
fn bring_up(connection: &mut Connection) -> Result<i64, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found < VERSION {
        transaction.execute_batch(FIRST)?;
        transaction.execute_batch(WANTED)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT name FROM pragma_table_info('dead_letters')");
        let names = statement.as_mut().unwrap().query_map([], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_file_of_the_first_version_keeps_its_letters() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("dead-letters.sqlite");
        let first = Connection::open(&file).unwrap();
        first.execute_batch(FIRST).unwrap();
        first.execute("INSERT INTO dead_letters VALUES ('1', 2, 3, '{}')", []).unwrap();
        drop(first);
        for _ in 0..2 {
            let connection = open(&file).unwrap();
            assert!(columns(&connection).contains(&"wanted".to_owned()));
            let kept: (String, Option<i64>) = connection
                .query_row("SELECT letter, wanted FROM dead_letters", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            assert_eq!(kept, ("{}".to_owned(), None));
            // A program of the first version goes on writing as it did.
            let sql = "INSERT OR REPLACE INTO dead_letters (event_id, first_time, bytes, letter)
                       VALUES ('1', 2, 3, '{}')";
            connection.execute(sql, []).unwrap();
        }
    }

    #[test]
    fn many_processes_may_begin_at_once() {
        let directory = tempfile::tempdir().unwrap();
        // They meet in a moment that is not met every time.
        for round in 0..20 {
            let file = directory.path().join(format!("{round}.sqlite"));
            std::thread::scope(|scope| {
                let openings: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&file))).collect();
                for opening in openings {
                    opening.join().unwrap().unwrap();
                }
            });
        }
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("dead-letters.sqlite");
        open(&file).unwrap().pragma_update(None, "user_version", 9).unwrap();
        let error = open(&file).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 9, known: VERSION, .. }), "{error}");
    }
}
