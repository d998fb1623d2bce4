//! Dead letters in a SQLite file beside the queue.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, Error, OptionalExtension, params};

use crate::broker::{DeadLetter, DeadLetterError, DeadLetters};
use crate::outbox::OpenError;

const FILE: &str = "dead-letters.sqlite";
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS dead_letters (
        event_id TEXT PRIMARY KEY,
        first_time INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        letter TEXT NOT NULL
    )";
/// How long one process waits for another that reads or replays dead letters.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The dead letters of the embedded broker. Other processes may open them at the same time.
#[derive(Clone, Debug)]
pub struct EmbeddedDeadLetters {
    connection: Arc<Mutex<Connection>>,
    file: PathBuf,
    max_bytes: u64,
}

impl EmbeddedDeadLetters {
    /// Opens the dead letters in `directory`, or makes them.
    pub fn open(directory: &Path, max_bytes: u64) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| OpenError::Directory { directory: directory.to_owned(), source })?;
        let file = directory.join(FILE);
        let connection =
            prepare(&file).map_err(|source| OpenError::Damaged { file: file.clone(), source })?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), file, max_bytes })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, DeadLetterError> {
        let connection = Arc::clone(&self.connection);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let unavailable = |what: String| DeadLetterError::Unavailable {
            why: format!("{}: {what}", self.file.display()),
        };
        match done.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::Full { limit_bytes })) => Err(DeadLetterError::Full { limit_bytes }),
            Ok(Err(Failure::Sqlite(error))) => Err(unavailable(error.to_string())),
            Ok(Err(Failure::Json(error))) => Err(unavailable(error.to_string())),
            Err(ended) => Err(unavailable(ended.to_string())),
        }
    }
}

#[derive(Debug)]
enum Failure {
    Full { limit_bytes: u64 },
    Sqlite(Error),
    Json(serde_json::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

#[async_trait]
impl DeadLetters for EmbeddedDeadLetters {
    async fn put(&self, letter: DeadLetter) -> Result<(), DeadLetterError> {
        let limit_bytes = self.max_bytes;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            let known: Option<String> = transaction
                .query_row(
                    "SELECT letter FROM dead_letters WHERE event_id = ?1",
                    [&letter.event_id],
                    |row| row.get(0),
                )
                .optional()?;
            let letter = match known.as_deref().map(serde_json::from_str::<DeadLetter>) {
                Some(Ok(known)) => DeadLetter {
                    first_time: known.first_time,
                    count: known.count.saturating_add(1),
                    ..letter
                },
                Some(Err(_)) | None => letter,
            };
            // Larger than all the letters may be together it could never be kept.
            let largest = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
            let text = letter.to_json_within(largest)?;
            let others: i64 = transaction.query_row(
                "SELECT coalesce(sum(bytes), 0) FROM dead_letters WHERE event_id <> ?1",
                [&letter.event_id],
                |row| row.get(0),
            )?;
            let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
            if u64::try_from(others.saturating_add(bytes)).unwrap_or(0) > limit_bytes {
                return Err(Failure::Full { limit_bytes });
            }
            transaction.execute(
                "INSERT OR REPLACE INTO dead_letters (event_id, first_time, bytes, letter)
                 VALUES (?1, ?2, ?3, ?4)",
                params![letter.event_id, letter.first_time.nanos(), bytes, text],
            )?;
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    async fn list(&self) -> Result<Vec<DeadLetter>, DeadLetterError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT letter FROM dead_letters ORDER BY first_time, event_id")?;
            let texts: Vec<String> =
                statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let letters: Result<Vec<DeadLetter>, _> =
                texts.iter().map(|text| serde_json::from_str(text)).collect();
            Ok(letters?)
        })
        .await
    }

    async fn remove(&self, event_id: &str) -> Result<(), DeadLetterError> {
        let event_id = event_id.to_owned();
        self.with(move |connection| {
            connection.execute("DELETE FROM dead_letters WHERE event_id = ?1", [event_id])?;
            Ok(())
        })
        .await
    }
}

fn prepare(file: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(id: &str, payload: &[u8]) -> DeadLetter {
        DeadLetter::new(id.to_owned(), "p/v1/health/a".to_owned(), payload, "refused".to_owned())
    }

    #[tokio::test]
    async fn kept_counted_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let dead = EmbeddedDeadLetters::open(directory.path(), 1 << 20).unwrap();
        dead.put(letter("1", br#"{"id": "1", "unchanged":  true}"#)).await.unwrap();
        dead.put(letter("2", b"\xff no JSON")).await.unwrap();
        let again = DeadLetter { reason: "refused again".to_owned(), ..letter("1", b"{}") };
        dead.put(again).await.unwrap();

        let dead = EmbeddedDeadLetters::open(directory.path(), 1 << 20).unwrap();
        let letters = dead.list().await.unwrap();
        assert_eq!(
            letters.iter().map(|l| (l.event_id.as_str(), l.count)).collect::<Vec<_>>(),
            [("1", 2), ("2", 1)]
        );
        assert_eq!(letters[0].reason, "refused again");
        assert!(letters[0].first_time < letters[0].last_time);
        assert_eq!(letters[1].payload().unwrap(), b"\xff no JSON");
        dead.remove("1").await.unwrap();
        assert_eq!(dead.list().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn full_is_said_and_nothing_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let dead = EmbeddedDeadLetters::open(directory.path(), 700).unwrap();
        dead.put(letter("1", b"{}")).await.unwrap();
        let error = dead.put(letter("2", &[b'x'; 700])).await.unwrap_err();
        assert!(matches!(error, DeadLetterError::Full { limit_bytes: 700 }));
        dead.put(letter("1", b"{}")).await.unwrap();
        assert_eq!(dead.list().await.unwrap().len(), 1);
    }
}
