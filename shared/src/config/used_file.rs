//! A file that the configuration names, for those who look at its rights.

use std::path::PathBuf;

/// A file that is named by a key that has effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedFile {
    /// The path of the key under the root.
    pub key: String,
    /// Where the file was found.
    pub path: PathBuf,
    /// Whether it is nobody else's to read: a key, a password, a token.
    pub is_secret: bool,
}
