//! What is polled: one API of one server, and for sessions one virtual proxy of it.
//!
//! Endpoints are made from the configuration and from what was found besides; nothing here does
//! input or output.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use shared::config::{self, Verify};
use shared::event::{Server, Source};
use shared::secret::Secret;
use shared::subject::{Subject, Token};
use shared::tls::Verification;
use thiserror::Error;
use url::Url;

use crate::sources::request;

/// The repository's port when the configuration names none.
const REPOSITORY_PORT: u16 = 4242;

/// A server to poll, with how it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Polled {
    /// What is polled, and what it is called.
    pub(crate) server: config::Server,
    /// Whether it has an engine; one that has none is polled for its sessions alone.
    pub(crate) has_engine: bool,
    /// What `collector.servers` says about its certificate.
    pub(crate) tls: Option<config::ServerTls>,
    /// The name under which `collector.servers` says so, or would.
    pub(crate) named: String,
}

impl Polled {
    /// The servers of the configuration file.
    pub(crate) fn of_file(collector: &config::Collector) -> Vec<Self> {
        let polled = |server: &config::Server| Self {
            server: server.clone(),
            has_engine: true,
            tls: collector.server_tls.get(&server.name).cloned(),
            named: server.name.clone(),
        };
        collector.servers.iter().map(polled).collect()
    }
}

/// One API of one server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    /// Its name across restarts, e.g. `sessions/sense1/default`.
    pub(crate) key: String,
    /// The API.
    pub(crate) source: Source,
    /// The server, with its true names; for app names, the repository.
    pub(crate) server: Arc<Server>,
    /// The `host:port` polled, as configured.
    pub(crate) host: String,
    /// The URL polled, with its query.
    pub(crate) url: Url,
    /// The virtual proxy's prefix with a leading slash, for sessions.
    pub(crate) virtual_proxy: Option<String>,
    /// Headers of the configuration.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Time between two ticks.
    pub(crate) interval: Duration,
    /// How long a poll may take.
    pub(crate) timeout: Duration,
    /// How far the server's certificate is verified.
    pub(crate) verification: Verification,
    /// The name under which `collector.servers` says so, if there is one.
    pub(crate) verified_as: Option<String>,
    /// Where its answers are published.
    pub(crate) subject: Subject,
    /// Where its failed polls are published.
    pub(crate) failed_subject: Subject,
}

impl Endpoint {
    /// The server's token in subjects; for app names, the repository's.
    pub(crate) fn token(&self) -> &str {
        // The key has it, and no token holds a slash.
        self.key.split('/').nth(1).unwrap_or_default()
    }

    /// The URL without its query, as logs and events show it.
    pub(crate) fn shown_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.into()
    }
}

/// A host of the configuration that makes no URL.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the host `{host}` of server `{server}` makes no URL: expected host:port")]
pub(crate) struct BadHost {
    /// The server.
    pub(crate) server: String,
    /// The host.
    pub(crate) host: String,
}

/// All endpoints: app names first, since health events carry them.
///
/// # Errors
/// A host that makes no URL.
pub(crate) fn endpoints(
    collector: &config::Collector,
    servers: &[Polled],
    prefix: &str,
    xrfkey: &str,
) -> Result<Vec<Endpoint>, BadHost> {
    let site = Site { collector, prefix, xrfkey };
    let mut endpoints = Vec::new();
    if let Some(app_names) = &collector.app_names {
        endpoints.push(repository(app_names, collector, prefix, xrfkey)?);
    }
    let named = tokens(servers);
    for (server, token) in servers.iter().zip(&named).filter(|(server, _)| server.has_engine) {
        endpoints.push(engine(&site, server, token)?);
    }
    // One virtual proxy of every server after the other: those of one server share connections,
    // which they can only when they are not polled at the same moment.
    let polled = collector.sessions.as_ref();
    let proxies_of = |polled: &Polled| {
        polled.server.sessions.as_ref().map_or(0, |sessions| sessions.virtual_proxies.len())
    };
    let most = servers.iter().map(proxies_of).max().unwrap_or(0);
    let mut seen = BTreeSet::new();
    for number in 0..most {
        for (server, token) in servers.iter().zip(&named) {
            let (Some(all), Some(sessions)) = (polled, &server.server.sessions) else { continue };
            let Some(virtual_proxy) = sessions.virtual_proxies.get(number) else { continue };
            let endpoint = proxy(&site, server, token, sessions, virtual_proxy, all.interval)?;
            // The same prefix twice would be two pollers of one thing.
            if seen.insert(endpoint.key.clone()) {
                endpoints.push(endpoint);
            }
        }
    }
    Ok(endpoints)
}

/// The token of each server, in order; those of a name that came before are numbered.
fn tokens(servers: &[Polled]) -> Vec<Token> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    servers
        .iter()
        .map(|polled| {
            let number = seen.entry(&polled.server.name).or_default();
            *number += 1;
            let token = Token::new(&polled.server.name);
            if *number == 1 { token } else { token.repeated(*number) }
        })
        .collect()
}

struct Site<'a> {
    collector: &'a config::Collector,
    prefix: &'a str,
    xrfkey: &'a str,
}

