//! What is wrong with certificates and keys, all of it at once, before anybody connects.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error};

use super::identity::{File, certificates};
use super::{Identity, Roots, TlsError, key, pem, provider};
use crate::secret::Secret;

/// Something is wrong with a certificate and its key, told apart by the setting to change.
#[derive(Debug)]
pub enum IdentityFault {
    /// The file of the certificate.
    Cert(TlsError),
    /// The file of the key.
    Key(TlsError),
    /// What decrypts the key.
    Passphrase(TlsError),
}

/// All that keeps a certificate and its key from being shown; nothing when they are right.
pub fn identity_faults(cert: &Path, key: &Path, passphrase: Option<&Secret>) -> Vec<IdentityFault> {
    let chain = pem::read(cert).and_then(|bytes| certificates(File { path: cert, bytes: &bytes }));
    let private_key = pem::read(key)
        .and_then(|bytes| key::of(File { path: key, bytes: &bytes }, passphrase).map(drop));
    let mut faults = Vec::new();
    faults.extend(chain.err().map(IdentityFault::Cert));
    faults.extend(private_key.err().map(of_key));
    if faults.is_empty() {
        let together = Identity::load(cert, key, passphrase).err();
        faults.extend(together.map(|error| match &error {
            TlsError::Malformed { path, .. } if path == cert => IdentityFault::Cert(error),
            _ => of_key(error),
        }));
    }
    faults
}

/// What keeps the authorities of a file from being trusted.
pub fn authority_fault(ca: &Path) -> Option<TlsError> {
    Roots::load(ca).err()
}

/// What a server that trusts `ca` has against the certificate in `cert`, in words; none when it
/// has nothing against it, and when one of the two cannot be read.
///
/// Qlik Sense exports both together, so another authority means that files of two exports are mixed.
pub fn signature_fault(cert: &Path, ca: &Path) -> Option<String> {
    let bytes = pem::read(cert).ok()?;
    let chain = certificates(File { path: cert, bytes: &bytes }).ok()?;
    let (certificate, intermediates) = chain.split_first()?;
    let roots = Arc::clone(&Roots::load(ca).ok()?.0);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build().ok()?;
    let refused = verifier.verify_client_cert(certificate, intermediates, UnixTime::now()).err()?;
    let (cert, ca) = (cert.display(), ca.display());
    match refused {
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some(format!(
            "the certificate in {cert} has expired, or its authority has: export both anew"
        )),
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => Some(format!("the certificate in {cert} is not valid yet: compare the clocks")),
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => Some(format!(
            "the authority in {ca} did not sign the certificate in {cert}: they are from \
             different exports, and one of them is of another site"
        )),
        // What else a verifier minds, Qlik Sense may not.
        _ => None,
    }
}

/// The setting that a fault of a key is about.
fn of_key(error: TlsError) -> IdentityFault {
    match error {
        TlsError::PassphraseMissing { .. } | TlsError::PassphraseWrong { .. } => {
            IdentityFault::Passphrase(error)
        }
        error => IdentityFault::Key(error),
    }
}
