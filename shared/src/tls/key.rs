//! Private keys: PKCS#1, PKCS#8 and SEC1, plain or encrypted.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::TlsError;
use super::pem::{self, Block};
use super::traditional::{self, Undecryptable};
use crate::secret::Secret;

const PKCS1: &str = "RSA PRIVATE KEY";
const PKCS8: &str = "PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS8_ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Reads the first private key of a file.
pub(super) fn load(
    path: &Path,
    passphrase: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let blocks = pem::read(path)?;
    let key = blocks
        .iter()
        .find(|block| [PKCS1, PKCS8, SEC1, PKCS8_ENCRYPTED].contains(&block.label.as_str()));
    let Some(block) = key else {
        return Err(TlsError::Missing {
            path: path.to_owned(),
            expected: "private key",
            found: pem::describe(&blocks, path),
        });
    };
    let passphrase = passphrase.filter(|passphrase| !passphrase.is_empty());
    let der = decrypted(block, path, passphrase)?;
    Ok(match block.label.as_str() {
        PKCS1 => PrivatePkcs1KeyDer::from(der).into(),
        SEC1 => PrivateSec1KeyDer::from(der).into(),
        _ => PrivatePkcs8KeyDer::from(der).into(),
    })
}

fn decrypted(block: &Block, path: &Path, passphrase: Option<&Secret>) -> Result<Vec<u8>, TlsError> {
    let traditional =
        block.header("Proc-Type").is_some_and(|value| value.to_uppercase().contains("ENCRYPTED"));
    if !traditional && block.label != PKCS8_ENCRYPTED {
        return Ok(block.der.clone());
    }
    let path = path.to_owned();
    let Some(passphrase) = passphrase else {
        return Err(TlsError::PassphraseMissing { path });
    };
    if !traditional {
        return decrypt_pkcs8(&block.der, passphrase, &path);
    }
    let dek_info = block.header("DEK-Info").unwrap_or_default();
    traditional::decrypt(dek_info, &block.der, passphrase.expose()).map_err(|cause| match cause {
        Undecryptable::Passphrase => TlsError::PassphraseWrong { path },
        Undecryptable::Cipher(algorithm) => TlsError::EncryptionUnknown { path, algorithm },
        Undecryptable::Header => {
            TlsError::Malformed { path, why: "its DEK-Info is damaged".to_owned() }
        }
    })
}

fn decrypt_pkcs8(der: &[u8], passphrase: &Secret, path: &Path) -> Result<Vec<u8>, TlsError> {
    let path = path.to_owned();
    // The reader knows PBES2 alone; the PKCS#12 schemes of old exports look like damage to it.
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_error| {
        let algorithm = "a scheme older than PBES2".to_owned();
        TlsError::EncryptionUnknown { path: path.clone(), algorithm }
    })?;
    match info.decrypt(passphrase.expose()) {
        Ok(document) => Ok(document.as_bytes().to_vec()),
        Err(pkcs8::Error::EncryptedPrivateKey(cause)) => match cause {
            pkcs8::pkcs5::Error::UnsupportedAlgorithm { oid }
            | pkcs8::pkcs5::Error::AlgorithmParametersInvalid { oid } => {
                Err(TlsError::EncryptionUnknown { path, algorithm: oid.to_string() })
            }
            pkcs8::pkcs5::Error::NoPbes1CryptSupport => {
                Err(TlsError::EncryptionUnknown { path, algorithm: "PBES1".to_owned() })
            }
            _ => Err(TlsError::PassphraseWrong { path }),
        },
        // Decrypted, and no key: padding is right by chance once in 256 wrong passphrases.
        Err(_) => Err(TlsError::PassphraseWrong { path }),
    }
}
