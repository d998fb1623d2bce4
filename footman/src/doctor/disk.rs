//! Files and directories as the operating system shows them: rights, owners, room.

use std::path::Path;

/// Entries of one directory that are counted; a queue has a handful.
const MOST_ENTRIES: usize = 1_000;

/// Bytes of the files in a directory, without those in directories below it.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().take(MOST_ENTRIES).filter_map(|entry| entry.metadata().ok());
    sizes.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// The nearest that exists of a path and what is above it.
pub(crate) fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors()
        .map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above })
        .find(|above| above.exists())
}

#[cfg(unix)]
pub(crate) use unix::{Owner, free, is_writable, owner, reader};

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use rustix::fs::{Access, access, statvfs};

    use super::nearest;

    /// Whose a file is, and who may do what with it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Owner {
        pub(crate) uid: u32,
        pub(crate) gid: u32,
        /// Permissions, the last nine bits of them being those of owner, group and others.
        pub(crate) mode: u32,
    }

    impl Owner {
        /// Whether everybody may read it.
        pub(crate) fn is_readable_by_all(self) -> bool {
            self.mode & 0o004 != 0
        }

        /// `uid 998, gid 998, mode 0640`.
        pub(crate) fn words(self) -> String {
            format!("uid {}, gid {}, mode {:04o}", self.uid, self.gid, self.mode)
        }
    }

    /// Whose something is.
    pub(crate) fn owner(path: &Path) -> Option<Owner> {
        let metadata = std::fs::metadata(path).ok()?;
        let mode = metadata.mode() & 0o7777;
        Some(Owner { uid: metadata.uid(), gid: metadata.gid(), mode })
    }

    /// Who is looking.
    pub(crate) fn reader() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// Whether whoever is looking may make files in a directory.
    pub(crate) fn is_writable(directory: &Path) -> bool {
        access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
    }

    /// Bytes that the disk of a path has free for those who are not root.
    pub(crate) fn free(path: &Path) -> Option<u64> {
        let found = statvfs(nearest(path)?).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

#[cfg(not(unix))]
pub(crate) use other::{Owner, free, is_writable, owner, reader};

/// Where rights are lists that are not read here.
#[cfg(not(unix))]
mod other {
    use std::path::Path;

    /// Not known.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Owner {
        pub(crate) uid: u32,
    }

    impl Owner {
        pub(crate) fn is_readable_by_all(self) -> bool {
            false
        }

        pub(crate) fn words(self) -> String {
            String::new()
        }
    }

    pub(crate) fn owner(_path: &Path) -> Option<Owner> {
        None
    }

    /// Nobody is compared with anybody.
    pub(crate) fn reader() -> u32 {
        0
    }

    pub(crate) fn is_writable(directory: &Path) -> bool {
        std::fs::metadata(directory).is_ok_and(|found| !found.permissions().readonly())
    }

    pub(crate) fn free(_path: &Path) -> Option<u64> {
        None
    }
}
