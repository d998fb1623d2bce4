//! Dead letters in a SQLite file beside the queue.
//!
//! Other processes may open it at the same time. Only the process that has the queue can put an
//! event back into it, so a command marks the letters that are wanted and [`Replays`] obeys.
//!
//! [`Replays`]: super::Replays

mod schema;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, Error, OptionalExtension, TransactionBehavior, params};

use crate::broker::{DeadLetter, DeadLetterError, DeadLetters, Look};
use crate::outbox::OpenError;
use crate::outbox::directory::make_private;
use crate::timestamp::Timestamp;

const FILE: &str = "dead-letters.sqlite";

/// The dead letters of the embedded broker.
#[derive(Clone, Debug)]
pub struct EmbeddedDeadLetters {
    connection: Arc<Mutex<Connection>>,
    file: PathBuf,
    max_bytes: u64,
}

/// A letter that somebody wants replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) event_id: String,
    /// Tells one wish from a later one.
    since: i64,
}

impl EmbeddedDeadLetters {
    /// Opens the dead letters in `directory`, or makes them.
    pub fn open(directory: &Path, max_bytes: u64) -> Result<Self, OpenError> {
        make_private(directory)
            .map_err(|source| OpenError::Directory { directory: directory.to_owned(), source })?;
        let file = Self::file_in(directory);
        let connection = schema::open(&file)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), file, max_bytes })
    }

    /// Where the dead letters in `directory` lie, once there was one.
    pub fn file_in(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Marks a letter as wanted; the process that has the queue puts its event back. Says whether
    /// there is such a letter.
    pub async fn want(&self, event_id: &str) -> Result<bool, DeadLetterError> {
        let (event_id, now) = (event_id.to_owned(), Timestamp::now().nanos());
        self.with(move |connection| {
            let sql = "UPDATE dead_letters SET wanted = ?2 WHERE event_id = ?1";
            Ok(connection.execute(sql, params![event_id, now])? > 0)
        })
        .await
    }

    /// Whether a letter is marked, and nobody has put its event back yet.
    pub async fn is_wanted(&self, event_id: &str) -> Result<bool, DeadLetterError> {
        let event_id = event_id.to_owned();
        self.with(move |connection| {
            let sql = "SELECT 1 FROM dead_letters WHERE event_id = ?1 AND wanted IS NOT NULL";
            let found: Option<i64> =
                connection.query_row(sql, [event_id], |row| row.get(0)).optional()?;
            Ok(found.is_some())
        })
        .await
    }

    /// The letters that are wanted for the longest time.
    pub(super) async fn wanted(&self, at_most: usize) -> Result<Vec<Wanted>, DeadLetterError> {
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        self.with(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event_id, wanted FROM dead_letters
                 WHERE wanted IS NOT NULL ORDER BY wanted LIMIT ?1",
            )?;
            let wanted = statement.query_map([at_most], |row| {
                Ok(Wanted { event_id: row.get(0)?, since: row.get(1)? })
            })?;
            Ok(wanted.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Takes the marks away again, unless the letters were marked anew.
    pub(super) async fn fulfilled(&self, wanted: Vec<Wanted>) -> Result<(), DeadLetterError> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for Wanted { event_id, since } in &wanted {
                let sql = "UPDATE dead_letters SET wanted = NULL
                           WHERE event_id = ?1 AND wanted = ?2";
                transaction.prepare_cached(sql)?.execute(params![event_id, since])?;
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    /// The letter after the one of `event_id`, in the order of the ids, with its bytes.
    async fn next(
        &self,
        event_id: String,
    ) -> Result<Option<(String, String, u64)>, DeadLetterError> {
        self.with(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event_id, letter, bytes FROM dead_letters
                 WHERE event_id > ?1 ORDER BY event_id LIMIT 1",
            )?;
            let next = statement.query_row([event_id], |row| {
                let bytes: i64 = row.get(2)?;
                Ok((row.get(0)?, row.get(1)?, u64::try_from(bytes).unwrap_or(0)))
            });
            Ok(next.optional()?)
        })
        .await
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
            // It begins with a read, which another process' write must not make stale.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
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
                "INSERT INTO dead_letters (event_id, first_time, bytes, letter)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (event_id) DO UPDATE SET first_time = excluded.first_time,
                     bytes = excluded.bytes, letter = excluded.letter",
                params![letter.event_id, letter.first_time.nanos(), bytes, text],
            )?;
            transaction.commit()?;
            Ok(())
        })
        .await
    }

    async fn each(&self, look: Look<'_>) -> Result<(), DeadLetterError> {
        let mut after = String::new();
        while let Some((event_id, text, bytes)) = self.next(after).await? {
            match serde_json::from_str(&text) {
                Ok(letter) => look(letter, bytes),
                Err(error) => {
                    tracing::warn!(event_id, %error, "Something among the dead letters is none.");
                }
            }
            after = event_id;
        }
        Ok(())
    }

    async fn get(&self, event_id: &str) -> Result<Option<DeadLetter>, DeadLetterError> {
        let event_id = event_id.to_owned();
        self.with(move |connection| {
            let sql = "SELECT letter FROM dead_letters WHERE event_id = ?1";
            let text: Option<String> =
                connection.query_row(sql, [event_id], |row| row.get(0)).optional()?;
            Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
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
    async fn marks_are_kept_until_they_are_obeyed() {
        let directory = tempfile::tempdir().unwrap();
        let open = || EmbeddedDeadLetters::open(directory.path(), 1 << 20).unwrap();
        let (writer, operator) = (open(), open());
        writer.put(letter("1", b"{}")).await.unwrap();
        writer.put(letter("2", b"{}")).await.unwrap();
        assert!(!operator.want("3").await.unwrap(), "there is no such letter");
        assert!(operator.want("2").await.unwrap() && operator.want("1").await.unwrap());
        let wanted = writer.wanted(9).await.unwrap();
        assert_eq!(wanted.iter().map(|w| w.event_id.as_str()).collect::<Vec<_>>(), ["2", "1"]);
        assert_eq!(writer.wanted(1).await.unwrap().len(), 1);

        // Refused once more, it is wanted still; wanted once more, an older mark is not the mark.
        writer.put(letter("2", b"{}")).await.unwrap();
        assert!(operator.is_wanted("2").await.unwrap());
        operator.want("1").await.unwrap();
        writer.fulfilled(wanted).await.unwrap();
        assert!(!operator.is_wanted("2").await.unwrap());
        assert!(operator.is_wanted("1").await.unwrap());
        writer.remove("1").await.unwrap();
        assert!(writer.wanted(9).await.unwrap().is_empty());
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
