//! From a file and the environment to the typed configuration.

use std::path::Path;

use super::{Config, ConfigError, Place, Problem};

/// A configuration that can be used, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration file, with the environment over it.
///
/// # Errors
/// Every mistake of the file and of the environment.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    from_text("", path, environment)
}

/// Reads a configuration from its text; the file's name is used for messages and relative paths.
///
/// # Errors
/// Every mistake of the text and of the environment.
pub fn from_text(
    _text: &str,
    file: &Path,
    _environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    Err(ConfigError {
        problems: vec![Problem {
            key: String::new(),
            place: Place::File(file.to_owned()),
            wrong: "cannot be read yet".to_owned(),
            allowed: None,
            nearest: None,
        }],
        warnings: Vec::new(),
    })
}