fn engine(site: &Site<'_>, polled: &Polled, token: &Token) -> Result<Endpoint, BadHost> {
    let (collector, server) = (site.collector, &polled.server);
    Ok(Endpoint {
        key: format!("health/{token}"),
        source: Source::Health,
        url: url(&server.name, &server.host, request::HEALTH_PATH, None)?,
        host: server.host.clone(),
        virtual_proxy: None,
        headers: server.headers.clone(),
        interval: collector.health_interval,
        timeout: collector.poll_timeout_at(collector.health_interval),
        verification: verified_by(collector, polled.tls.as_ref(), &server.host),
        verified_as: Some(polled.named.clone()),
        subject: Subject::health(site.prefix, token),
        failed_subject: Subject::failed_polls(site.prefix, token, Source::Health),
        server: Arc::new(true_names(server)),
    })
}

fn proxy(
    site: &Site<'_>,
    polled: &Polled,
    token: &Token,
    sessions: &config::ServerSessions,
    virtual_proxy: &str,
    interval: Duration,
) -> Result<Endpoint, BadHost> {
    let server = &polled.server;
    let proxy_token = Token::virtual_proxy(virtual_proxy);
    let path = request::sessions_path(virtual_proxy);
    Ok(Endpoint {
        key: format!("sessions/{token}/{proxy_token}"),
        source: Source::Sessions,
        url: url(&server.name, &sessions.host, &path, Some(site.xrfkey))?,
        host: sessions.host.clone(),
        virtual_proxy: Some(virtual_proxy.to_owned()),
        headers: Vec::new(),
        interval,
        timeout: site.collector.poll_timeout_at(interval),
        verification: verified_by(site.collector, polled.tls.as_ref(), &sessions.host),
        verified_as: Some(polled.named.clone()),
        subject: Subject::sessions(site.prefix, token, &proxy_token),
        failed_subject: Subject::failed_polls(site.prefix, token, Source::Sessions),
        server: Arc::new(true_names(server)),
    })
}

/// The list of apps of the repository, which runs on one of the servers.
pub(crate) fn repository(
    app_names: &config::AppNames,
    collector: &config::Collector,
    prefix: &str,
    xrfkey: &str,
) -> Result<Endpoint, BadHost> {
    let name = &app_names.host;
    let literal = if name.contains(':') && !name.starts_with('[') {
        format!("[{name}]")
    } else {
        name.clone()
    };
    let with_port = format!("{literal}:{}", app_names.port);
    let host = if app_names.port == REPOSITORY_PORT { name.clone() } else { with_port.clone() };
    let token = Token::new(name);
    // What is said about the certificate of that server holds.
    let neighbour = collector.servers.iter().find(|server| bare(&server.host) == bare(&with_port));
    let named = neighbour.map_or(name, |server| &server.name);
    let verification = verified_by(collector, collector.server_tls.get(named), &with_port);
    let server = Server { name: name.clone(), host: host.clone(), ..Server::default() };
    Ok(Endpoint {
        key: format!("app-names/{token}"),
        source: Source::AppNames,
        url: url(name, &with_port, request::APP_NAMES_PATH, Some(xrfkey))?,
        host,
        virtual_proxy: None,
        headers: Vec::new(),
        interval: app_names.interval,
        timeout: collector.poll_timeout_at(app_names.interval),
        verification,
        // Only discovery lets `collector.servers` name a host that no server of the file has.
        verified_as: (neighbour.is_some() || collector.discovery.is_some()).then(|| named.clone()),
        subject: Subject::app_names(prefix, &token),
        failed_subject: Subject::failed_polls(prefix, &token, Source::AppNames),
        server: Arc::new(server),
    })
}

fn true_names(server: &config::Server) -> Server {
    Server {
        name: server.name.clone(),
        description: server.description.clone(),
        host: server.host.clone(),
        tags: server.tags.iter().cloned().collect(),
    }
}

fn url(server: &str, host: &str, path: &str, xrfkey: Option<&str>) -> Result<Url, BadHost> {
    let bad = || BadHost { server: server.to_owned(), host: host.to_owned() };
    // A host with a path or a user name in it would silently poll something else.
    if host.is_empty() || host.contains(['/', '?', '#', '@', '\\']) {
        return Err(bad());
    }
    let mut url = Url::parse(&format!("https://{host}{path}")).map_err(|_invalid| bad())?;
    if let Some(key) = xrfkey {
        url.query_pairs_mut().append_pair(request::XRFKEY_PARAMETER, key);
    }
    Ok(url)
}

/// How a server is verified at `host`, which is its engine's or its proxy's.
fn verified_by(
    collector: &config::Collector,
    said: Option<&config::ServerTls>,
    host: &str,
) -> Verification {
    if !collector.reject_unauthorized {
        return Verification::None;
    }
    let name = said.and_then(|said| said.tls_server_name.clone());
    match (said.and_then(|said| said.verify), name) {
        (Some(Verify::None), _) => Verification::None,
        (Some(Verify::Chain), _) => Verification::Chain,
        (_, Some(name)) => Verification::As(name),
        // No Qlik certificate names an address.
        (_, None) if is_address(host) => Verification::Chain,
        (_, None) => Verification::Full,
    }
}

/// The ways of verifying that servers may need which are not known yet.
pub(crate) fn verifications(collector: &config::Collector) -> BTreeSet<Verification> {
    /// One host of either kind: a name, and an address.
    const HOSTS: [&str; 2] = ["sense1", "127.0.0.1"];
    let said = || collector.server_tls.values().map(Some).chain([None]);
    let of = |host| said().map(move |said| verified_by(collector, said, host));
    HOSTS.into_iter().flat_map(of).collect()
}

/// Whether a `host:port` names an IP address.
pub(crate) fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || bare(host).parse::<IpAddr>().is_ok()
}

/// A `host:port` without its port and brackets.
pub(crate) fn bare(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
pub(crate) mod tests;
