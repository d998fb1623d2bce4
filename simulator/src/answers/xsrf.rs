//! The key against cross-site request forgery, which proxy and repository demand of every request.

use http::StatusCode;

use super::{Answer, Asked, PLAIN};

const KEY_LENGTH: usize = 16;

const REFUSAL: &str = "XSRF prevention check failed. Possible XSRF discovered.";

/// Refuses a request whose key is missing, malformed, or not the same in query and header.
pub(super) fn check(asked: &Asked<'_>) -> Result<(), Box<Answer>> {
    let key = asked.query("xrfkey").unwrap_or_default();
    let sound = key.len() == KEY_LENGTH && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if sound && asked.header("x-qlik-xrfkey") == Some(key) {
        return Ok(());
    }
    Err(Box::new(Answer::text(StatusCode::FORBIDDEN, PLAIN, REFUSAL)))
}
