//! Who may see the page: everybody on this machine, or who knows the password.
//!
//! With a `passwordHash` every request needs it, also on loopback. Without one the page is on
//! loopback alone (the configuration sees to that), and then only names of this machine are
//! answered: a website elsewhere that lets its name point to 127.0.0.1 would otherwise read the page
//! through the browser of whoever visits it.

mod guesses;
mod password;

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use shared::config::CollectorHttp;

use password::{Password, Verdict};
use std::sync::Arc;

/// What a browser shows above the form, and nothing that names this program's place.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"Footman\", charset=\"UTF-8\"");
/// When to come again, in seconds: a few guesses are allowed again by then.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("10");

/// The door of the page.
#[derive(Debug)]
pub(super) struct Door {
    password: Option<Password>,
}

impl Door {
    /// As the configuration says.
    pub(super) fn new(config: &CollectorHttp) -> Self {
        Self { password: config.password_hash.as_ref().map(Password::new) }
    }

    /// Says why a request is not let in.
    async fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let Some(password) = &self.password else {
            return (!is_asked_for_here(headers)).then(elsewhere);
        };
        match password.check(headers.get(header::AUTHORIZATION)).await {
            Verdict::Right => None,
            Verdict::Missing => Some(unauthorized(
                "This page needs the password of collector.http.passwordHash; any user name will \
                 do.\nWith curl: curl --user footman https://…/api/state\n",
            )),
            Verdict::Wrong => Some(unauthorized("That is not the password of this page.\n")),
            Verdict::Busy => Some(refused(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many passwords were tried; try again in ten seconds.\n",
            )),
            Verdict::Unusable => Some(refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "collector.http.passwordHash holds no hash that can be used, so nobody is let in. \
                 Make one with `footman secrets --hash`.\n",
            )),
        }
    }
}

/// Lets a request in, or says why not.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match door.refusal(request.headers()).await {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

fn unauthorized(text: &'static str) -> Response {
    let headers = [(header::WWW_AUTHENTICATE, CHALLENGE)];
    (StatusCode::UNAUTHORIZED, headers, text).into_response()
}

fn refused(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::RETRY_AFTER, COME_AGAIN)], text).into_response()
}

fn elsewhere() -> Response {
    let text = "This page is for this machine alone: open it as http://127.0.0.1 or \
                http://localhost with its port. To serve it under another name, set \
                collector.http.passwordHash (made by `footman secrets --hash`).\n";
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

/// Whether the host that was asked for is an address or a name that no other machine can have.
fn is_asked_for_here(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        // No browser leaves it out.
        return true;
    };
    host.to_str().is_ok_and(is_local)
}

fn is_local(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().is_some_and(|address| address.parse::<IpAddr>().is_ok());
    }
    let name = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or(name);
    name.parse::<IpAddr>().is_ok() || last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_only_this_machine_has() {
        for host in [
            "127.0.0.1:9701",
            "localhost",
            "LOCALHOST:9701",
            "a.localhost",
            "[::1]:9701",
            "10.1.2.3",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["evil.example:9701", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]", ""]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
