//! The name of one running program among others of its kind on this host.
//!
//! A file in the directory for temporary files, locked as long as the program runs, keeps a second
//! one from taking the same name, and tells `--health` where the first one answers.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::lifecycle::host_name;
use crate::subject::Token;

/// Programs of one kind on one host; more would rather be on several.
const MOST_PROGRAMS: usize = 64;

/// A name that no other program of this kind has on this host, as long as this lives.
#[derive(Debug)]
pub struct Instance {
    name: String,
    file: Option<File>,
}

impl Instance {
    /// The name that the operator gave, or else the host's, with `-2`, `-3` and so on when it is
    /// taken.
    ///
    /// A name that was given is taken as it is: where the file cannot be locked, nothing keeps
    /// another program from having it too.
    pub fn take(process: &str, given: Option<&str>) -> Self {
        if let Some(name) = given {
            return Self { name: name.to_owned(), file: lock(process, name) };
        }
        let host = host_name();
        let numbered = (2..=MOST_PROGRAMS).map(|number| format!("{host}-{number}"));
        for name in std::iter::once(host.clone()).chain(numbered) {
            if let Some(file) = lock(process, &name) {
                return Self { name, file: Some(file) };
            }
        }
        Self { name: host, file: None }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes down where the program's pages are.
    pub fn answers_at(&self, address: SocketAddr) {
        if let Some(file) = &self.file {
            let mut file = file;
            // `--health` then asks the configured address.
            let _unwritten = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(address.to_string().as_bytes()));
        }
    }
}

/// Where a running program of that name answers, as far as it is written down.
pub fn address_of(process: &str, given: Option<&str>) -> Option<SocketAddr> {
    let name = given.map_or_else(host_name, str::to_owned);
    let mut text = String::new();
    File::open(path(process, &name)).ok()?.read_to_string(&mut text).ok()?;
    text.parse().ok()
}

fn lock(process: &str, name: &str) -> Option<File> {
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(path(process, name)).ok()?;
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

fn path(process: &str, name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("footman-{process}-{}.lock", Token::new(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_programs_on_one_host_have_names_of_their_own() {
        let process = format!("test-{}", std::process::id());
        let (first, second) = (Instance::take(&process, None), Instance::take(&process, None));
        assert_eq!(first.name(), host_name());
        assert_eq!(second.name(), format!("{}-2", host_name()));
        drop(first);
        assert_eq!(Instance::take(&process, None).name(), host_name());
        assert_eq!(Instance::take(&process, Some("mine")).name(), "mine");
        for name in [host_name(), format!("{}-2", host_name()), "mine".to_owned()] {
            std::fs::remove_file(path(&process, &name)).unwrap();
        }
    }

    #[test]
    fn the_address_is_found_by_name() {
        let process = format!("test-address-{}", std::process::id());
        let instance = Instance::take(&process, Some("a"));
        assert_eq!(address_of(&process, Some("a")), None);
        instance.answers_at("127.0.0.1:65000".parse().unwrap());
        instance.answers_at("127.0.0.1:9".parse().unwrap());
        assert_eq!(address_of(&process, Some("a")), "127.0.0.1:9".parse().ok());
        std::fs::remove_file(path(&process, "a")).unwrap();
    }
}
