//! The password of the page, checked against the argon2id hash of the configuration.
//!
//! A check costs some 20 MiB and 20 ms on purpose. So two run at a time, wrong ones are limited, and
//! the right one is remembered as a keyed hash: whoever knows it is let in at once, also while
//! somebody else guesses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use sha2::Sha256;
use shared::secret::Secret;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::guesses::Guesses;

/// Checks at a time: each takes the memory that its hash asks for.
const CHECKS: usize = 2;
/// Requests that wait for a check; a browser that opens the page has a handful.
const WAITING: usize = 64;
/// Longer than any password that `footman secrets --hash` takes.
const LONGEST: usize = 1_024;
/// The size of the key of what is remembered, which lives as long as the process: a block of the
/// hash.
const KEY_BYTES: usize = 64;

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Let in.
    Right,
    /// No password was sent.
    Missing,
    /// It is another one.
    Wrong,
    /// Too many are tried.
    Busy,
    /// The configuration holds no hash.
    Unusable,
}

/// The password.
pub(super) struct Password {
    hash: Secret,
    key: Hmac<Sha256>,
    /// The right password with the hash that it was right for.
    remembered: Mutex<Option<Vec<u8>>>,
    checks: Arc<Semaphore>,
    waiting: Semaphore,
    guesses: Mutex<Guesses>,
    /// Whether it was said that the hash cannot be used.
    told: AtomicBool,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl Password {
    pub(super) fn new(hash: &Secret) -> Self {
        let mut key = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut key);
        Self {
            hash: hash.clone(),
            key: Hmac::new(&key.into()),
            remembered: Mutex::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
            waiting: Semaphore::new(WAITING),
            guesses: Mutex::new(Guesses::new(Instant::now())),
            told: AtomicBool::new(false),
        }
    }

    /// Checks the header of a request.
    pub(super) async fn check(&self, authorization: Option<&HeaderValue>) -> Verdict {
        let Some(password) = authorization.and_then(basic) else { return Verdict::Missing };
        // A renewed file counts from the next second on.
        let hash = self.hash.current();
        if self.remembers(&hash, &password) {
            return Verdict::Right;
        }
        let Ok(_place) = self.waiting.try_acquire() else { return Verdict::Busy };
        let Ok(check) = Arc::clone(&self.checks).acquire_owned().await else {
            return Verdict::Busy;
        };
        // Of many who came at once with the right one, the first was checked meanwhile.
        if self.remembers(&hash, &password) {
            return Verdict::Right;
        }
        if !lock(&self.guesses).take(Instant::now()) {
            return Verdict::Busy;
        }
        let asked = (hash.clone(), password.clone());
        let checked = tokio::task::spawn_blocking(move || {
            // It counts as long as it runs, also when nobody waits for it any more.
            let _check = check;
            verdict(&asked.0, &asked.1)
        });
        let verdict = checked.await.unwrap_or(Verdict::Unusable);
        match verdict {
            Verdict::Right => {
                lock(&self.guesses).give_back();
                self.told.store(false, Ordering::Relaxed);
                let tag = self.tag(&hash, &password).finalize().into_bytes().to_vec();
                *lock(&self.remembered) = Some(tag);
            }
            Verdict::Unusable if !self.told.swap(true, Ordering::Relaxed) => tracing::error!(
                "collector.http.passwordHash holds no hash that can be used: nobody is let in to \
                 the page. Make one with `footman secrets --hash`."
            ),
            _ => {}
        }
        verdict
    }

    fn remembers(&self, hash: &Secret, password: &Secret) -> bool {
        let remembered = lock(&self.remembered).clone();
        remembered.is_some_and(|tag| self.tag(hash, password).verify_slice(&tag).is_ok())
    }

    /// Tells a password for a hash from all others, and nobody what it is. A hash has no zero byte.
    fn tag(&self, hash: &Secret, password: &Secret) -> Hmac<Sha256> {
        let hashed = self.key.clone().chain_update(hash.expose()).chain_update([0]);
        hashed.chain_update(password.expose())
    }
}

/// The password of an `Authorization: Basic` header; the user name may be any.
fn basic(header: &HeaderValue) -> Option<Secret> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (_any_name, password) = decoded.split_once(':')?;
    (password.len() <= LONGEST).then(|| Secret::new(password))
}

