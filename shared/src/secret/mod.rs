//! A text that must not be seen: a password, a token, a heartbeat URL, the value of a header.
//!
//! It has no way into logs, errors, metrics or Debug output: both formatters print `***`, and the
//! text comes out through [`Secret::expose`] alone, which is easy to find in a review.
//! A secret that was read from a file knows it: whoever needs the text anew asks for
//! [`Secret::current`], and a rotated password is used without a restart.

mod file;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use file::SecretFile;
pub use file::SecretFileError;

/// What every formatter shows in place of the text.
const HIDDEN: &str = "***";

/// A text that is never printed. Two are equal when their texts are, wherever these came from.
#[derive(Clone)]
pub struct Secret {
    text: Arc<str>,
    /// Where the text came from, if that may change.
    file: Option<Arc<SecretFile>>,
}

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into().into(), file: None }
    }

    /// Reads a file; white space around its text is no part of it. Clones and what
    /// [`Secret::current`] gives share what is known of the file.
    ///
    /// # Errors
    /// The file gives no secret.
    pub fn from_file(path: &Path) -> Result<Self, SecretFileError> {
        let file = Arc::new(SecretFile::read(path)?);
        Ok(Self { text: file.text(), file: Some(file) })
    }

    /// The secret as its file holds it, looked at once a second at most; itself when it has no file.
    /// A file that cannot be used any more keeps its last good text, and that is said once.
    #[must_use]
    pub fn current(&self) -> Self {
        self.with(SecretFile::text)
    }

    /// The same, looked at whatever the time: for when the text was refused.
    #[must_use]
    pub fn current_now(&self) -> Self {
        self.with(SecretFile::text_now)
    }

    fn with(&self, text: impl FnOnce(&SecretFile) -> Arc<str>) -> Self {
        match &self.file {
            Some(file) => Self { text: text(file), file: Some(Arc::clone(file)) },
            None => self.clone(),
        }
    }

    /// Says whether the text comes from a file, and so may change.
    pub fn is_from_file(&self) -> bool {
        self.file.is_some()
    }

    /// Gives the text to the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Says whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_formatter_shows_the_text() {
        let secret = Secret::new("MARKER");
        let shown = format!("{secret} {secret:?} {:#?} {:?}", Some(&secret), vec![&secret]);
        assert!(!shown.contains("MARKER"), "{shown}");
        assert_eq!(secret.to_string(), "***");
    }

    #[test]
    fn the_text_comes_out_where_it_is_asked_for() {
        assert_eq!(Secret::from("MARKER").expose(), "MARKER");
        assert!(Secret::from(String::new()).is_empty());
    }
}
