//! InfluxDB over HTTP: one request per batch part, one place that says what an answer means.
//!
//! The versions differ in the request and in how they create their place, and nowhere else.
//! No retry: see `flush`.

mod answer;
mod create;
pub mod look;
mod request;

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use shared::config;
use shared::secret::Secret;
use shared::timestamp::Timestamp;
use shared::tls::{TlsError, client_config_of};
use thiserror::Error;

pub use answer::{Response, answer};
pub use request::Request;

use crate::destination::{Answer, Destination, Prepared, Trouble};
use crate::schema::Version;

/// Connecting takes this long at most, so that an address that swallows packets is found out soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at the file of a token that was refused.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest answer that is read: 3.x names every refused line and repeats it.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Headers that InfluxDB alone sends: 1.x the first two, 2.x the first three, 3.x the last.
const OWN_HEADERS: [&str; 4] =
    ["x-influxdb-version", "x-influxdb-build", "x-platform-error-code", "cluster-uuid"];

/// A client of one InfluxDB.
#[derive(Debug)]
pub struct InfluxDb {
    client: reqwest::Client,
    request: Request,
    /// The form of 2.x, for servers like 3.x that do not know its own.
    compatible: Option<Request>,
    uses_compatible: AtomicBool,
    timeout: Duration,
    place: config::Version,
    /// Whether the place was looked for, with an answer.
    prepared: AtomicBool,
    /// Held while the place is created, so that the flushes do it once.
    creating: tokio::sync::Mutex<()>,
}

/// Why there can be no client.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The file of the certificate authority cannot be used.
    #[error("the certificate authority of InfluxDB (writer.influxdb.tls.ca) cannot be used")]
    Authority(#[source] TlsError),
    /// The HTTP client cannot be made.
    #[error("cannot make an HTTP client for InfluxDB")]
    Client(#[source] reqwest::Error),
}

impl InfluxDb {
    /// Makes a client; it connects with its first request.
    pub fn new(config: &config::InfluxDb) -> Result<Self, ConnectError> {
        let mut builder = reqwest::Client::builder()
            .timeout(config.timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            // A redirect would turn the POST into a GET, or carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // The environment is read in the configuration alone.
            .no_proxy();
        if config.ca.is_some() {
            let tls = config::Tls { ca: config.ca.clone(), client: None };
            let tls = client_config_of(&tls).map_err(ConnectError::Authority)?;
            builder = builder.tls_backend_preconfigured(tls);
        }
        Ok(Self {
            client: builder.build().map_err(ConnectError::Client)?,
            request: Request::new(config),
            compatible: Request::compatible(config),
            uses_compatible: AtomicBool::new(false),
            timeout: config.timeout,
            place: config.version.clone(),
            prepared: AtomicBool::new(false),
            creating: tokio::sync::Mutex::new(()),
        })
    }

    /// The address without credentials, for logs.
    pub fn address(&self) -> &str {
        self.request.address()
    }

    fn request(&self) -> &Request {
        &self.request
    }

    fn client(&self) -> &reqwest::Client {
        &self.client
    }

    fn version(&self) -> Version {
        Version::from(&self.place)
    }

    /// Whether a write would make the place without what cannot be given to it later.
    ///
    /// The retention of a database of 3.x:
    /// <https://docs.influxdata.com/influxdb3/core/admin/databases/create/>.
    fn must_be_made_first(&self) -> bool {
        matches!(&self.place, config::Version::V3 { retention, .. } if retention.duration.is_some())
            && !self.prepared.load(Ordering::Relaxed)
    }

    /// Sends lines in the form that the server understands.
    async fn send(&self, body: Bytes) -> Result<Response, Trouble> {
        let native = |body| self.exchange(self.request.write(&self.client, body));
        let Some(compatible) = &self.compatible else {
            return native(body).await;
        };
        let older = |body| self.exchange(compatible.write(&self.client, body));
        if self.uses_compatible.load(Ordering::Relaxed) {
            let response = older(body).await?;
            if response.is_unknown_path() {
                self.uses_compatible.store(false, Ordering::Relaxed);
            }
            return Ok(response);
        }
        let response = native(body.clone()).await?;
        if !response.is_unknown_path() {
            return Ok(response);
        }
        let second = older(body).await?;
        if second.is_unknown_path() {
            return Ok(response);
        }
        if second.status == 204 && !self.uses_compatible.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "{} does not know /api/v3/write_lp; lines go to /api/v2/write",
                self.address()
            );
        }
        Ok(second)
    }

    /// Sends a request and reads the whole answer; an answer cut short is no answer.
    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Response, Trouble> {
        let mut response = request.send().await.map_err(|error| self.no_answer(&error))?;
        let text = |name: &str| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let mut answer = Response {
            status: response.status().as_u16(),
            retry_after: text("retry-after"),
            error: text("x-influxdb-error"),
            version: text("x-influxdb-version"),
            date: text("date"),
            by_influxdb: OWN_HEADERS.iter().any(|name| response.headers().contains_key(*name)),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(|error| self.no_answer(&error))? {
            if answer.body.len() + chunk.len() > MAX_ANSWER_BYTES {
                break;
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    fn no_answer(&self, error: &reqwest::Error) -> Trouble {
        let address = self.address();
        if error.is_timeout() {
            let seconds = self.timeout.as_secs_f64();
            return Trouble::unavailable(format!(
                "no whole answer from {address} within {seconds} s"
            ));
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let what = if error.is_connect() { "no connection to" } else { "no whole answer from" };
        Trouble::unavailable(format!("{what} {address}: {cause}"))
    }
}

#[async_trait]
impl Destination for InfluxDb {
    async fn write(&self, body: &[u8]) -> Answer {
        let body = match compress(body) {
            Ok(body) => Bytes::from(body),
            Err(error) => return Answer::Trouble(Trouble::unavailable(error.to_string())),
        };
        if self.must_be_made_first()
            && let Err(trouble) = self.prepare().await
        {
            return Answer::Trouble(trouble);
        }
        let used = self.request.secret();
        let mut sent = self.send(body.clone()).await;
        if matches!(&sent, Ok(response) if response.is_unauthorized())
            && self.request.secret_now() != used
        {
            sent = self.send(body).await;
        }
        match sent {
            Ok(response) => answer(self.version(), self.address(), &response, Timestamp::now()),
            Err(trouble) => Answer::Trouble(trouble),
        }
    }

    async fn prepare(&self) -> Result<Prepared, Trouble> {
        let _one_at_a_time = self.creating.lock().await;
        let prepared = create::create(self).await?;
        self.prepared.store(true, Ordering::Relaxed);
        Ok(prepared)
    }

    async fn credentials_changed(&self) {
        let before = self.request.secret();
        if !before.as_ref().is_some_and(Secret::is_from_file) {
            return std::future::pending().await;
        }
        while self.request.secret() == before {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Level 1 costs a third of the default level's time, and lines repeat enough to become a seventh.
pub(crate) fn compress(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}
