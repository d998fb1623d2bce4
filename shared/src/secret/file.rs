//! A file that holds a secret, read again when it may have changed.
//!
//! The contents are compared and not their times: a link that is exchanged (as Kubernetes and
//! systemd do) or a file restored with its old time is a change like any other. What cannot be used
//! keeps the last good value, since whoever uses it works with that one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

/// Time between two looks at a file: a busy writer asks for its token hundreds of times a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// No password, token or key is larger; a wrong path may name anything.
const MAX_BYTES: u64 = 64 << 10;

/// Why a file gives no secret. To be said after the file's name: "names x, which …".
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// It holds nothing.
    #[error("is empty")]
    Empty,
    /// It holds too much.
    #[error("has more than {MAX_BYTES} bytes, which no secret has")]
    TooLarge,
}

/// A file and what it held when it was last looked at.
pub(super) struct SecretFile {
    path: PathBuf,
    held: Mutex<Held>,
}

struct Held {
    text: Arc<str>,
    looked: Instant,
    /// Whether it was said that the file cannot be used.
    told: bool,
}

impl SecretFile {
    pub(super) fn read(path: &Path) -> Result<Self, SecretFileError> {
        let held = Held { text: read(path)?, looked: Instant::now(), told: false };
        Ok(Self { path: path.to_owned(), held: Mutex::new(held) })
    }

    /// What it holds, as it was at most [`LOOK_EVERY`] ago.
    pub(super) fn text(&self) -> Arc<str> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.looked.elapsed() >= LOOK_EVERY {
            self.look(&mut held);
        }
        Arc::clone(&held.text)
    }

    /// What it holds now.
    pub(super) fn text_now(&self) -> Arc<str> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut held);
        Arc::clone(&held.text)
    }

    fn look(&self, held: &mut Held) {
        held.looked = Instant::now();
        let path = self.path.display();
        match read(&self.path) {
            Ok(text) if text == held.text => held.told = false,
            Ok(text) => {
                tracing::info!("The secret in {path} has changed; it is used from now on.");
                (held.text, held.told) = (text, false);
            }
            Err(error) if !held.told => {
                held.told = true;
                tracing::warn!(
                    "{path} {error}; the secret that it held before goes on being used."
                );
            }
            Err(_told_before) => {}
        }
    }
}

/// Reads it where it is called, on a runtime thread too: it is a few bytes, at most once a second.
fn read(path: &Path) -> Result<Arc<str>, SecretFileError> {
    let file = File::open(path).map_err(SecretFileError::Unreadable)?;
    let mut text = String::new();
    let bytes =
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(SecretFileError::Unreadable)?;
    if bytes as u64 > MAX_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    match text.trim() {
        "" => Err(SecretFileError::Empty),
        text => Ok(Arc::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Secret;
    use super::*;

    fn too_large() -> String {
        "x".repeat(usize::try_from(MAX_BYTES).unwrap() + 1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_is_read_again_a_second_later_or_when_asked_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, " one\r\n").unwrap();
        let secret = Secret::from_file(&path).unwrap();
        fs::write(&path, "two\n").unwrap();
        assert_eq!(secret.current().expose(), "one");
        assert_eq!(secret.current_now().expose(), "two");
        assert_eq!(secret.expose(), "one", "what was read stays what it is");
        fs::write(&path, "three\n").unwrap();
        assert_eq!(secret.current().expose(), "two");
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(secret.current().expose(), "three");
        assert_ne!(secret, secret.current());
    }

    #[test]
    fn a_file_that_cannot_be_used_keeps_the_last_value() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, "one").unwrap();
        let secret = Secret::from_file(&path).unwrap();
        for broken in [&b""[..], b" \n", b"\xff\xfe", too_large().as_bytes()] {
            fs::write(&path, broken).unwrap();
            assert_eq!(secret.current_now().expose(), "one");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(secret.current_now().expose(), "one");
        fs::create_dir(&path).unwrap();
        assert_eq!(secret.current_now().expose(), "one");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert_eq!(secret.current_now().expose(), "two");
    }

    #[cfg(unix)]
    #[test]
    fn links_that_are_exchanged() {
        use std::os::unix::fs::symlink;

        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        // As Kubernetes mounts a secret: token -> ..data/token, ..data -> one.
        for (version, text) in [("one", "text 1"), ("two", "text 2")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("token"), text).unwrap();
        }
        symlink("one", at("..data")).unwrap();
        symlink("..data/token", at("token")).unwrap();
        let secret = Secret::from_file(&at("token")).unwrap();
        assert_eq!(secret.current_now().expose(), "text 1");
        symlink("two", at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        assert_eq!(secret.current_now().expose(), "text 2");
    }

    #[test]
    fn what_gives_no_secret_at_first_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        assert!(matches!(Secret::from_file(&path), Err(SecretFileError::Unreadable(_))));
        fs::write(&path, "\n").unwrap();
        assert!(matches!(Secret::from_file(&path), Err(SecretFileError::Empty)));
        fs::write(&path, too_large()).unwrap();
        let error = Secret::from_file(&path).unwrap_err();
        assert_eq!(error.to_string(), "has more than 65536 bytes, which no secret has");
    }
}
