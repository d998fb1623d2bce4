//! The getters of secrets, whose values no message ever holds.

use std::path::Path;

use config::ValueKind;

use super::{Known, Section, Shape};
use crate::config::lines::join;
use crate::secret::Secret;

/// What is put after a key's name to name a file that holds its value.
const FILE_SUFFIX: &str = "File";
/// How the default of a secret is written.
const NOTHING: &str = "null";

impl Section<'_> {
    /// A secret that may be left out, written here or in the file that its sibling `…File` names.
    ///
    /// In the predecessor's sections the sibling can come from the environment alone, since
    /// Butler SOS would refuse it in the file.
    pub(in crate::config) fn secret(&self, key: &'static str) -> Option<Secret> {
        self.know(key, Shape::Scalar, Some(NOTHING.to_owned()));
        let file_key = format!("{key}{FILE_SUFFIX}");
        let sibling = self.sibling(&file_key);
        let direct = self.secret_text(key);
        let named = if sibling {
            self.written_text(&file_key)
        } else {
            None
        };
        match (direct, named.filter(|path| !path.is_empty())) {
            (Some(direct), None) => Some(direct),
            (None, Some(path)) => self.read_secret(&file_key, &path),
            (None, None) => None,
            (Some(direct), Some(path)) => {
                match (self.is_variable(key), self.is_variable(&file_key)) {
                    (true, false) => Some(direct),
                    (false, true) => self.read_secret(&file_key, &path),
                    _ => {
                        let wrong = format!("is given, and so is {file_key}; only one may be");
                        self.problem(key, wrong, None);
                        None
                    }
                }
            }
        }
    }

    /// A secret that must be given.
    pub(in crate::config) fn required_secret(&self, key: &'static str) -> Secret {
        let before = self.reader.problems.borrow().len();
        let secret = self.secret(key);
        // What is given but wrong is no longer missing.
        let is_wrong = self.reader.problems.borrow().len() > before;
        self.know(key, Shape::Scalar, None);
        match secret {
            Some(secret) => secret,
            None if is_wrong => Secret::new(""),
            None => Secret::new(self.missing(key)),
        }
    }

    /// A secret that is only ever in a file.
    pub(in crate::config) fn secret_file(&self, key: &'static str) -> Option<Secret> {
        let path = self.optional_text(key)?;
        self.read_secret(key, &path)
    }

    /// Records the sibling that names a file; says whether it may be used.
    fn sibling(&self, file_key: &str) -> bool {
        let known = Known {
            shape: Shape::Scalar,
            default: Some(NOTHING.to_owned()),
            environment_only: !self.ours,
        };
        let pattern = join(&self.pattern, file_key);
        self.reader.known.borrow_mut().insert(pattern, known);
        let usable = self.ours || self.is_from_environment(file_key);
        if usable {
            self.asked.borrow_mut().insert(file_key.to_owned());
        }
        usable
    }

    /// Says whether a key comes from the environment, alone or in the JSON of its section.
    fn is_from_environment(&self, key: &str) -> bool {
        self.reader.places.variable(&self.path_of(key)).is_some()
    }

    /// The text of a secret as it is written; an empty one is left out.
    fn secret_text(&self, key: &str) -> Option<Secret> {
        let text = match &self.value(key)?.kind {
            ValueKind::String(text) => text.clone(),
            ValueKind::Boolean(_) | ValueKind::Table(_) | ValueKind::Array(_) => {
                self.problem(key, "is no text", Some("a text, in quotes if need be"));
                return None;
            }
            _ => self.number_text(key)?,
        };
        (!text.is_empty()).then(|| Secret::new(text))
    }

    fn read_secret(&self, key: &str, path: &str) -> Option<Secret> {
        if self.is_quiet() {
            return None;
        }
        let read = self
            .reader
            .places
            .readable(Path::new(path))
            .and_then(|found| {
                std::fs::read_to_string(&found).map_err(|error| {
                    format!("names {}, which cannot be read: {error}", found.display())
                })
            });
        match read {
            Ok(text) if text.trim().is_empty() => {
                self.problem(key, format!("names {path}, which is empty"), None);
                None
            }
            Ok(text) => Some(Secret::new(text.trim())),
            Err(wrong) => {
                self.problem(key, wrong, None);
                None
            }
        }
    }
}
