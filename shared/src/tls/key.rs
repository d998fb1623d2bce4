//! Private keys: PKCS#1, PKCS#8 and SEC1, plain or encrypted.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2::Kdf;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::TlsError;
use super::identity::File;
use super::pem::{self, Block};
use super::traditional::{self, Undecryptable};
use crate::secret::Secret;

const PKCS1: &str = "RSA PRIVATE KEY";
const PKCS8: &str = "PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS8_ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Rounds of PBKDF2 that are worth waiting for: a second or two. OpenSSL makes 2,048, and 600,000 are
/// recommended; a damaged file may say four billion.
const MOST_ROUNDS: u32 = 2_000_000;
/// Memory that scrypt may take: OpenSSL makes keys of 16 MiB.
const MOST_MEMORY_BYTES: u64 = 64 << 20;
/// What scrypt counts its memory in.
const SCRYPT_BLOCK_BYTES: u64 = 128;

/// The first private key of a file.
pub(super) fn of(
    file: File<'_>,
    passphrase: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let File { path, bytes } = file;
    let blocks = pem::blocks(bytes, path)?;
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
    if let Some(params) = info.encryption_algorithm.pbes2()
        && let Some(algorithm) = excessive(&params.kdf)
    {
        return Err(TlsError::EncryptionUnknown { path, algorithm });
    }
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

/// What makes it too expensive to find out the key of the cipher, if anything does.
fn excessive(kdf: &Kdf) -> Option<String> {
    if let Some(pbkdf2) = kdf.pbkdf2() {
        let rounds = pbkdf2.iteration_count;
        return (rounds > MOST_ROUNDS).then(|| format!("PBKDF2 of {rounds} rounds"));
    }
    let scrypt = kdf.scrypt()?;
    let blocks = u64::from(scrypt.block_size).saturating_mul(u64::from(scrypt.parallelization));
    let bytes = scrypt.cost_parameter.saturating_mul(blocks).saturating_mul(SCRYPT_BLOCK_BYTES);
    (bytes > MOST_MEMORY_BYTES).then(|| format!("scrypt over {bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use pkcs8::pkcs5::pbes2::Pbkdf2Params;

    use super::*;

    #[test]
    fn derivations_that_would_never_end_are_refused() {
        let rounds = |rounds| Kdf::from(Pbkdf2Params::hmac_sha256(rounds, b"salt").unwrap());
        assert_eq!(excessive(&rounds(600_000)), None);
        assert_eq!(excessive(&rounds(90_000_000)).unwrap(), "PBKDF2 of 90000000 rounds");
    }
}
