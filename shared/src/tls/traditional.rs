//! Keys encrypted in OpenSSL's traditional form (`Proc-Type: 4,ENCRYPTED`, `DEK-Info`).
//!
//! The cipher's key is derived with OpenSSL's `EVP_BytesToKey`: MD5 over passphrase and salt, one
//! round; the salt is the first half of the initialization vector. The form is weak, and it is
//! what Qlik Sense and older OpenSSL write, so it is read and never written.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};

/// Bytes of salt that the derivation takes from the initialization vector.
const SALT_BYTES: usize = 8;

/// Why a key cannot be decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undecryptable {
    /// The passphrase is wrong.
    Passphrase,
    /// The cipher is not supported.
    Cipher(String),
    /// The header is damaged.
    Header,
}

/// Decrypts a key, given the value of its `DEK-Info`.
pub(super) fn decrypt(
    dek_info: &str,
    encrypted: &[u8],
    passphrase: &str,
) -> Result<Vec<u8>, Undecryptable> {
    let (cipher, iv) = dek_info.split_once(',').ok_or(Undecryptable::Header)?;
    let iv = from_hex(iv.trim()).ok_or(Undecryptable::Header)?;
    let salt = iv.get(..SALT_BYTES).ok_or(Undecryptable::Header)?;
    let derive = |length| derived_key(passphrase.as_bytes(), salt, length);
    let plain = match cipher.trim() {
        "AES-128-CBC" => unpadded::<Decryptor<Aes128>>(&derive(16), &iv, encrypted)?,
        "AES-192-CBC" => unpadded::<Decryptor<Aes192>>(&derive(24), &iv, encrypted)?,
        "AES-256-CBC" => unpadded::<Decryptor<Aes256>>(&derive(32), &iv, encrypted)?,
        "DES-EDE3-CBC" => unpadded::<Decryptor<TdesEde3>>(&derive(24), &iv, encrypted)?,
        other => return Err(Undecryptable::Cipher(other.to_owned())),
    };
    // Padding is right by chance once in 256 wrong passphrases.
    if is_one_sequence(&plain) { Ok(plain) } else { Err(Undecryptable::Passphrase) }
}

fn unpadded<D: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    encrypted: &[u8],
) -> Result<Vec<u8>, Undecryptable> {
    let cipher = D::new_from_slices(key, iv).map_err(|_wrong_length| Undecryptable::Header)?;
    cipher.decrypt_padded_vec::<Pkcs7>(encrypted).map_err(|_padding| Undecryptable::Passphrase)
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn derived_key(passphrase: &[u8], salt: &[u8], length: usize) -> Vec<u8> {
    let mut key: Vec<u8> = Vec::with_capacity(length + 16);
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        let digest = Md5::new().chain_update(&last).chain_update(passphrase).chain_update(salt);
        last = digest.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

/// Whether bytes are one DER sequence and nothing after it, as every private key is.
fn is_one_sequence(der: &[u8]) -> bool {
    let [0x30, first, rest @ ..] = der else {
        return false;
    };
    if *first < 0x80 {
        return rest.len() == usize::from(*first);
    }
    let digits = usize::from(first & 0x7f);
    let Some((length, content)) = rest.split_at_checked(digits) else {
        return false;
    };
    let length = length.iter().take(4).fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    digits <= 4 && content.len() == length
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_cannot_be_read() {
        let decrypt = |dek_info| decrypt(dek_info, &[0; 16], "x").unwrap_err();
        assert_eq!(decrypt("AES-256-CBC"), Undecryptable::Header);
        assert_eq!(decrypt("AES-256-CBC,XY"), Undecryptable::Header);
        assert_eq!(decrypt("AES-256-CBC,0011"), Undecryptable::Header);
        assert_eq!(decrypt("AES-256-CBC,0011223344556677"), Undecryptable::Header);
        let unknown = Undecryptable::Cipher("IDEA-CBC".to_owned());
        assert_eq!(decrypt("IDEA-CBC,0011223344556677"), unknown);
    }

    #[test]
    fn sequences() {
        assert!(is_one_sequence(&[0x30, 1, 0]));
        assert!(is_one_sequence(&[0x30, 0x81, 1, 0]));
        assert!(!is_one_sequence(&[0x30, 2, 0]));
        assert!(!is_one_sequence(&[0x30, 0x85, 0, 0, 0, 0, 1, 0]));
        assert!(!is_one_sequence(&[]));
    }
}
