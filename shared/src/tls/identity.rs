//! The certificate that we show, with its key.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::{TlsError, key, pem, provider};
use crate::secret::Secret;

/// Labels under which certificates are found in PEM files.
const CERTIFICATE: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// What a file holds, with its path for messages.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: &'a [u8],
}

/// A certificate and its key, checked to belong together; clones share them.
#[derive(Clone)]
pub struct Identity {
    resolver: Arc<SingleCertAndKey>,
}

impl Identity {
    /// Reads a certificate (its chain may follow it) and its key, plain or encrypted.
    ///
    /// # Errors
    /// A file that cannot be used, with the next step.
    pub fn load(cert: &Path, key: &Path, passphrase: Option<&Secret>) -> Result<Self, TlsError> {
        let cert = File { path: cert, bytes: &pem::read(cert)? };
        let key = File { path: key, bytes: &pem::read(key)? };
        Self::of(cert, key, passphrase)
    }

    /// The identity in what two files hold.
    pub(super) fn of(
        cert: File<'_>,
        key: File<'_>,
        passphrase: Option<&Secret>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(cert)?;
        let private_key = key::of(key, passphrase)?;
        let (cert, key) = (cert.path, key.path);
        let certified = CertifiedKey::from_der(chain, private_key, &provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::KeyOfAnother { cert: cert.to_owned(), key: key.to_owned() }
            }
            rustls::Error::InvalidCertificate(cause) => TlsError::Malformed {
                path: cert.to_owned(),
                why: format!("its certificate cannot be read ({cause})"),
            },
            other => TlsError::Malformed {
                path: key.to_owned(),
                why: format!("its key cannot be read ({other})"),
            },
        })?;
        Ok(Self { resolver: Arc::new(SingleCertAndKey::from(certified)) })
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::clone(&self.resolver) as Arc<dyn ResolvesClientCert>
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// All certificates of a file.
pub(super) fn certificates(file: File<'_>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let File { path, bytes } = file;
    let blocks = pem::blocks(bytes, path)?;
    let found: Vec<CertificateDer<'static>> = blocks
        .iter()
        .filter(|block| CERTIFICATE.contains(&block.label.as_str()))
        .map(|block| CertificateDer::from(block.der.clone()))
        .collect();
    if found.is_empty() {
        return Err(TlsError::Missing {
            path: path.to_owned(),
            expected: "certificate",
            found: pem::describe(&blocks, path),
        });
    }
    Ok(found)
}
