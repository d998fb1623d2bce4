//! What proves to NATS who we are, told anew with each connection.
//!
//! The client asks whenever it connects, so that a password or a credentials file that was rotated
//! is used by the next attempt; a connection that is up stays up.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Auth, AuthError, ConnectOptions};
use nkeys::KeyPair;

use super::connect::ConnectError;
use crate::config;
use crate::secret::{Secret, SecretFileError};

/// By what the two parts of a credentials file are found; each is one line below its title.
const TITLES: [&str; 2] = ["USER JWT", "USER NKEY SEED"];

/// A user with a password, or one of a decentralised set-up, or both.
pub(super) struct Login {
    username: Option<String>,
    password: Option<Secret>,
    credentials: Option<Mutex<Credentials>>,
}

/// A credentials file as it was last understood.
struct Credentials {
    path: PathBuf,
    /// What the file held at the last look, understood or not.
    looked_at: Secret,
    user: Arc<User>,
}

struct User {
    jwt: String,
    key: KeyPair,
}

impl Login {
    pub(super) fn new(config: &config::Nats) -> Result<Self, ConnectError> {
        let credentials = config.credentials_file.as_deref().map(Credentials::read);
        Ok(Self {
            username: config.username.clone(),
            password: config.password.clone(),
            credentials: credentials.transpose()?.map(Mutex::new),
        })
    }

    /// Options that tell it, or none of it when there is nothing to tell.
    pub(super) fn options(self) -> ConnectOptions {
        if self.username.is_none() && self.credentials.is_none() {
            return ConnectOptions::new();
        }
        ConnectOptions::with_auth_callback(move |nonce| std::future::ready(self.answer(&nonce)))
    }

    fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        if let Some(username) = &self.username {
            let password = self.password.as_ref().map(Secret::current);
            let password = password.as_ref().map_or("", Secret::expose);
            (auth.username, auth.password) = (Some(username.clone()), Some(password.to_owned()));
        }
        if let Some(credentials) = &self.credentials {
            let user = credentials.lock().unwrap_or_else(PoisonError::into_inner).now();
            auth.signature = Some(user.key.sign(nonce).map_err(AuthError::new)?);
            auth.jwt = Some(user.jwt.clone());
        }
        Ok(auth)
    }
}

impl Credentials {
    fn read(path: &Path) -> Result<Self, ConnectError> {
        let wrong = |source| ConnectError::Credentials { path: path.to_owned(), source };
        let secret = Secret::from_file(path).map_err(|error| wrong(io_error(error)))?;
        let user = Arc::new(user(&secret).map_err(wrong)?);
        Ok(Self { path: path.to_owned(), looked_at: secret, user })
    }

    /// The user of the file as it is now; of the last one that was understood, if it is not.
    fn now(&mut self) -> Arc<User> {
        let secret = self.looked_at.current();
        if secret != self.looked_at {
            match user(&secret) {
                Ok(user) => self.user = Arc::new(user),
                Err(error) => tracing::warn!(
                    "{} is no credentials file any more ({error}); what it held before goes on \
                     being used.",
                    self.path.display()
                ),
            }
            self.looked_at = secret;
        }
        Arc::clone(&self.user)
    }
}

fn user(secret: &Secret) -> io::Result<User> {
    let [jwt, seed] = TITLES.map(|title| {
        let mut lines = secret.expose().lines().map(str::trim);
        lines.find(|line| line.starts_with("---") && line.contains(title))?;
        lines.next().filter(|line| !line.is_empty())
    });
    let missing = |what| io::Error::new(ErrorKind::InvalidData, format!("it holds no {what}"));
    let jwt = jwt.ok_or_else(|| missing("user JWT"))?.to_owned();
    let seed = seed.ok_or_else(|| missing("NKEY seed"))?;
    // The error of the library might repeat what it was given.
    let key = KeyPair::from_seed(seed).map_err(|_wrong| missing("NKEY seed that is one"))?;
    Ok(User { jwt, key })
}

fn io_error(error: SecretFileError) -> io::Error {
    match error {
        SecretFileError::Unreadable(error) => error,
        other => io::Error::new(ErrorKind::InvalidData, format!("it {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(jwt: &str, seed: &str) -> String {
        let [first, second] = TITLES;
        format!(
            "-----BEGIN NATS {first}-----\r\n{jwt}\r\n------END NATS {first}------\r\n\r\n\
             -----BEGIN {second}-----\r\n{seed}\r\n------END {second}------\r\n"
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_credentials_file_that_was_exchanged_or_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("user.creds");
        let (first, second) = (KeyPair::new_user(), KeyPair::new_user());
        std::fs::write(&path, file("jwt.of.first", &first.seed().unwrap())).unwrap();
        let secret = Secret::from_file(&path).unwrap();
        let user = Arc::new(user(&secret).unwrap());
        let mut credentials = Credentials { path: path.clone(), looked_at: secret, user };
        assert_eq!(credentials.now().key.public_key(), first.public_key());
        for (text, jwt, key) in [
            (file("jwt.of.second", &second.seed().unwrap()), "jwt.of.second", &second),
            ("half a".to_owned(), "jwt.of.second", &second),
            (file("jwt.of.first", &first.seed().unwrap()), "jwt.of.first", &first),
        ] {
            std::fs::write(&path, text).unwrap();
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            let user = credentials.now();
            assert_eq!((user.jwt.as_str(), user.key.public_key()), (jwt, key.public_key()));
        }
    }

    #[test]
    fn what_is_no_credentials_file_is_said_without_what_it_holds() {
        for text in ["MARKER", &file("", "MARKER"), &file("jwt", "MARKER"), &file("jwt", "")] {
            let error = user(&Secret::new(text.to_owned())).err().unwrap().to_string();
            assert!(error.contains("it holds no"), "{error}");
            assert!(!error.contains("MARKER"), "{error}");
        }
    }
}
