//! The getters of secrets, whose values no message ever holds.

use std::path::Path;

use config::ValueKind;

use super::addresses::FILE_FORM;
use super::{Known, Section, Shape};
use crate::config::environment::variable_name;
use crate::config::lines::join;
use crate::secret::{Secret, SecretFileError};

/// What is put after a key's name to name a file that holds its value.
const FILE_SUFFIX: &str = "File";
/// How the default of a secret is written.
const NOTHING: &str = "null";

/// Secrets that belong into a file of their own, and for those of the predecessor, whose sections
/// may not name one, the key of ours that does. A monitor's URL and a hash are no such secrets:
/// nobody logs in with them.
const BETTER_IN_A_FILE: [(&str, &str); 3] = [
    ("password", "writer.influxdb.passwordFile"),
    ("token", "writer.influxdb.tokenFile"),
    ("clientCertPassphrase", "collector.cert.passphraseFile"),
];

/// Something is wrong with a secret, and it is recorded.
struct Recorded;

impl Section<'_> {
    /// A secret that may be left out, written here or in the file that its sibling `…File` names.
    ///
    /// In the predecessor's sections the sibling can come from the environment alone, since
    /// Butler SOS would refuse it in the file.
    pub(in crate::config) fn secret(&self, key: &'static str) -> Option<Secret> {
        self.know(key, Shape::Scalar, Some(NOTHING.to_owned()));
        // One that is wrong is given all the same, so that nobody calls it missing.
        self.given_secret(key).unwrap_or_else(|Recorded| Some(Secret::new("")))
    }

    /// A secret that must be given.
    pub(in crate::config) fn required_secret(&self, key: &'static str) -> Secret {
        self.know(key, Shape::Scalar, None);
        match self.given_secret(key) {
            Ok(Some(secret)) => secret,
            Ok(None) => Secret::new(self.missing(key, &self.secret_form(key))),
            Err(Recorded) => Secret::new(""),
        }
    }

    /// A secret that is only ever in a file.
    pub(in crate::config) fn secret_file(&self, key: &'static str) -> Option<Secret> {
        let path = self.optional_text(key)?;
        self.read_secret(key, &path).ok().flatten()
    }

    /// The secret of a key or of its sibling; of the two, a variable has precedence over the file.
    fn given_secret(&self, key: &'static str) -> Result<Option<Secret>, Recorded> {
        let file_key = format!("{key}{FILE_SUFFIX}");
        let named = if self.sibling(&file_key) { self.written_text(&file_key) } else { None };
        let direct = self.secret_text(key)?;
        match (direct, named.filter(|path| !path.is_empty())) {
            (direct, None) => {
                if direct.is_some() {
                    self.advise_a_file(key);
                }
                Ok(direct)
            }
            (None, Some(path)) => self.read_secret(&file_key, &path),
            (Some(direct), Some(path)) => {
                match (self.is_variable(key), self.is_variable(&file_key)) {
                    (true, false) => Ok(Some(direct)),
                    (false, true) => self.read_secret(&file_key, &path),
                    _ => {
                        let wrong = format!("is given, and so is {file_key}; only one may be");
                        self.problem(key, wrong, None);
                        Err(Recorded)
                    }
                }
            }
        }
    }

    /// Where a secret may come from, for messages.
    fn secret_form(&self, key: &str) -> String {
        let file = format!("{key}{FILE_SUFFIX}");
        if self.ours {
            format!("a text, or in {file} the file that holds it")
        } else {
            let variable = variable_name(&self.path_of(&file));
            format!("a text, or in the environment variable {variable} the file that holds it")
        }
    }

    /// Warns of a secret that whoever sees the configuration sees too.
    fn advise_a_file(&self, key: &str) {
        let better = BETTER_IN_A_FILE.iter().find(|(plain, _)| *plain == key);
        let Some((_, ours)) = better.filter(|_| !self.is_quiet()) else { return };
        if self.is_from_environment(key) {
            return;
        }
        self.reader.holds_secrets.set(true);
        let file_key =
            if self.ours { self.path_of(&format!("{key}{FILE_SUFFIX}")) } else { (*ours).into() };
        let what = format!("stands here as plain text: put it into a file, named by {file_key}");
        self.warn(key, what);
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
    fn secret_text(&self, key: &str) -> Result<Option<Secret>, Recorded> {
        let text = match self.value(key).map(|value| &value.kind) {
            None => None,
            Some(ValueKind::String(text)) => Some(text.clone()),
            Some(ValueKind::Boolean(_) | ValueKind::Table(_) | ValueKind::Array(_)) => {
                self.problem(key, "is no text", Some("a text, in quotes if need be"));
                return Err(Recorded);
            }
            Some(_) => self.number_text(key),
        };
        Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
    }

    /// Reads the file that a key names; not at all when the section has no effect.
    fn read_secret(&self, key: &str, path: &str) -> Result<Option<Secret>, Recorded> {
        if self.is_quiet() {
            return Ok(None);
        }
        let read = self.reader.places.readable(Path::new(path)).and_then(|found| {
            self.uses(key, &found, true);
            let read = Secret::from_file(&found).map_err(|error| match error {
                SecretFileError::Empty => format!("names {path}, which is empty"),
                other => format!("names {}, which {other}", found.display()),
            });
            read.map(|secret| (secret, found))
        });
        let wrong = match read {
            Ok((secret, found)) => {
                self.warn_if_open(key, &found);
                return Ok(Some(secret));
            }
            Err(wrong) => wrong,
        };
        self.problem(key, wrong, Some(FILE_FORM));
        Err(Recorded)
    }
}
