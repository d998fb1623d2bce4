//! The directory of secrets: its files are whole or absent, and for their owner alone.
//!
//! A file appears under its name with all that belongs into it, so that what a command left behind
//! when it was killed is never taken for a secret.

use std::cell::RefCell;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use shared::secret::Secret;
use thiserror::Error;

/// More than any of the files needs; one that is larger is something else.
const MOST_BYTES: u64 = 1 << 20;
#[cfg(unix)]
const DIRECTORY_MODE: u32 = 0o700;
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;
/// What lets everybody at a file or directory, or lets the group change it. The group may read:
/// that is how containers are given secrets (docs/install.md).
#[cfg(unix)]
const OTHERS: u32 = 0o027;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was missing.
    Made,
    /// It was there.
    Kept,
    /// It was there, and some of it did not fit any more.
    Changed,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Made => "made",
            Self::Kept => "kept",
            Self::Changed => "changed",
        })
    }
}

/// What is wrong with the directory or one of its files.
#[derive(Debug, Error)]
pub(super) enum FolderError {
    /// The directory cannot be made.
    #[error("the directory {} cannot be made: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is there and holds nothing.
    #[error("{} is empty: delete it, and run this again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The directory.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    remarks: RefCell<Vec<String>>,
}

impl Folder {
    /// Makes it when it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Self { path: path.to_owned(), remarks: RefCell::default() };
        if path.is_dir() {
            folder.inspect(path);
            return Ok(folder);
        }
        let failed = |source| FolderError::Directory { path: path.to_owned(), source };
        make_directory(path).map_err(failed)?;
        Ok(folder)
    }

    /// The text of a file, without what surrounds it; none when there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Secret>, FolderError> {
        let path = self.path.join(name);
        let failed = |source| FolderError::Unreadable { path: path.clone(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
        if text.trim().is_empty() {
            return Err(FolderError::Empty { path });
        }
        self.inspect(&path);
        Ok(Some(Secret::new(text.trim())))
    }

    /// Makes a file unless it is there.
    pub(super) fn make(
        &self,
        name: &str,
        text: impl FnOnce() -> Secret,
    ) -> Result<Fate, FolderError> {
        if self.read(name)?.is_some() {
            return Ok(Fate::Kept);
        }
        let path = self.path.join(name);
        let failed = |source| FolderError::Unwritable { path: path.clone(), source };
        let whole = self.write_aside(name, &text()).map_err(failed)?;
        // Unlike a rename, a link never takes the place of what another run has made since.
        let linked = fs::hard_link(&whole, &path);
        let fate = match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Fate::Kept,
            // A file system without links.
            Err(_) if !path.exists() => {
                return fs::rename(&whole, &path).map(|()| Fate::Made).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
            Ok(()) => Fate::Made,
        };
        fs::remove_file(&whole).map_err(failed)?;
        Ok(fate)
    }

    /// Writes a file, whether it is there or not.
    pub(super) fn replace(&self, name: &str, text: &Secret) -> Result<Fate, FolderError> {
        let path = self.path.join(name);
        let fate = if path.exists() { Fate::Changed } else { Fate::Made };
        let failed = |source| FolderError::Unwritable { path: path.clone(), source };
        let whole = self.write_aside(name, text).map_err(failed)?;
        fs::rename(whole, &path).map_err(failed)?;
        Ok(fate)
    }

    /// What an operator should look at.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.remarks.borrow().clone()
    }

    /// Writes a text beside the file that is to have it.
    fn write_aside(&self, name: &str, text: &Secret) -> io::Result<PathBuf> {
        let aside = self.path.join(format!(".{name}.new"));
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _absent => {}
        }
        let mut file =
            for_the_owner(OpenOptions::new().write(true).create_new(true)).open(&aside)?;
        restrict(&file)?;
        file.write_all(text.expose().as_bytes())?;
        file.sync_all()?;
        Ok(aside)
    }

    #[cfg(unix)]
    fn inspect(&self, path: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(found) = fs::metadata(path) else { return };
        let mode = found.permissions().mode() & 0o7777;
        if mode & OTHERS == 0 {
            return;
        }
        let tight = if found.is_dir() { DIRECTORY_MODE } else { FILE_MODE };
        let remark = format!(
            "{} is open to more than its owner (mode {mode:o}): `chmod {tight:o} {0}`, unless \
             that is meant",
            path.display()
        );
        let mut remarks = self.remarks.borrow_mut();
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }

    #[cfg(not(unix))]
    fn inspect(&self, _path: &Path) {}
}

#[cfg(unix)]
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    // Whatever the umask says.
    fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE))
}

#[cfg(not(unix))]
fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn for_the_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(FILE_MODE)
}

#[cfg(not(unix))]
fn for_the_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whatever the umask says.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE))
}

#[cfg(not(unix))]
fn restrict(_file: &File) -> io::Result<()> {
    Ok(())
}
