//! What was announced, on disk beside the outbox: what left while nobody was here is taken back.
//!
//! One file, replaced as a whole; it holds topics, and no secret.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::announced::Announced;

const FILE: &str = "home-assistant.json";
const NEW_FILE: &str = "home-assistant.json.new";
/// Of the file's form.
const VERSION: u32 = 1;
/// Largest file: a hundred servers of a hundred entities each take two megabytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    directory: PathBuf,
}

/// Why it is not known what was announced before, or will not be.
#[derive(Debug, Error)]
pub(super) enum KeptError {
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}", file.display())]
    Unusable { file: PathBuf, source: io::Error },
    /// It is damaged, or of another version.
    #[error("{} is damaged or of another version, and is written anew", file.display())]
    Damaged { file: PathBuf },
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    announced: Announced,
}

impl Kept {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// What was announced by an earlier run; nothing when there is no file.
    pub(super) fn read(&self) -> Result<Announced, KeptError> {
        let file = self.directory.join(FILE);
        let mut text = Vec::new();
        match File::open(&file).and_then(|opened| opened.take(MAX_BYTES).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Announced::default());
            }
            Err(source) => return Err(KeptError::Unusable { file, source }),
        }
        match serde_json::from_slice::<Content>(&text) {
            Ok(content) if content.version == VERSION => Ok(content.announced),
            Ok(_) | Err(_) => Err(KeptError::Damaged { file }),
        }
    }

    /// Keeps what is announced in the place of what was before; on the disk when it returns.
    pub(super) fn write(&self, announced: &Announced) -> Result<(), KeptError> {
        let (file, new) = (self.directory.join(FILE), self.directory.join(NEW_FILE));
        let content = Content { version: VERSION, announced: announced.clone() };
        let replaced = || {
            let text = serde_json::to_vec_pretty(&content)?;
            let mut written = File::create(&new)?;
            written.write_all(&text)?;
            written.sync_all()?;
            fs::rename(&new, &file)
        };
        replaced().map_err(|source| KeptError::Unusable { file: file.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home_assistant::announced::Entry;

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        assert_eq!(kept.read().unwrap(), Announced::default());
        let components = [("cpu".to_owned(), "sensor".to_owned())].into();
        let last_beat = shared::timestamp::Timestamp::parse("2026-11-21T08:15:30Z");
        let announced = Announced(
            [
                ("a/config".to_owned(), Entry { components, last_beat: None }),
                ("b/config".to_owned(), Entry { last_beat, ..Entry::default() }),
            ]
            .into(),
        );
        kept.write(&Announced::default()).unwrap();
        kept.write(&announced).unwrap();
        assert_eq!(kept.read().unwrap(), announced);
        assert!(!folder.path().join(NEW_FILE).exists());
    }

    #[test]
    fn what_cannot_be_used_is_told_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        for text in ["", "[]", r#"{"version":2,"announced":{}}"#] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(matches!(kept.read(), Err(KeptError::Damaged { .. })), "{text}");
        }
        kept.write(&Announced::default()).unwrap();
        assert_eq!(kept.read().unwrap(), Announced::default());
        fs::remove_file(folder.path().join(FILE)).unwrap();
        fs::create_dir(folder.path().join(FILE)).unwrap();
        assert!(matches!(kept.read(), Err(KeptError::Unusable { .. })));
        assert!(matches!(kept.write(&Announced::default()), Err(KeptError::Unusable { .. })));
    }
}
