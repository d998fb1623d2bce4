//! `footman secrets --hash`: a password comes in, the hash that a configuration may hold goes out.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::process::ExitCode;

use argon2::{Argon2, PasswordHasher as _};
use shared::lifecycle::{EXIT_FAILED, EXIT_USAGE};
use shared::secret::Secret;
use thiserror::Error;

/// The page may be reached by many, and nothing slows down who guesses elsewhere.
const LEAST_CHARACTERS: usize = 12;
/// Longer than any password; what is piped by mistake ends here.
const MOST_BYTES: u64 = 1_024;

/// Why there is no hash.
#[derive(Debug, Error)]
enum HashError {
    #[error("the password cannot be read from standard input: {0}")]
    Unreadable(io::Error),
    #[error("there is no password: type or pipe one line into standard input")]
    Empty,
    #[error("the password has {found} characters and needs at least {LEAST_CHARACTERS}")]
    Short { found: usize },
    #[error("the password is longer than {MOST_BYTES} bytes")]
    Long,
    #[error("the hash cannot be made: {0}")]
    Unmade(String),
}

/// Prints the argon2id hash of the line that standard input holds.
#[expect(clippy::print_stdout, reason = "the hash is what the command is for")]
#[expect(clippy::print_stderr, reason = "the last words of a command go to its terminal")]
pub(super) fn hash() -> ExitCode {
    if io::stdin().is_terminal() {
        eprintln!("Type the password and Enter (it is seen as you type), or pipe it in:");
    }
    match read().and_then(|password| hash_of(&password)) {
        Ok(hash) => {
            println!("{hash}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("footman: {error}");
            ExitCode::from(match error {
                HashError::Unreadable(_) | HashError::Unmade(_) => EXIT_FAILED,
                HashError::Empty | HashError::Short { .. } | HashError::Long => EXIT_USAGE,
            })
        }
    }
}

/// The first line, which is what a login form sends.
fn read() -> Result<Secret, HashError> {
    let mut line = Vec::new();
    let mut input = io::stdin().lock().take(MOST_BYTES + 1);
    input.read_until(b'\n', &mut line).map_err(HashError::Unreadable)?;
    if line.len() as u64 > MOST_BYTES {
        return Err(HashError::Long);
    }
    let line = String::from_utf8(line).map_err(|_bytes| {
        HashError::Unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    })?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

fn hash_of(password: &Secret) -> Result<String, HashError> {
    if password.expose().trim().is_empty() {
        return Err(HashError::Empty);
    }
    let found = password.expose().chars().count();
    if found < LEAST_CHARACTERS {
        return Err(HashError::Short { found });
    }
    let hash: argon2::PasswordHash = Argon2::default()
        .hash_password(password.expose().as_bytes())
        .map_err(|error| HashError::Unmade(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = hash_of(&Secret::new("twelve chars")).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m="), "{hash}");
        let parsed = argon2::PasswordHash::new(&hash).unwrap();
        Argon2::default().verify_password(b"twelve chars", &parsed).unwrap();
        assert!(Argon2::default().verify_password(b"twelve charz", &parsed).is_err());
    }

    #[test]
    fn short_ones_are_refused_by_their_characters() {
        assert!(matches!(hash_of(&Secret::new("")), Err(HashError::Empty)));
        assert!(matches!(hash_of(&Secret::new("   ")), Err(HashError::Empty)));
        let umlauts = hash_of(&Secret::new("äöüäöüäöüäö"));
        assert!(matches!(umlauts, Err(HashError::Short { found: 11 })), "{umlauts:?}");
    }
}
