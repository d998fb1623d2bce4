//! Certificates and keys that can be read: whether they can be used, too.
//!
//! The programs find out when they start; `footman check` says it beside all other mistakes.
//! Nothing is asked over the network.

use std::path::Path;

use super::certificates::{Certificates, Tls};
use super::section::Section;
use crate::tls::{IdentityFault, TlsError, authority_fault, identity_faults, signature_fault};

/// Looks into the files of `cert`; the passphrase may be in that of `collector.cert`.
pub(super) fn look_into_site(section: &Section<'_>, own: &Section<'_>, files: &Certificates) {
    let Certificates { cert, key, ca, passphrase } = files;
    let faults = identity_faults(cert, key, passphrase.as_ref());
    let identity_is_right = faults.is_empty();
    for fault in faults {
        match fault {
            IdentityFault::Cert(error) => told(section, "clientCert", &error),
            IdentityFault::Key(error) => told(section, "clientCertKey", &error),
            IdentityFault::Passphrase(error) if own.is_given("passphraseFile") => {
                told(own, "passphraseFile", &error);
            }
            IdentityFault::Passphrase(error) => told(section, "clientCertPassphrase", &error),
        }
    }
    let authority_is_right = look_into_authority(section, "clientCertCA", ca);
    if identity_is_right
        && authority_is_right
        && let Some(fault) = signature_fault(cert, ca)
    {
        section.warn("clientCert", fault);
    }
}

/// Looks into the files of a section `tls`.
pub(super) fn look_into(section: &Section<'_>, tls: &Tls) {
    if let Some(ca) = &tls.ca {
        look_into_authority(section, "ca", ca);
    }
    for fault in tls.client.iter().flat_map(|files| identity_faults(&files.cert, &files.key, None))
    {
        match fault {
            IdentityFault::Cert(error) => told(section, "cert", &error),
            IdentityFault::Key(error) | IdentityFault::Passphrase(error) => {
                told(section, "key", &error);
            }
        }
    }
}

/// Looks into a file of authorities; says whether it can be used.
pub(super) fn look_into_authority(section: &Section<'_>, key: &str, ca: &Path) -> bool {
    let fault = authority_fault(ca);
    if let Some(error) = &fault {
        told(section, key, error);
    }
    fault.is_none()
}

/// Records what is wrong with a file; that it cannot be read at all is recorded already.
fn told(section: &Section<'_>, key: &str, error: &TlsError) {
    if !matches!(error, TlsError::Unreadable { .. }) {
        section.problem(key, error.to_string(), None);
    }
}
