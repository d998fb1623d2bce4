//! How each API is asked: paths and headers.
//!
//! The engine needs the client certificate alone; proxy and repository also want the same key in
//! query and header against cross-site requests, and the repository a user whose rights apply.

use std::hash::{BuildHasher, RandomState};

use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use shared::event::Source;

use crate::endpoint::Endpoint;

/// The engine's health check; without a trailing slash, which newer releases warn about.
pub(crate) const HEALTH_PATH: &str = "/engine/healthcheck";
/// The repository's condensed list of apps.
pub(crate) const APP_NAMES_PATH: &str = "/qrs/app";
/// The query parameter of the key against cross-site requests.
pub(crate) const XRFKEY_PARAMETER: &str = "xrfkey";
const XRFKEY_HEADER: HeaderName = HeaderName::from_static("x-qlik-xrfkey");
const USER_HEADER: HeaderName = HeaderName::from_static("x-qlik-user");
/// The user who sees every app, whatever the site's security rules.
const REPOSITORY_USER: HeaderValue =
    HeaderValue::from_static("UserDirectory=INTERNAL; UserId=sa_repository");
/// Characters of a key: Qlik Sense accepts exactly this many letters and digits.
const XRFKEY_LENGTH: usize = 16;
const ALPHANUMERICS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The session list of a virtual proxy, given its prefix with a leading slash.
pub(crate) fn sessions_path(virtual_proxy: &str) -> String {
    match virtual_proxy {
        "/" => "/qps/session".to_owned(),
        prefix => format!("/qps{prefix}/session"),
    }
}

/// A fresh key against cross-site requests. It is no secret: the same request carries it twice.
pub(crate) fn xrfkey() -> String {
    let random = RandomState::new();
    (0..XRFKEY_LENGTH)
        .filter_map(|place| {
            let number = random.hash_one(place) % ALPHANUMERICS.len() as u64;
            let index = usize::try_from(number).ok()?;
            ALPHANUMERICS.get(index).copied().map(char::from)
        })
        .collect()
}

/// The headers of an endpoint's requests; those of the configuration win.
pub(crate) fn headers(endpoint: &Endpoint, xrfkey: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if endpoint.source != Source::Health
        && let Ok(key) = HeaderValue::from_str(xrfkey)
    {
        headers.insert(XRFKEY_HEADER, key);
    }
    if endpoint.source == Source::AppNames {
        headers.insert(USER_HEADER, REPOSITORY_USER);
    }
    for (name, value) in &endpoint.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.expose().as_bytes());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            tracing::warn!(
                server = endpoint.server.name,
                "A configured header cannot be sent, its name or value is not allowed in HTTP."
            );
            continue;
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_virtual_proxies() {
        assert_eq!(sessions_path("/"), "/qps/session");
        assert_eq!(sessions_path("/hdr"), "/qps/hdr/session");
        assert_eq!(sessions_path("/a/b"), "/qps/a/b/session");
    }

    #[test]
    fn keys_are_sixteen_alphanumerics_and_fresh() {
        let key = xrfkey();
        assert_eq!(key.len(), XRFKEY_LENGTH);
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(key, xrfkey());
    }
}
