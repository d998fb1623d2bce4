//! Asking the repository: three requests, one after the other, and what they say together.

use reqwest::header::HeaderMap;
use shared::config::{self, AppNames, Config};
use shared::event::Category;
use thiserror::Error;
use url::Url;

use super::answers::{self, Reading};
use crate::endpoint::{BadHost, Endpoint, repository};
use crate::http::{self, Clients, Failure, Request};
use crate::sources::body::Unusable;
use crate::sources::request;

const NODES: &str = "/qrs/servernodeconfiguration/full";
const ENGINES: &str = "/qrs/engineservice/full";
const PROXIES: &str = "/qrs/proxyservice/full";
/// Largest answer: each virtual proxy lists the nodes that it balances the load over, which makes
/// some megabytes for twenty nodes.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why no servers were found.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotFound {
    /// Nothing says where the repository is.
    #[error("no repository is named: set appNames.hostIP to the host name of the central node")]
    NoRepository,
    /// The repository's host makes no URL.
    #[error("appNames.hostIP: {message}")]
    Host {
        /// What is wrong with it.
        message: String,
    },
    /// The repository did not answer, or not with what it is asked for.
    #[error("{url}: {message}")]
    Unanswered {
        /// What was asked, without the query.
        url: String,
        /// The cause, as failed polls have it.
        category: Category,
        /// The cause in words for an admin.
        message: String,
    },
    /// It answered, and has nothing to poll.
    #[error(
        "the repository {repository} lists no node with an engine or a proxy: do the site's \
         security rules let INTERNAL\\sa_repository read servers?"
    )]
    NoNode {
        /// Its host.
        repository: String,
    },
}

/// Knows how the repository is asked.
#[derive(Debug)]
pub(crate) struct Asker {
    endpoint: Endpoint,
    headers: HeaderMap,
}

impl Asker {
    /// For the repository that a configuration names.
    ///
    /// # Errors
    /// A host that makes no URL.
    pub(crate) fn new(config: &Config, at: &config::Discovery) -> Result<Self, BadHost> {
        let xrfkey = request::xrfkey();
        let at = AppNames { interval: at.interval, host: at.host.clone(), port: at.port };
        let prefix = &config.broker.topic_prefix;
        let mut endpoint = repository(&at, &config.collector, prefix, &xrfkey)?;
        endpoint.timeout = config.collector.poll_timeout;
        Ok(Self { headers: request::headers(&endpoint, &xrfkey), endpoint })
    }

    /// How the repository is polled.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks for everything; gives a reading with at least one node.
    pub(crate) async fn ask(&self, clients: &Clients) -> Result<Reading, NotFound> {
        let nodes = self.list(clients, NODES, answers::nodes).await?;
        let engines = self.list(clients, ENGINES, answers::engines).await?;
        let proxies = self.list(clients, PROXIES, answers::proxies).await?;
        let reading = answers::join(nodes, &engines, &proxies);
        if reading.nodes.is_empty() {
            return Err(NotFound::NoNode { repository: self.endpoint.host.clone() });
        }
        Ok(reading)
    }

    async fn list<T>(
        &self,
        clients: &Clients,
        path: &str,
        read: impl Fn(&[u8]) -> Result<T, Unusable>,
    ) -> Result<T, NotFound> {
        let mut url = self.endpoint.url.clone();
        url.set_path(path);
        let request = Request {
            url: &url,
            headers: &self.headers,
            timeout: self.endpoint.timeout,
            limit: MAX_BYTES,
            host: &self.endpoint.host,
            server: self.endpoint.verified_as.as_deref(),
        };
        let answered = async {
            let verification = &self.endpoint.verification;
            let client = clients.client(verification)?;
            let body = http::get(clients, &client, verification, &request).await?;
            read(&body).map_err(|wrong| Failure::new(wrong.category, wrong.message))
        };
        answered.await.map_err(|failure| NotFound::Unanswered {
            url: shown(&url),
            category: failure.category,
            message: failure.message.into(),
        })
    }
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}
