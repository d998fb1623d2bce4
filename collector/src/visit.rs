//! A visit to everything that would be polled: the same endpoints, clients and reading of answers
//! as those of the polls, asked once, and nothing published.

use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::config;
use shared::event::{Category, Source};
use shared::tls::{Presented, Verification};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::discovery::{Choice, Found};
use crate::endpoint::{self, Endpoint};
use crate::http::{self, ClientSettings, Clients, Failure, Request};
use crate::outcome::Facts;
use crate::sources::{self, Meaning, request};

/// One API of one server, as it would be polled.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server's name; for app names, the repository's host.
    pub server: String,
    /// The API.
    pub source: Source,
    /// The virtual proxy's prefix with a leading slash, for sessions.
    pub virtual_proxy: Option<String>,
    /// The host as it stands in URLs: an IPv6 address is in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The URL without its query.
    pub url: String,
    /// How its certificate is verified.
    pub verification: Verification,
    /// The name under which `collector.servers` says so, if there is one.
    pub verified_as: Option<String>,
    /// Time between two polls.
    pub interval: Duration,
}

/// What one request came to.
#[derive(Debug)]
pub struct Visit {
    /// From sending the request, connection included, to the last byte or the failure.
    pub duration: Duration,
    /// The `Date` that the server sent.
    pub date: Option<String>,
    /// Bytes of the body of a 200.
    pub bytes: Option<usize>,
    /// What the answer said, or why it cannot be used.
    pub outcome: Result<Facts, FailedVisit>,
}

/// Why an answer cannot be used.
#[derive(Clone, Debug)]
pub struct FailedVisit {
    /// The cause.
    pub category: Category,
    /// The answer's status, when it was not 200.
    pub http_status: Option<u16>,
    /// The cause in words, without a period, and what to do about it.
    pub message: String,
}

/// Whoever looks at the endpoints.
#[derive(Debug)]
pub struct Visitor {
    endpoints: Vec<Endpoint>,
    clients: Clients,
    meaning: Meaning,
    xrfkey: String,
    patience: Duration,
    _ends_watching: DropGuard,
}

/// A host of the configuration that makes no URL.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoUrl(String);

impl Visitor {
    /// Makes the endpoints of the file and of what was `found`, and the clients; nothing is asked
    /// yet. A visit takes `patience` at most,
    /// or as long as a poll may take when that is less.
    ///
    /// # Errors
    /// A host that makes no URL.
    pub async fn new(
        config: &config::Collector,
        prefix: &str,
        found: Option<&Found>,
        patience: Duration,
    ) -> Result<Self, NoUrl> {
        let xrfkey = request::xrfkey();
        let servers = match found {
            Some(found) => found.polled(config),
            None => Choice::default().with_file(config),
        };
        let endpoints = endpoint::endpoints(config, &servers, prefix, &xrfkey)
            .map_err(|wrong| NoUrl(wrong.to_string()))?;
        let stop = CancellationToken::new();
        let settings = ClientSettings {
            certificates: config.certificates.clone(),
            verifications: endpoints.iter().map(|one| one.verification.clone()).collect(),
            longest_interval: patience,
            presented: Presented::default(),
        };
        let clients = Clients::start(settings, stop.clone()).await;
        let meaning = Meaning::new(&[], &config::UserIds::Drop);
        Ok(Self {
            endpoints,
            clients,
            meaning,
            xrfkey,
            patience,
            _ends_watching: stop.drop_guard(),
        })
    }

    /// Everything that would be polled, in the order in which polls begin.
    pub fn targets(&self) -> Vec<Target> {
        self.endpoints.iter().map(target).collect()
    }

    /// Asks one of [`Self::targets`] once, by its place among them; none when there is no such one.
    pub async fn visit(&self, number: usize) -> Option<Visit> {
        let endpoint = self.endpoints.get(number)?;
        let began = Instant::now();
        let verification = &endpoint.verification;
        let client = match self.clients.client(verification) {
            Ok(client) => client,
            Err(failure) => {
                return Some(Visit {
                    duration: began.elapsed(),
                    date: None,
                    bytes: None,
                    outcome: Err(failed(failure)),
                });
            }
        };
        let request = Request {
            url: &endpoint.url,
            headers: &request::headers(endpoint, &self.xrfkey),
            timeout: endpoint.timeout.min(self.patience),
            limit: sources::limit(endpoint.source),
            host: &endpoint.host,
            server: endpoint.verified_as.as_deref(),
        };
        let exchange = http::exchange(&self.clients, &client, verification, &request).await;
        let duration = began.elapsed();
        let date = exchange.date.and_then(|date| date.to_str().ok().map(str::to_owned));
        let bytes = exchange.outcome.as_ref().ok().map(Bytes::len);
        let outcome = exchange
            .outcome
            .and_then(|body| self.meaning.decode(endpoint.source, &body))
            .map(|answer| answer.facts)
            .map_err(failed);
        Some(Visit { duration, date, bytes, outcome })
    }
}

fn target(endpoint: &Endpoint) -> Target {
    Target {
        server: endpoint.server.name.clone(),
        source: endpoint.source,
        virtual_proxy: endpoint.virtual_proxy.clone(),
        host: endpoint.url.host_str().unwrap_or_default().to_owned(),
        port: endpoint.url.port_or_known_default().unwrap_or_default(),
        url: endpoint.shown_url(),
        verification: endpoint.verification.clone(),
        verified_as: endpoint.verified_as.clone(),
        interval: endpoint.interval,
    }
}

fn failed(failure: Failure) -> FailedVisit {
    FailedVisit {
        category: failure.category,
        http_status: failure.http_status,
        message: failure.message.into(),
    }
}
