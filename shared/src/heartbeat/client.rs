//! Calling a monitor, and what its answer means.
//!
//! Troubles name no path and no query: the URL is a secret, and an answer may repeat it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::{StatusCode, redirect};
use serde::Deserialize;

use super::address::{Call, Kind};
use crate::backoff::Backoff;
use crate::tls::{self, Roots, TlsError, Verification};

/// How long a monitor may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// A monitor that restarts or an address that moves is reached at the second or third try.
const TRIES: u32 = 3;
/// Between tries: all of them fit between two beats.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(2) };
/// The predecessor followed redirects; more than a few are a circle.
const MOST_REDIRECTS: usize = 5;
/// What Uptime Kuma answers fits into this.
const LONGEST_ANSWER: usize = 4 * 1_024;
const USER_AGENT: &str = concat!("footman/", env!("CARGO_PKG_VERSION"));

/// Calls monitors.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Result<reqwest::Client, Trouble>,
}

/// Why a beat did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    why: String,
    /// Whether another try is worth it.
    passes: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Trouble {
    fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), passes: true }
    }

    fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), passes: false }
    }
}

/// What Uptime Kuma answers.
#[derive(Deserialize)]
struct Understood {
    ok: bool,
}

impl Client {
    /// A client that trusts the authorities of the system.
    pub(super) fn new() -> Self {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(ANSWERED_WITHIN)
            .redirect(redirect::Policy::custom(follow))
            // Beats are far apart, and a connection kept for them is often dead at the next.
            .pool_max_idle_per_host(0)
            // The environment is read in the configuration alone.
            .no_proxy();
        let tls = Roots::of_system()
            .and_then(|roots| tls::client_config(&roots, None, &Verification::Full));
        let builder = match tls {
            Ok(tls) => builder.tls_backend_preconfigured(tls),
            // A monitor without TLS can be reached all the same.
            Err(TlsError::NoSystemRoots) => builder.tls_certs_only([]),
            Err(error) => return Self { http: Err(Trouble::lasting(error.to_string())) },
        };
        Self { http: builder.build().map_err(|error| Trouble::lasting(root(&error).to_string())) }
    }

    /// Calls until the monitor has answered, a few times at most.
    pub(super) async fn call(&self, call: &Call) -> Result<(), Trouble> {
        let mut tries = 1;
        loop {
            match self.try_once(call).await {
                Err(trouble) if trouble.passes && tries < TRIES => {
                    tokio::time::sleep(BACKOFF.wait(tries)).await;
                    tries += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn try_once(&self, call: &Call) -> Result<(), Trouble> {
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let request = match &call.body {
            Some(body) => http.post(call.url.clone()).body(body.clone()),
            None => http.get(call.url.clone()),
        };
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(status));
        }
        if call.kind != Kind::UptimeKuma {
            return Ok(());
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
            answer.extend_from_slice(&chunk);
            if answer.len() > LONGEST_ANSWER {
                break;
            }
        }
        match serde_json::from_slice(&answer) {
            Ok(Understood { ok: true }) => Ok(()),
            Ok(Understood { ok: false }) => Err(Trouble::lasting("the answer says ok: false")),
            Err(_no_json) => Err(Trouble::lasting("the answer is not Uptime Kuma's")),
        }
    }
}

/// Follows redirects within a host: another one is not meant to learn the path.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let (from, to) = (attempt.previous().last(), attempt.url());
    let same_host = from.is_some_and(|from| {
        from.host_str() == to.host_str() && (from.scheme() == to.scheme() || to.scheme() == "https")
    });
    if same_host && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn refused(status: StatusCode) -> Trouble {
    let why = format!("the answer is {status}");
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Trouble::passing(why),
        _ if status.is_server_error() => Trouble::passing(why),
        _ if status.is_redirection() => {
            Trouble::lasting(format!("{why}, a redirect to another host or in a circle"))
        }
        _ => Trouble::lasting(why),
    }
}

fn no_answer(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::passing(format!("no answer within {} s", ANSWERED_WITHIN.as_secs()));
    }
    // The errors above the root repeat the URL.
    Trouble::passing(format!("no answer: {}", root(error)))
}

fn root(error: &dyn Error) -> &dyn Error {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}
