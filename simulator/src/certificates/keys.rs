//! RSA keys of 2048 bits, in the three forms that are needed.

use std::thread;

use pkcs8::{
    EncodePrivateKey, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
    pkcs5::pbes2,
};
use rand::Rng;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rsa::{PrivateKey, pkcs1::EncodeRsaPrivateKey};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::making;
use crate::SiteError;

const BITS: usize = 2048;

/// The rounds that OpenSSL uses unless told otherwise.
const PBKDF2_ROUNDS: u32 = 2048;

/// A key that was just made.
pub(super) struct Key {
    key: PrivateKey,
    pkcs8: SecretDocument,
}

/// Makes three keys at once, each on a thread of its own.
pub(super) fn generate_three() -> Result<[Key; 3], SiteError> {
    thread::scope(|scope| {
        let one = scope.spawn(generate);
        let two = scope.spawn(generate);
        let three = generate()?;
        let died = |_| SiteError::Certificates("a thread that makes keys died".to_owned());
        Ok([one.join().map_err(died)??, two.join().map_err(died)??, three])
    })
}

fn generate() -> Result<Key, SiteError> {
    let key = PrivateKey::new(&mut rand::rng(), BITS).map_err(making)?;
    let pkcs8 = key.to_pkcs8_der().map_err(making)?;
    Ok(Key { key, pkcs8 })
}

impl Key {
    pub(super) fn pkcs8(&self) -> PrivatePkcs8KeyDer<'_> {
        self.pkcs8.as_bytes().into()
    }

    /// The key as the maker of certificates takes it.
    pub(super) fn pair(&self) -> Result<KeyPair, SiteError> {
        KeyPair::from_pkcs8_der_and_sign_algo(&self.pkcs8(), &PKCS_RSA_SHA256).map_err(making)
    }

    /// `BEGIN RSA PRIVATE KEY`, as Qlik Sense exports keys.
    pub(super) fn pkcs1_pem(&self) -> Result<String, SiteError> {
        Ok(self.key.to_pkcs1_pem(LineEnding::CRLF).map_err(making)?.to_string())
    }

    /// `BEGIN ENCRYPTED PRIVATE KEY`, PBKDF2 and AES-256-CBC.
    pub(super) fn encrypted_pem(&self, passphrase: &str) -> Result<String, SiteError> {
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        rand::rng().fill_bytes(&mut salt);
        rand::rng().fill_bytes(&mut iv);
        let parameters =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(PBKDF2_ROUNDS, &salt, iv)
                .map_err(making)?;
        let key = PrivateKeyInfoRef::try_from(self.pkcs8.as_bytes()).map_err(making)?;
        let encrypted = key.encrypt_with_params(parameters, passphrase).map_err(making)?;
        let label = <EncryptedPrivateKeyInfoRef<'_> as pkcs8::der::pem::PemLabel>::PEM_LABEL;
        Ok(encrypted.to_pem(label, LineEnding::CRLF).map_err(making)?.to_string())
    }
}
