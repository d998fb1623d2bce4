//! The HTTP clients: one for each way of verifying, over the certificates of now.
//!
//! Servers that are verified alike share a client, and with it the TLS configuration. When the
//! certificate files change all clients are made anew; connections of the old ones end with them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use shared::config::Certificates;
use shared::tls::{Identity, Roots, TlsError, Verification, client_config};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::certificates::{self, Watched};
use super::failure::Failure;
use super::resolver::Resolver;

/// Idle connections kept for each host: polls of one host rarely overlap, and the connection used
/// last is used next, so that more of them only end by age.
const IDLE_PER_HOST: usize = 2;
/// How much longer than an interval a connection is kept, so that a late poll still finds it.
const IDLE_SLACK: Duration = Duration::from_secs(30);
/// Longest time for which an idle connection is kept: beyond it, a handshake is no cost.
const IDLE_MOST: Duration = Duration::from_hours(1);
/// Silence after which the system asks whether the other side is still there; firewalls forget
/// connections silently, and a poll on a forgotten one would time out.
const PROBE_AFTER: Duration = Duration::from_mins(1);
const PROBE_EVERY: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;
const USER_AGENT: &str = concat!("footman/", env!("CARGO_PKG_VERSION"));

/// What clients are made for.
#[derive(Clone, Debug)]
pub(crate) struct ClientSettings {
    /// The site's certificates; none when the configuration has none.
    pub(crate) certificates: Option<Certificates>,
    /// The ways of verifying that occur.
    pub(crate) verifications: BTreeSet<Verification>,
    /// The longest time between two polls of one endpoint.
    pub(crate) longest_interval: Duration,
}

type Made = Result<BTreeMap<Verification, Client>, String>;

/// The clients of now.
#[derive(Debug)]
pub(crate) struct Clients {
    now: watch::Receiver<Arc<Made>>,
    resolver: Resolver,
}

impl Clients {
    /// Makes the clients, and keeps them up to date until `stop`.
    pub(crate) async fn start(settings: ClientSettings, stop: CancellationToken) -> Self {
        let resolver = Resolver::default();
        let Some(files) = settings.certificates.clone() else {
            let none = Err("no certificate is configured (section cert)".to_owned());
            return Self { now: watch::channel(Arc::new(none)).1, resolver };
        };
        let resolving = resolver.clone();
        let make = move |files: &Certificates| Arc::new(make(files, &settings, &resolving));
        let now = certificates::watch(Watched { files, make: Arc::new(make) }, stop).await;
        Self { now, resolver }
    }

    /// The client for servers verified in that way.
    pub(crate) fn client(&self, verification: &Verification) -> Result<Client, Failure> {
        match self.now.borrow().as_ref() {
            Ok(clients) => clients
                .get(verification)
                .cloned()
                .ok_or_else(|| Failure::certificate_unreadable("no client for this verification")),
            Err(why) => Err(Failure::certificate_unreadable(why)),
        }
    }

    /// The address that a URL's host has, as far as is known.
    pub(super) fn address_of(&self, url: &Url) -> Option<SocketAddr> {
        let port = url.port_or_known_default()?;
        let host = url.host_str()?.trim_matches(['[', ']']);
        let ip = host.parse::<IpAddr>().ok().or_else(|| self.resolver.last(host))?;
        Some(SocketAddr::new(ip, port))
    }
}

fn make(files: &Certificates, settings: &ClientSettings, resolver: &Resolver) -> Made {
    let made = || -> Result<_, TlsError> {
        let roots = Roots::load(&files.ca)?;
        let identity = Identity::load(&files.cert, &files.key, files.passphrase.as_ref())?;
        Ok((roots, identity))
    };
    let (roots, identity) = made().map_err(|error| error.to_string())?;
    let mut clients = BTreeMap::new();
    for verification in &settings.verifications {
        let tls = client_config(&roots, Some(&identity), verification);
        let client = client(tls.map_err(|error| error.to_string())?, settings, resolver);
        clients.insert(verification.clone(), client.map_err(|error| error.to_string())?);
    }
    Ok(clients)
}

fn client(
    tls: rustls::ClientConfig,
    settings: &ClientSettings,
    resolver: &Resolver,
) -> Result<Client, reqwest::Error> {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .http1_only()
        .https_only(true)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .dns_resolver(Arc::new(resolver.clone()))
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .pool_idle_timeout((settings.longest_interval + IDLE_SLACK).min(IDLE_MOST))
        .tcp_nodelay(true)
        .tcp_keepalive(PROBE_AFTER)
        .tcp_keepalive_interval(PROBE_EVERY)
        .tcp_keepalive_retries(PROBES)
        .build()
}
