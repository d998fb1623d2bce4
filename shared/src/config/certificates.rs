//! The files that prove identities: the site's client certificate, and those of brokers.

use std::path::PathBuf;

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
