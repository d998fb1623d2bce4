//! The write request of each version: path, parameters and authentication.

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use shared::config;
use shared::secret::Secret;
use url::Url;

/// Where lines are written, and who says so.
#[derive(Clone, Debug)]
pub struct Request {
    base: Url,
    write: Url,
    auth: Auth,
    /// The base without credentials.
    address: String,
}

#[derive(Clone, Debug)]
enum Auth {
    None,
    Basic(String, Secret),
    /// The scheme's name and the token.
    Token(&'static str, Secret),
}

impl Auth {
    fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None => None,
            Self::Basic(_, secret) | Self::Token(_, secret) => Some(secret),
        }
    }
}

impl Request {
    /// The request for a configured InfluxDB.
    pub fn new(config: &config::InfluxDb) -> Self {
        let base = config.url.clone();
        let (path, parameters, auth): (&str, Vec<(&str, &str)>, Auth) = match &config.version {
            // No `rp`: points go to the default policy, as those of the predecessor.
            config::Version::V1 { database, credentials, .. } => (
                "write",
                vec![("db", database), ("precision", "ns")],
                match credentials {
                    Some((user, password)) => Auth::Basic(user.clone(), password.clone()),
                    None => Auth::None,
                },
            ),
            config::Version::V2 { org, bucket, token, .. } => (
                "api/v2/write",
                vec![("org", org), ("bucket", bucket), ("precision", "ns")],
                Auth::Token("Token", token.clone()),
            ),
            // Without a precision, 3.x guesses it from the magnitude. Good lines are stored beside
            // bad ones, and 204 means that they are on disk:
            // <https://docs.influxdata.com/influxdb3/core/write-data/http-api/v3-write-lp/>.
            config::Version::V3 { database, token, .. } => (
                "api/v3/write_lp",
                vec![
                    ("db", database),
                    ("precision", "nanosecond"),
                    ("accept_partial", "true"),
                    ("no_sync", "false"),
                ],
                Auth::Token("Bearer", token.clone()),
            ),
        };
        Self::to(base, path, &parameters, auth)
    }

    /// The write request of 2.x, which servers of the family of 3.x understand without the path of
    /// their own; none for the other versions.
    ///
    /// <https://docs.influxdata.com/influxdb3/core/write-data/http-api/compatibility-apis/>: the
    /// bucket is the database, and there is no organisation.
    pub fn compatible(config: &config::InfluxDb) -> Option<Self> {
        let config::Version::V3 { database, token, .. } = &config.version else {
            return None;
        };
        let parameters = [("bucket", &**database), ("precision", "ns")];
        let auth = Auth::Token("Token", token.clone());
        Some(Self::to(config.url.clone(), "api/v2/write", &parameters, auth))
    }

    fn to(base: Url, path: &str, parameters: &[(&str, &str)], auth: Auth) -> Self {
        let mut write = join(&base, path);
        write.query_pairs_mut().extend_pairs(parameters);
        Self { write, auth, address: address(&base), base }
    }

