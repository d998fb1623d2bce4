//! Servers that nobody wrote down: the repository is asked for the site's nodes, their engines'
//! ports and the virtual proxies of their proxies.
//!
//! [`discover`] asks once, for a person who wants to see it; a running collector follows the
//! repository. In both the file wins: what it has is polled as it is written there, and it names,
//! tags and excludes what is found.

mod answers;
mod ask;
mod choose;
mod follow;
mod kept;
mod metrics;
mod pattern;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use shared::config::{self, Config};
use shared::tls::Presented;
use tokio_util::sync::CancellationToken;

pub(crate) use answers::Node;
pub(crate) use ask::Asker;
pub use ask::NotFound;
pub(crate) use choose::{Choice, choose};
pub use choose::{LeftOut, WhyLeftOut};
pub(crate) use follow::Follower;
pub(crate) use kept::Kept;
pub use metrics::DiscoveryMetrics;

use crate::endpoint::Polled;
use crate::http::{ClientSettings, Clients};

/// What one question found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The servers that discovery polls, or would poll when it is enabled.
    pub servers: Vec<FoundServer>,
    /// The nodes that it does not poll.
    pub left_out: Vec<LeftOut>,
    /// What an operator should know, in words without a period.
    pub notes: Vec<String>,
    choice: Choice,
    repository: String,
}

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundServer {
    /// The name that tags, subjects and logs use.
    pub name: String,
    /// The name of its node.
    pub node: String,
    /// The engine's `host:port`; none when it has no engine.
    pub engine: Option<String>,
    /// The proxy's `host:port`; none when it has no proxy.
    pub proxy: Option<String>,
    /// The prefixes of its virtual proxies, each with a leading slash.
    pub virtual_proxies: Vec<String>,
}

impl Found {
    fn new(choice: Choice, mut notes: Vec<String>, repository: String) -> Self {
        notes.extend_from_slice(&choice.notes);
        let servers = choice.chosen.iter().map(|chosen| {
            let server = &chosen.polled.server;
            let sessions = server.sessions.clone();
            FoundServer {
                name: server.name.clone(),
                node: chosen.node.clone(),
                engine: chosen.polled.has_engine.then(|| server.host.clone()),
                proxy: sessions.as_ref().map(|sessions| sessions.host.clone()),
                virtual_proxies: sessions.map_or_else(Vec::new, |found| found.virtual_proxies),
            }
        });
        let (servers, left_out) = (servers.collect(), choice.left_out.clone());
        Self { servers, left_out, notes, choice, repository }
    }

    /// All that would be polled: the servers of the file, and those that were found.
    pub(crate) fn polled(&self, collector: &config::Collector) -> Vec<Polled> {
        self.choice.with_file(collector)
    }

    /// The servers as entries of `serversToMonitor.servers`, to paste into a configuration.
    pub fn as_yaml(&self) -> String {
        yaml::of(&self.choice, &self.repository)
    }
}

/// Asks the repository of `appNames.hostIP` once, whether discovery is enabled or not.
///
/// # Errors
/// No repository is named, it does not answer, or it has nothing to poll.
pub async fn discover(config: &Config) -> Result<Found, NotFound> {
    let settings = settings(&config.collector).ok_or(NotFound::NoRepository)?;
    let asker = Asker::new(config, &settings)
        .map_err(|error| NotFound::Host { message: error.to_string() })?;
    let done = CancellationToken::new();
    let _done_at_return = done.clone().drop_guard();
    let clients = ClientSettings {
        certificates: config.collector.certificates.clone(),
        verifications: BTreeSet::from([asker.endpoint().verification.clone()]),
        longest_interval: settings.interval,
        presented: Presented::default(),
    };
    let reading = asker.ask(&Clients::start(clients, done).await).await?;
    let choice = choose(&config.collector, &settings, &reading.nodes);
    Ok(Found::new(choice, reading.notes, asker.endpoint().host.clone()))
}

/// What three answers of the repository make of a site, for checks that feed them with anything.
pub(crate) fn read(lists: [&[u8]; 3], collector: &config::Collector) -> Option<Found> {
    let [nodes, engines, proxies] = lists;
    let (engines, proxies) = (answers::engines(engines).ok()?, answers::proxies(proxies).ok()?);
    let reading = answers::join(answers::nodes(nodes).ok()?, &engines, &proxies);
    let settings = settings(collector)?;
    let choice = choose(collector, &settings, &reading.nodes);
    Some(Found::new(choice, reading.notes, settings.host))
}

/// How the repository is asked: as `collector.discovery` says, or with its defaults where app
/// names are polled.
fn settings(collector: &config::Collector) -> Option<config::Discovery> {
    let of_app_names = || {
        let config::AppNames { interval, host, port } = collector.app_names.clone()?;
        let (exclude, tags, namings) = (Vec::new(), Vec::new(), BTreeMap::new());
        Some(config::Discovery { interval, exclude, tags, namings, host, port })
    };
    collector.discovery.clone().or_else(of_app_names)
}
