//! Certificates and keys: any bytes are read, or refused in words that help and hold no secret.

use shared::secret::Secret;
use shared::tls::fuzzing::read;

const PASSPHRASE: &str = "MARKER-of-the-passphrase";
/// That of the encrypted keys that the tests make.
const CORRECT: &str = "correct";

/// Reads the bytes as authorities, and as a certificate with its key.
pub fn keys(bytes: &[u8]) {
    for passphrase in [None, Some(""), Some(CORRECT), Some(PASSPHRASE)] {
        let passphrase = passphrase.map(Secret::from);
        for result in read(bytes, passphrase.as_ref()) {
            let Err(error) = result else { continue };
            let words = error.to_string();
            assert!(words.contains("fuzzed.pem") || words.contains("passphrase"), "{words}");
            assert!(!format!("{words} {error:?}").contains(PASSPHRASE), "{words}");
        }
    }
}