    /// The address without credentials, for logs.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A write of gzipped lines.
    pub(super) fn write(&self, client: &Client, gzipped: Bytes) -> RequestBuilder {
        let request = client
            .post(self.write.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(gzipped);
        self.authorized(request)
    }

    /// An InfluxQL statement that may change something, for 1.x.
    pub(super) fn query(&self, client: &Client, statement: &str) -> RequestBuilder {
        let mut url = join(&self.base, "query");
        url.query_pairs_mut().append_pair("q", statement);
        self.authorized(client.post(url))
    }

    /// A search, for 2.x.
    pub(super) fn get(
        &self,
        client: &Client,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> RequestBuilder {
        self.authorized(self.get_as_nobody(client, path, parameters))
    }

    /// A search without saying who asks.
    pub(super) fn get_as_nobody(
        &self,
        client: &Client,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> RequestBuilder {
        let mut url = join(&self.base, path);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        client.get(url)
    }

    /// A change, for 2.x and 3.x.
    pub(super) fn post(&self, client: &Client, path: &str, body: &Value) -> RequestBuilder {
        self.authorized(client.post(join(&self.base, path)).json(body))
    }

    /// What proves who we are, as its file holds it; none when nobody asks.
    pub(super) fn secret(&self) -> Option<Secret> {
        self.auth.secret().map(Secret::current)
    }

    /// The same, looked at in this moment.
    pub(super) fn secret_now(&self) -> Option<Secret> {
        self.auth.secret().map(Secret::current_now)
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.auth {
            Auth::None => request,
            Auth::Basic(user, password) => {
                request.basic_auth(user, Some(password.current().expose()))
            }
            // A token with a line break cannot be a header: the request fails when it is sent.
            Auth::Token(scheme, token) => {
                let token = token.current();
                request.header(AUTHORIZATION, format!("{scheme} {}", token.expose()))
            }
        }
    }
}

/// A path below the base, which may itself have one (a reverse proxy's).
fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url
}

fn address(base: &Url) -> String {
    let mut shown = base.clone();
    // Both fail only for addresses that cannot have credentials.
    let _none = shown.set_username("");
    let _none = shown.set_password(None);
    shown.set_query(None);
    shown.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::config::{Retention, RetentionPolicy};

    use super::*;

    fn request(url: &str, version: config::Version) -> Request {
        Request::new(&config::InfluxDb {
            url: url.parse().unwrap(),
            version,
            timeout: Duration::from_secs(1),
            ca: None,
        })
    }

    fn for_ever() -> Retention {
        Retention { text: "0".to_owned(), duration: None }
    }

    #[test]
    fn each_version_has_its_request() {
        let v1 = config::Version::V1 {
            database: "sense ops".to_owned(),
            retention_policy: RetentionPolicy { name: "10d".to_owned(), duration: for_ever() },
            credentials: Some(("me".to_owned(), Secret::new("secret"))),
        };
        let v2 = config::Version::V2 {
            org: "o&o".to_owned(),
            bucket: "b/1".to_owned(),
            token: Secret::new("secret"),
            description: String::new(),
            retention: for_ever(),
        };
        let v3 = config::Version::V3 {
            database: "d".to_owned(),
            token: Secret::new("secret"),
            description: String::new(),
            retention: for_ever(),
        };
        for (version, url, expected) in [
            (v1, "http://u:p@i:8086", "http://u:p@i:8086/write?db=sense+ops&precision=ns"),
            (
                v2,
                "https://i/influx/",
                "https://i/influx/api/v2/write?org=o%26o&bucket=b%2F1&precision=ns",
            ),
            (
                v3,
                "http://i:8181",
                "http://i:8181/api/v3/write_lp?db=d&precision=nanosecond&accept_partial=true\
                 &no_sync=false",
            ),
        ] {
            let request = request(url, version);
            assert_eq!(request.write.as_str(), expected);
            assert!(!format!("{request:?}").contains("secret"));
            assert!(!request.address().contains("u:p"));
        }
    }

    #[test]
    fn the_older_form_is_for_3_alone() {
        let config = |version| config::InfluxDb {
            url: "http://i:8181/influx".parse().unwrap(),
            version,
            timeout: Duration::from_secs(1),
            ca: None,
        };
        let v3 = config::Version::V3 {
            database: "d".to_owned(),
            token: Secret::new("secret"),
            description: String::new(),
            retention: for_ever(),
        };
        let request = Request::compatible(&config(v3)).unwrap();
        let expected = "http://i:8181/influx/api/v2/write?bucket=d&precision=ns";
        assert_eq!(request.write.as_str(), expected);
        assert!(matches!(request.auth, Auth::Token("Token", _)));
        let v1 = config::Version::V1 {
            database: "d".to_owned(),
            retention_policy: RetentionPolicy { name: "10d".to_owned(), duration: for_ever() },
            credentials: None,
        };
        assert!(Request::compatible(&config(v1)).is_none());
    }
}
