//! The file that lines are appended to where InfluxDB is off.
//!
//! A write counts once the file is synced to disk, so a delivery is acked only then. Half a line,
//! left by a write that failed, is taken away before the next try.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::destination::{Answer, Destination, Prepared, Trouble};

/// The file, opened when it is first needed.
#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    /// One append at a time; the lock is never held across an await.
    file: Arc<Mutex<Option<File>>>,
}

impl LineFile {
    /// Lines will be appended to the file at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: Arc::default() }
    }

    async fn append(&self, body: Vec<u8>) -> Result<(), Trouble> {
        let (path, file) = (self.path.clone(), Arc::clone(&self.file));
        let appended = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let result = append(&mut file, &path, &body);
            if result.is_err() {
                // Opened anew next time: it may have been moved, or its disk mounted again.
                *file = None;
            }
            result
        });
        let error = match appended.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(Trouble::unavailable(format!(
            "cannot append to `writer.lineProtocolFile` {}: {error}",
            self.path.display()
        )))
    }
}

fn append(slot: &mut Option<File>, path: &Path, body: &[u8]) -> io::Result<()> {
    let file = match slot {
        Some(file) => file,
        None => slot.insert(OpenOptions::new().append(true).create(true).open(path)?),
    };
    let whole = file.metadata()?.len();
    let written = file.write_all(body).and_then(|()| file.sync_data());
    if written.is_err() {
        // If this fails as well, the error of the write is the one to tell.
        let _shortened = file.set_len(whole);
    }
    written
}

#[async_trait]
impl Destination for LineFile {
    async fn write(&self, body: &[u8]) -> Answer {
        match self.append(body.to_vec()).await {
            Ok(()) => Answer::Stored,
            Err(trouble) => Answer::Trouble(trouble),
        }
    }

    async fn prepare(&self) -> Result<Prepared, Trouble> {
        self.append(Vec::new()).await?;
        Ok(Prepared::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_appended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("points.lp");
        std::fs::write(&path, "before\n").unwrap();
        let file = LineFile::new(path.clone());
        assert_eq!(file.prepare().await, Ok(Prepared::Ready));
        assert_eq!(file.write(b"a b=1 2\n").await, Answer::Stored);
        assert_eq!(file.write(b"c d=1 2\n").await, Answer::Stored);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "before\na b=1 2\nc d=1 2\n");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_holds_and_names_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing").join("points.lp");
        let file = LineFile::new(path.clone());
        let Answer::Trouble(trouble) = file.write(b"a b=1 2\n").await else {
            panic!("a write into a missing directory succeeded");
        };
        assert!(trouble.why.contains("writer.lineProtocolFile"), "{}", trouble.why);
        std::fs::create_dir(directory.path().join("missing")).unwrap();
        assert_eq!(file.write(b"a b=1 2\n").await, Answer::Stored);
    }
}
