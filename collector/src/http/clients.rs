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
use shared::tls::{
    Certificate, Files, Material, Presented, TlsError, Verification, noting_client_config,
};
use tokio_util::sync::CancellationToken;

use super::certificates::Watched;
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
    /// Where it is noted what servers present.
    pub(crate) presented: Presented,
}

type Made = Result<BTreeMap<Verification, Client>, String>;

/// The clients of now.
#[derive(Debug)]
pub(crate) struct Clients {
    /// None without a certificate in the configuration.
    watched: Option<Arc<Watched<Made>>>,
    resolver: Resolver,
    presented: Presented,
}

/// A client, and the clients among which it was chosen.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(super) client: Client,
    among: Arc<Made>,
}

impl Clients {
    /// Makes the clients, and keeps them up to date until `stop`.
    pub(crate) async fn start(settings: ClientSettings, stop: CancellationToken) -> Self {
        let (resolver, presented) = (Resolver::default(), settings.presented.clone());
        let Some(certificates) = settings.certificates.clone() else {
            return Self { watched: None, resolver, presented };
        };
        let resolving = resolver.clone();
        // Making is reading files and decrypting keys, which a runtime thread should not wait for.
        let making = tokio::task::spawn_blocking(move || {
            let files = Files::from(&certificates);
            let make =
                move |material: Result<Material, TlsError>| make(material, &settings, &resolving);
            Watched::start(files, Box::new(make), stop)
        });
        let watched = making.await.ok();
        Self { watched, resolver, presented }
    }

    /// The client for servers verified in that way.
    pub(crate) fn client(&self, verification: &Verification) -> Result<Chosen, Failure> {
        let watched = self.watched.as_ref().ok_or_else(|| {
            Failure::certificate_unreadable("no certificate is configured (section cert)")
        })?;
        chosen(watched.now(), verification)
    }

    /// The client of the files as they are now, when they are not those of `before` any more: a
    /// handshake may have failed because the certificates of the site have just been exchanged.
    pub(super) async fn renewed(
        &self,
        verification: &Verification,
        before: &Chosen,
    ) -> Option<Client> {
        let now = self.watched.as_ref()?.look().await;
        if Arc::ptr_eq(&now, &before.among) {
            return None;
        }
        Some(chosen(now, verification).ok()?.client)
    }

    /// What a URL's host presented last.
    pub(super) fn presented_by(&self, url: &Url) -> Option<Certificate> {
        self.presented.by(url.host_str()?.trim_matches(['[', ']']))
    }

    /// The address that a URL's host has, as far as is known.
    pub(super) fn address_of(&self, url: &Url) -> Option<SocketAddr> {
        let port = url.port_or_known_default()?;
        let host = url.host_str()?.trim_matches(['[', ']']);
        let ip = host.parse::<IpAddr>().ok().or_else(|| self.resolver.last(host))?;
        Some(SocketAddr::new(ip, port))
    }
}

fn chosen(among: Arc<Made>, verification: &Verification) -> Result<Chosen, Failure> {
    let client = match among.as_ref() {
        Ok(clients) => clients.get(verification).cloned(),
        Err(why) => return Err(Failure::certificate_unreadable(why)),
    };
    let none = || Failure::certificate_unreadable("no client for this verification");
    Ok(Chosen { client: client.ok_or_else(none)?, among })
}

fn make(
    material: Result<Material, TlsError>,
    settings: &ClientSettings,
    resolver: &Resolver,
) -> Made {
    let material = material.map_err(|error| error.to_string())?;
    let mut clients = BTreeMap::new();
    for verification in &settings.verifications {
        let tls = noting_client_config(&material, verification, &settings.presented);
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
