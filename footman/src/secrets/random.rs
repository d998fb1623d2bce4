//! What nobody can guess: the operating system's randomness, stretched by the generator of `rand`.

use std::fmt::Write as _;

use rand::Rng as _;
use rand::distr::{Alphanumeric, SampleString as _};
use shared::secret::Secret;

/// Letters and digits: 190 bits, safe in URLs, command lines and configuration files.
const PASSWORD_CHARACTERS: usize = 32;
/// Tokens are never typed.
const TOKEN_CHARACTERS: usize = 64;
/// The size of a key for HMAC-SHA-256.
const KEY_BYTES: usize = 32;

/// A password.
pub(super) fn password() -> Secret {
    text(PASSWORD_CHARACTERS)
}

/// A token of InfluxDB.
pub(super) fn token() -> Secret {
    text(TOKEN_CHARACTERS)
}

/// A key, in hexadecimal digits.
pub(super) fn key() -> Secret {
    let mut digits = String::with_capacity(2 * KEY_BYTES);
    for byte in bytes::<KEY_BYTES>() {
        // A text has room for everything.
        let _written = write!(digits, "{byte:02x}");
    }
    Secret::new(digits)
}

/// Bytes, such as a salt.
pub(super) fn bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn text(characters: usize) -> Secret {
    Secret::new(Alphanumeric.sample_string(&mut rand::rng(), characters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_alphabets() {
        assert_eq!(password().expose().len(), 32);
        assert!(token().expose().chars().all(|character| character.is_ascii_alphanumeric()));
        let key = key();
        assert_eq!(key.expose().len(), 64);
        assert!(key.expose().chars().all(|digit| digit.is_ascii_hexdigit()));
        assert!(password() != password());
    }
}
