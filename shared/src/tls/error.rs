//! What can be wrong with the files of TLS, in words that say what to do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why TLS cannot be set up. No variant holds a passphrase or a key.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read ({source}): check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {expected} in PEM form, but {found}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        expected: &'static str,
        /// What is there, and how it becomes what was looked for.
        found: String,
    },
    /// A file holds what it should, damaged.
    #[error("{} cannot be used: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A key is encrypted and there is no passphrase.
    #[error(
        "the key in {} is encrypted: set its passphrase (cert.clientCertPassphrase for the site's \
         certificate), or decrypt it with `openssl pkey -in {} -out key-decrypted.pem`",
        path.display(), path.display()
    )]
    PassphraseMissing {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not decrypt the key.
    #[error("the passphrase does not decrypt the key in {}: check it", path.display())]
    PassphraseWrong {
        /// The file.
        path: PathBuf,
    },
    /// A key is encrypted in a way that is not supported.
    #[error(
        "the key in {} is encrypted with {algorithm}, which is not supported: convert it with \
         `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out key-pkcs8.pem`",
        path.display(), path.display()
    )]
    EncryptionUnknown {
        /// The file.
        path: PathBuf,
        /// The algorithm's name or object identifier.
        algorithm: String,
    },
    /// Certificate and key do not belong together.
    #[error(
        "the key in {} is not the key of the certificate in {}: export both together",
        key.display(), cert.display()
    )]
    KeyOfAnother {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The system has no authorities to trust.
    #[error("the system has no trusted authorities: name a file of them (`ca`)")]
    NoSystemRoots,
    /// A name to verify certificates against is no DNS name and no IP address.
    #[error("`{name}` is no name that a certificate can hold")]
    ServerName {
        /// The name.
        name: String,
    },
    /// The settings do not fit together.
    #[error("TLS cannot be set up")]
    Setting(#[source] rustls::Error),
}

impl TlsError {
    /// Whether each file is sound and they do not fit together, as while they are being replaced
    /// one after the other.
    pub(super) fn is_misfit(&self) -> bool {
        matches!(self, Self::KeyOfAnother { .. } | Self::PassphraseWrong { .. })
    }
}
