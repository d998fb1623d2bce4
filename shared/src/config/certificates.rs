//! The files that prove identities: the site's client certificate, and those of brokers.

use std::path::PathBuf;

use super::section::Section;
use super::usable;
use crate::secret::Secret;

/// The certificate that Qlik Sense exported for its monitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The client certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signed the site's certificates.
    pub ca: PathBuf,
    /// What decrypts the key.
    pub passphrase: Option<Secret>,
}

/// How to speak TLS with something that is not Qlik Sense.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authority to trust; those of the system when none.
    pub ca: Option<PathBuf>,
    /// The certificate to show, when the other side asks for one.
    pub client: Option<ClientCertificate>,
}

/// A certificate and its key, which only come together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Tls {
    /// Says whether any of its keys is set.
    pub fn is_set(&self) -> bool {
        self.ca.is_some() || self.client.is_some()
    }
}

/// Reads `cert` and `collector.cert`; they have effect when something is polled.
pub(super) fn read(
    predecessor: Section<'_>,
    own: Section<'_>,
    is_needed: bool,
) -> Option<Certificates> {
    let predecessor = predecessor.quiet_unless(is_needed);
    let own = own.quiet_unless(is_needed);
    let in_file = own.secret_file("passphraseFile");
    let written = predecessor.quiet_if(own.is_given("passphraseFile"), |predecessor| {
        predecessor.secret("clientCertPassphrase")
    });
    let certificates = Certificates {
        cert: predecessor.required_file("clientCert"),
        key: predecessor.required_private_file("clientCertKey"),
        ca: predecessor.required_file("clientCertCA"),
        passphrase: in_file.or(written),
    };
    if predecessor.is_thorough() {
        usable::look_into_site(&predecessor, &own, &certificates);
    }
    predecessor.finish();
    own.finish();
    is_needed.then_some(certificates)
}

/// Reads a section `tls`.
pub(super) fn read_tls(section: Section<'_>) -> Tls {
    let ca = section.optional_file("ca");
    let cert = section.optional_file("cert");
    let key = section.optional_private_file("key");
    let client = match (cert, key) {
        (Some(cert), Some(key)) => Some(ClientCertificate { cert, key }),
        (None, None) => None,
        (Some(_), None) => {
            section.problem("key", "is missing: a certificate needs its key", None);
            None
        }
        (None, Some(_)) => {
            section.problem("cert", "is missing: a key needs its certificate", None);
            None
        }
    };
    let tls = Tls { ca, client };
    if section.is_thorough() {
        usable::look_into(&section, &tls);
    }
    section.finish();
    tls
}
