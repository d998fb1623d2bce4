//! What the files of TLS hold at one moment, and what is made of it.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::identity::File;
use super::{Identity, Roots, TlsError, pem};
use crate::config::{Certificates, ClientCertificate, Tls};
use crate::secret::Secret;

/// The files that TLS with one other side needs.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The authorities to trust; those of the system when none.
    pub ca: Option<PathBuf>,
    /// The certificate to show and its key.
    pub client: Option<ClientCertificate>,
    /// What decrypts the key.
    pub passphrase: Option<Secret>,
}

impl From<&Tls> for Files {
    fn from(tls: &Tls) -> Self {
        Self { ca: tls.ca.clone(), client: tls.client.clone(), passphrase: None }
    }
}

impl From<&Certificates> for Files {
    fn from(files: &Certificates) -> Self {
        let client = ClientCertificate { cert: files.cert.clone(), key: files.key.clone() };
        let (ca, passphrase) = (Some(files.ca.clone()), files.passphrase.clone());
        Self { ca, client: Some(client), passphrase }
    }
}

/// Whom to trust, and who we are.
#[derive(Clone, Debug)]
pub struct Material {
    /// The authorities of servers.
    pub roots: Roots,
    /// What is shown to servers that ask.
    pub identity: Option<Identity>,
}

impl Material {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be used, with the next step.
    pub fn load(files: &Files) -> Result<Self, TlsError> {
        Contents::read(files).material(files)
    }
}

/// By what contents are told apart from those of another moment; the files' times say less, since
/// a link may be exchanged, and a file restored with its old time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The hash of each file; none of one that cannot be read.
    files: Vec<Option<[u8; 32]>>,
    passphrase: Option<Secret>,
}

/// What the files hold.
pub(super) struct Contents {
    ca: Option<Result<Vec<u8>, TlsError>>,
    client: Option<[Result<Vec<u8>, TlsError>; 2]>,
    passphrase: Option<Secret>,
}

impl Contents {
    pub(super) fn read(files: &Files) -> Self {
        let client = files.client.as_ref();
        Self {
            ca: files.ca.as_deref().map(pem::read),
            client: client.map(|client| [pem::read(&client.cert), pem::read(&client.key)]),
            passphrase: files.passphrase.as_ref().map(Secret::current),
        }
    }

    pub(super) fn look(&self) -> Look {
        let files = self.ca.iter().chain(self.client.iter().flatten());
        let hash = |bytes: &Vec<u8>| <[u8; 32]>::from(Sha256::digest(bytes));
        Look {
            files: files.map(|read| read.as_ref().ok().map(hash)).collect(),
            passphrase: self.passphrase.clone(),
        }
    }

    pub(super) fn material(self, files: &Files) -> Result<Material, TlsError> {
        let roots = match (self.ca, &files.ca) {
            (Some(read), Some(path)) => Roots::of(File { path, bytes: &read? })?,
            _ => Roots::of_system()?,
        };
        let identity = match (self.client, &files.client) {
            (Some([cert, key]), Some(client)) => {
                let (cert, key) = (cert?, key?);
                let cert = File { path: &client.cert, bytes: &cert };
                let key = File { path: &client.key, bytes: &key };
                Some(Identity::of(cert, key, self.passphrase.as_ref())?)
            }
            _ => None,
        };
        Ok(Material { roots, identity })
    }
}