fn verdict(hash: &Secret, password: &Secret) -> Verdict {
    let parsed = PasswordHash::new(hash.expose()).ok().filter(|parsed| parsed.hash.is_some());
    let Some(parsed) = parsed else { return Verdict::Unusable };
    match Argon2::default().verify_password(password.expose().as_bytes(), &parsed) {
        Ok(()) => Verdict::Right,
        Err(argon2::password_hash::Error::PasswordInvalid) => Verdict::Wrong,
        Err(_other) => Verdict::Unusable,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use argon2::{Params, PasswordHasher as _};
    use futures::future::join_all;
    use proptest::prelude::*;

    use super::*;

    /// A hash that costs little, as tests are many.
    fn hash(password: &str) -> String {
        let params = Params::new(64, 1, 1, None).unwrap();
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let hash: PasswordHash = argon2.hash_password(password.as_bytes()).unwrap();
        hash.to_string()
    }

    fn header(user: &str, password: &str) -> HeaderValue {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        HeaderValue::from_str(&format!("Basic {encoded}")).unwrap()
    }

    async fn verdict_of(password: &Password, tried: &str) -> Verdict {
        password.check(Some(&header("anybody", tried))).await
    }

    proptest! {
        #[test]
        fn a_header_of_any_bytes_is_a_short_password_or_none(bytes in prop::collection::vec(0_u8.., 0..2_000)) {
            let encoded = STANDARD.encode(&bytes);
            let headers = [bytes, [b"Basic ", encoded.as_bytes()].concat()];
            for header in headers.iter().filter_map(|bytes| HeaderValue::from_bytes(bytes).ok()) {
                let password = basic(&header);
                prop_assert!(password.is_none_or(|password| password.expose().len() <= LONGEST));
            }
        }
    }

    #[tokio::test]
    async fn right_wrong_missing() {
        let password = Password::new(&Secret::new(hash("correct: horse ä")));
        assert_eq!(password.check(None).await, Verdict::Missing);
        for nonsense in ["Basic", "Basic !!!", "Bearer abc", "Basic bm9jb2xvbg=="] {
            let header = HeaderValue::from_str(nonsense).unwrap();
            assert_eq!(password.check(Some(&header)).await, Verdict::Missing, "{nonsense}");
        }
        assert_eq!(verdict_of(&password, "correct: horse").await, Verdict::Wrong);
        assert_eq!(verdict_of(&password, "correct: horse ä").await, Verdict::Right);
        assert_eq!(verdict_of(&password, "").await, Verdict::Wrong);
        assert_eq!(verdict_of(&password, &"x".repeat(2_000)).await, Verdict::Missing);
        assert!(!format!("{password:?}").contains("argon2id"));
    }

    #[tokio::test]
    async fn who_knows_it_is_let_in_while_others_guess() {
        let password = Password::new(&Secret::new(hash("right")));
        assert_eq!(verdict_of(&password, "right").await, Verdict::Right);
        let wrong: Vec<String> = (0..200).map(|number| format!("guess {number}")).collect();
        let verdicts = join_all(wrong.iter().map(|guess| verdict_of(&password, guess))).await;
        let checked = verdicts.iter().filter(|verdict| **verdict == Verdict::Wrong).count();
        assert!((1..=12).contains(&checked), "{checked} guesses were checked");
        assert!(verdicts.iter().all(|one| [Verdict::Wrong, Verdict::Busy].contains(one)));
        assert_eq!(verdict_of(&password, "right").await, Verdict::Right);
        assert_eq!(verdict_of(&password, "wrong").await, Verdict::Busy);
    }

    #[tokio::test]
    async fn many_who_know_it_come_at_once() {
        let password = Password::new(&Secret::new(hash("right")));
        let verdicts = join_all((0..60).map(|_| verdict_of(&password, "right"))).await;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Right), "{verdicts:?}");
    }

    #[tokio::test]
    async fn a_renewed_hash_ends_the_old_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hash");
        std::fs::write(&path, hash("old")).unwrap();
        let secret = Secret::from_file(&path).unwrap();
        let password = Password::new(&secret);
        assert_eq!(verdict_of(&password, "old").await, Verdict::Right);
        std::fs::write(&path, hash("new")).unwrap();
        let _looked = secret.current_now();
        assert_eq!(verdict_of(&password, "old").await, Verdict::Wrong);
        assert_eq!(verdict_of(&password, "new").await, Verdict::Right);
        std::fs::write(&path, "$argon2id$ and no more").unwrap();
        let _looked = secret.current_now();
        assert_eq!(verdict_of(&password, "new").await, Verdict::Unusable);
    }
}
