//! Who can read a file: what the operating system says, where it can say it in three digits.

use std::path::Path;

/// The bit that lets everybody read.
#[cfg(unix)]
const OTHERS_READ: u32 = 0o004;
/// The bits that say who may do what.
#[cfg(unix)]
const PERMISSIONS: u32 = 0o777;

/// The mode of a file that everybody on this host can read; none for others, and for one that
/// is not there.
#[cfg(unix)]
pub(super) fn open_to_everybody(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mode = metadata.permissions().mode() & PERMISSIONS;
    (mode & OTHERS_READ != 0).then_some(mode)
}

/// Access lists are not looked at.
#[cfg(not(unix))]
pub(super) fn open_to_everybody(_path: &Path) -> Option<u32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_mode_says_who_reads() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, "k").unwrap();
        for (mode, open) in
            [(0o600, None), (0o640, None), (0o644, Some(0o644)), (0o604, Some(0o604))]
        {
            set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_to_everybody(&file), open, "{mode:o}");
        }
        set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(open_to_everybody(directory.path()), None);
        assert_eq!(open_to_everybody(&directory.path().join("absent")), None);
    }
}
