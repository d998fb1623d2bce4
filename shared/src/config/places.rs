//! Where values come from: a line of the file or an environment variable; and where files lie.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use super::lines::Lines;
use super::problem::Place;

/// What is known about the origin of values.
#[derive(Debug)]
pub(super) struct Places {
    /// The configuration file.
    pub(super) file: PathBuf,
    /// Where its keys stand.
    pub(super) lines: Lines,
    /// The environment variable behind each key that has one.
    pub(super) variables: HashMap<String, String>,
    /// Where systemd lays out the credentials of the service, if it does.
    pub(super) credentials: Option<PathBuf>,
}

impl Places {
    /// Where a key was read; when it is missing, where the nearest section above it stands.
    pub(super) fn place(&self, path: &str) -> Place {
        if let Some(name) = self.variable(path) {
            return Place::Variable(name.to_owned());
        }
        match upwards(path).find_map(|above| self.lines.line(above)) {
            Some(line) => Place::Line { file: self.file.clone(), line },
            None => Place::File(self.file.clone()),
        }
    }

    /// The environment variable that set a key, itself or with what is around it.
    pub(super) fn variable(&self, path: &str) -> Option<&str> {
        upwards(path).find_map(|above| self.variables.get(above)).map(String::as_str)
    }

    /// A plain scalar as it is written in the file.
    pub(super) fn raw(&self, path: &str) -> Option<&str> {
        if self.variable(path).is_some() { None } else { self.lines.raw(path) }
    }

    /// Finds a file: among the credentials of the service, from the working directory, then from
    /// the configuration file's.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        if let Some(credential) = self.credential(path) {
            return credential;
        }
        let beside = self.file.parent().map(|directory| directory.join(path));
        match beside {
            Some(beside) if path.is_relative() && !path.exists() && beside.exists() => beside,
            _ => path.to_owned(),
        }
    }

    /// The credential of that name, if there is one. Names of credentials have no directories, so
    /// a path with one, `./token` too, never means a credential.
    fn credential(&self, path: &Path) -> Option<PathBuf> {
        let mut steps = path.components();
        let (Some(Component::Normal(name)), None) = (steps.next(), steps.next()) else {
            return None;
        };
        let credential = self.credentials.as_ref()?.join(name);
        credential.exists().then_some(credential)
    }

    /// Finds a file and makes sure that it can be read.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn readable(&self, path: &Path) -> Result<PathBuf, String> {
        let found = self.resolve(path);
        let opened = File::open(&found).and_then(|file| file.metadata());
        match opened {
            Ok(metadata) if metadata.is_dir() => {
                Err(format!("names {}, which is a directory", found.display()))
            }
            Ok(_) => Ok(found),
            Err(error) => Err(format!("names {}, which cannot be read: {error}", found.display())),
        }
    }
}

/// A path and everything above it, the root last.
fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        if path.is_empty() {
            return None;
        }
        let end = path.rfind(['.', '[']).unwrap_or(0);
        path.get(..end)
    })
}

#[cfg(test)]
mod tests {
    use super::super::lines::scan;
    use super::*;

    fn places(file: &Path) -> Places {
        Places {
            file: file.to_owned(),
            lines: scan("Butler-SOS:\n  heartbeat:\n    enable: true\n").unwrap(),
            variables: HashMap::from([("cert".to_owned(), "FOOTMAN__CERT".to_owned())]),
            credentials: None,
        }
    }

    #[test]
    fn a_missing_key_stands_where_its_section_does() {
        let places = places(Path::new("f.yaml"));
        let line = |line| Place::Line { file: "f.yaml".into(), line };
        assert_eq!(places.place("heartbeat.enable"), line(3));
        assert_eq!(places.place("heartbeat.remoteURL"), line(2));
        assert_eq!(places.place("influxdbConfig.host"), line(1));
        assert_eq!(places.place("cert.x[0]"), Place::Variable("FOOTMAN__CERT".to_owned()));
    }

    #[test]
    fn credentials_of_the_service_come_first() {
        let (beside, of_service) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for directory in [&beside, &of_service] {
            std::fs::write(directory.path().join("token"), "t").unwrap();
        }
        std::fs::write(beside.path().join("other"), "o").unwrap();
        let mut places = places(&beside.path().join("f.yaml"));
        places.credentials = Some(of_service.path().to_owned());
        let found = |path: &str| places.readable(Path::new(path)).unwrap();
        assert_eq!(found("token"), of_service.path().join("token"));
        assert_eq!(found("other"), beside.path().join("other"));
        assert_eq!(found("./token"), beside.path().join("./token"));
        let whole = beside.path().join("token");
        assert_eq!(found(whole.to_str().unwrap()), whole);
    }

    #[test]
    fn files_are_tried_beside_the_configuration() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.pem"), "a").unwrap();
        let places = places(&directory.path().join("f.yaml"));
        assert_eq!(places.readable(Path::new("a.pem")), Ok(directory.path().join("a.pem")));
        assert!(places.readable(Path::new("b.pem")).unwrap_err().contains("b.pem"));
        assert!(places.readable(directory.path()).unwrap_err().contains("directory"));
    }
}
