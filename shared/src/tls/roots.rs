//! The authorities that servers are verified against.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;

use super::identity::{self, File};
use super::{TlsError, pem};

/// Trusted authorities; clones share them.
#[derive(Clone, Debug)]
pub struct Roots(pub(super) Arc<RootCertStore>);

impl Roots {
    /// Reads a file with one or more authorities.
    ///
    /// # Errors
    /// A file that cannot be used, with the next step.
    pub fn load(path: &Path) -> Result<Self, TlsError> {
        Self::of(File { path, bytes: &pem::read(path)? })
    }

    /// The authorities in what a file holds.
    pub(super) fn of(file: File<'_>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in identity::certificates(file)? {
            store.add(certificate).map_err(|error| TlsError::Malformed {
                path: file.path.to_owned(),
                why: format!("a certificate in it cannot be read ({error})"),
            })?;
        }
        Ok(Self(Arc::new(store)))
    }

    /// The authorities that the system trusts.
    ///
    /// # Errors
    /// There are none.
    pub fn of_system() -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(TlsError::NoSystemRoots);
        }
        Ok(Self(Arc::new(store)))
    }
}
