//! The readers of certificates and keys without their files, for checks that feed them anything.
//!
//! Hidden, since it is no interface.

use std::path::Path;

use super::identity::File;
use super::{Identity, Roots, TlsError};
use crate::secret::Secret;

/// Reads the same bytes as authorities, and as a certificate with its key.
pub fn read(bytes: &[u8], passphrase: Option<&Secret>) -> [Result<(), TlsError>; 2] {
    let file = File { path: Path::new("fuzzed.pem"), bytes };
    [Roots::of(file).map(drop), Identity::of(file, file, passphrase).map(drop)]
}
