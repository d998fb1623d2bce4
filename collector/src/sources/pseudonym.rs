//! User ids as keyed hashes: the same person has the same name everywhere, and nobody without the
//! key can tell which, nor try names until one fits.
//!
//! The name is the first 32 hex digits of HMAC-SHA-256 over the directory in lower case, a zero
//! byte, and the id in lower case, since Qlik Sense takes both in any case. Operators can compute
//! it: `docs/security.md` has the command.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shared::config::LEAST_KEY_BYTES;
use shared::secret::Secret;

/// Bytes of the hash that make a name: 128 bits, so that no two users of any site share one.
const NAME_BYTES: usize = 16;
/// Bytes that tell keys apart.
const KEY_ID_BYTES: usize = 4;
/// What is hashed for a key's id. No user's text is without a zero byte, so it is nobody's name.
const KEY_ID_TEXT: &[u8] = b"key id";

/// The key of now; a file that holds another is noticed within a second.
#[derive(Debug)]
pub(super) struct Pseudonyms {
    secret: Secret,
    key: Mutex<Arc<Key>>,
}

/// One key, ready to hash.
pub(super) struct Key {
    secret: Secret,
    hmac: Hmac<Sha256>,
    id: String,
    /// Whether it was said that what the file holds now is too short.
    told: bool,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Pseudonyms {
    pub(super) fn new(secret: &Secret) -> Self {
        Self { key: Mutex::new(Arc::new(Key::new(secret))), secret: secret.clone() }
    }

    /// The key to hash the users of one poll with.
    pub(super) fn key(&self) -> Arc<Key> {
        let secret = self.secret.current();
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if key.secret != secret {
            if secret.expose().len() >= LEAST_KEY_BYTES {
                let new = Key::new(&secret);
                tracing::warn!(
                    before = key.id,
                    now = new.id,
                    "The key of userIds has changed: from now on every user has another name, and \
                     userIdKey in the events says which key it is from."
                );
                *key = Arc::new(new);
            } else if !key.told {
                tracing::warn!(
                    "The file of collector.userIdKeyFile holds fewer than {LEAST_KEY_BYTES} bytes \
                     now; the key that it held before goes on being used."
                );
                let told = Key { told: true, ..Key::new(&key.secret) };
                *key = Arc::new(told);
            }
        }
        Arc::clone(&key)
    }
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let hmac = keyed(secret);
        let id = hex(hmac.clone().chain_update(KEY_ID_TEXT), KEY_ID_BYTES);
        Self { secret: secret.clone(), hmac, id, told: false }
    }

    /// What tells this key from others, and does not reveal it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name of a user.
    pub(super) fn name(&self, directory: &str, user_id: &str) -> String {
        let hashed = self
            .hmac
            .clone()
            .chain_update(directory.to_lowercase())
            .chain_update([0])
            .chain_update(user_id.to_lowercase());
        hex(hashed, NAME_BYTES)
    }
}

fn keyed(secret: &Secret) -> Hmac<Sha256> {
    // A key of any length is taken: the error of the type cannot happen, and an empty key would be
    // the most harmless thing to go on with.
    Hmac::new_from_slice(secret.expose().as_bytes())
        .unwrap_or_else(|_any_length| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()))
}

fn hex(hash: Hmac<Sha256>, bytes: usize) -> String {
    let digest = hash.finalize().into_bytes();
    digest.iter().take(bytes).fold(String::with_capacity(2 * bytes), |mut text, byte| {
        // A text takes everything.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "0123456789abcdef";

    #[test]
    fn names_are_those_that_openssl_computes() {
        // printf 'corp\0jane' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = Key::new(&Secret::new(KEY));
        assert_eq!(key.name("CORP", "Jane"), "73f8c268a337907b4129dda7566ad402");
        assert_eq!(key.name("corp", "jane"), key.name("CORP", "JANE"));
        assert_ne!(key.name("corp", "jane"), key.name("corpj", "ane"));
        // printf 'key id' | openssl dgst -sha256 -hmac 0123456789abcdef
        assert_eq!(key.id(), "048ac241");
        let other = Key::new(&Secret::new("0123456789abcdeF"));
        assert_ne!(key.name("corp", "jane"), other.name("corp", "jane"));
        assert_ne!(key.id(), other.id());
        assert!(!format!("{key:?}").contains(KEY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_key_is_used_unless_it_is_too_short() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("user-id-key");
        fs::write(&path, KEY).unwrap();
        let pseudonyms = Pseudonyms::new(&Secret::from_file(&path).unwrap());
        let first = pseudonyms.key().id().to_owned();
        fs::write(&path, "short").unwrap();
        for _twice in 0..2 {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            assert_eq!(pseudonyms.key().id(), first);
        }
        fs::write(&path, "fedcba9876543210\n").unwrap();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(pseudonyms.key().id(), Key::new(&Secret::new("fedcba9876543210")).id());
    }
}
