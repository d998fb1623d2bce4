//! The directory of a queue: events in it name users, so it is for its owner alone.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// What the owner may do, and nobody else.
#[cfg(unix)]
const OWNER_ALONE: u32 = 0o700;

/// Makes a directory, and what is missing above it, for the owner alone; one that is there keeps
/// its mode, since the operator may have meant it.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(OWNER_ALONE);
    }
    builder.create(directory)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_made_is_private_and_what_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (above, below) = (folder.path().join("data"), folder.path().join("data/outbox"));
        make_private(&below).unwrap();
        let mode = |path: &Path| metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&above) & 0o077, mode(&below) & 0o077), (0, 0));
        set_permissions(&below, Permissions::from_mode(0o750)).unwrap();
        make_private(&below).unwrap();
        assert_eq!(mode(&below), 0o750);
    }
}
