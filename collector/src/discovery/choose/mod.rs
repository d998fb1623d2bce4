//! From the nodes of the site to the servers that are polled: the file wins, and names them.
//!
//! Everything here is pure, so that the same nodes and the same file always make the same servers.

use std::collections::BTreeSet;

use shared::config::{self, Naming, Server, ServerSessions, ServerTls, Verify};

use super::answers::Node;
use super::pattern::matches;
use crate::endpoint::{Polled, is_address};

/// A server that was found, and is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The name of its node.
    pub(crate) node: String,
    /// What is polled.
    pub(crate) polled: Polled,
}

/// A node that was found, and is not polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The name of the node.
    pub node: String,
    /// Its host name.
    pub host: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why a node is not polled as a found server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// A server of `serversToMonitor.servers` has its host or its name, and is polled as it is
    /// written there.
    InFile,
    /// `collector.discovery.exclude` says so.
    Excluded,
}

/// What becomes of the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Those that are polled, in the order of the nodes.
    pub(crate) chosen: Vec<Chosen>,
    /// Those that are not.
    pub(crate) left_out: Vec<LeftOut>,
    /// What an operator should know, in words.
    pub(crate) notes: Vec<String>,
}

impl Choice {
    /// All that is polled: the servers of the file, then those that were found.
    pub(crate) fn with_file(&self, collector: &config::Collector) -> Vec<Polled> {
        let mut servers = Polled::of_file(collector);
        servers.extend(self.chosen.iter().map(|chosen| chosen.polled.clone()));
        servers
    }
}

/// Decides which nodes are polled, and what they are called.
pub(crate) fn choose(
    collector: &config::Collector,
    discovery: &config::Discovery,
    nodes: &[Node],
) -> Choice {
    let mut choice = Choice::default();
    let mut used = BTreeSet::new();
    for node in nodes {
        let key = entry_of(collector, node);
        let naming = key.and_then(|key| discovery.namings.get(key));
        let server = server(collector, discovery, node, key, naming);
        used.extend(key);
        let why = if is_excluded(discovery, node, &server.polled) {
            Some(WhyLeftOut::Excluded)
        } else if is_in_file(collector, node, &server.polled) {
            Some(WhyLeftOut::InFile)
        } else {
            None
        };
        match why {
            Some(why) => {
                let (node, host) = (node.name.clone(), node.host.clone());
                choice.left_out.push(LeftOut { node, host, why });
            }
            None => choice.chosen.extend(without_proxies_of_file(collector, server)),
        }
    }
    note_names(collector, discovery, &used, &mut choice);
    choice
}

/// The key of `collector.servers` that means a node: its name, or its host.
fn entry_of<'c>(collector: &'c config::Collector, node: &Node) -> Option<&'c str> {
    let with_port = node.engine_port.map(|port| format!("{}:{port}", node.host));
    let wanted = [Some(node.name.as_str()), Some(node.host.as_str()), with_port.as_deref()];
    let keys = || collector.server_tls.keys();
    wanted.into_iter().flatten().find_map(|wanted| {
        let key = keys().find(|key| *key == wanted);
        key.or_else(|| keys().find(|key| key.eq_ignore_ascii_case(wanted))).map(String::as_str)
    })
}

fn server(
    collector: &config::Collector,
    discovery: &config::Discovery,
    node: &Node,
    key: Option<&str>,
    naming: Option<&Naming>,
) -> Chosen {
    let name = naming.and_then(|naming| naming.name.clone()).unwrap_or_else(|| node.name.clone());
    let own_tags = naming.map_or(&[][..], |naming| &naming.tags);
    let is_own = |tag: &str| own_tags.iter().any(|(own, _)| own == tag);
    let common = discovery.tags.iter().filter(|(tag, _)| !is_own(tag));
    let sessions = node.proxy.as_ref().map(|proxy| ServerSessions {
        host: format!("{}:{}", node.host, proxy.port),
        virtual_proxies: proxy.virtual_proxies.clone(),
    });
    let engine = node.engine_port.map(|port| format!("{}:{port}", node.host));
    let proxy = sessions.as_ref().map(|sessions| sessions.host.clone());
    let tls = key.and_then(|key| collector.server_tls.get(key)).cloned();
    let polled = Polled {
        has_engine: engine.is_some(),
        server: Server {
            name,
            description: String::new(),
            host: engine.or(proxy).unwrap_or_else(|| node.host.clone()),
            tags: common.chain(own_tags).cloned().collect(),
            headers: Vec::new(),
            sessions,
            tls_server_name: tls.as_ref().and_then(|tls| tls.tls_server_name.clone()),
            verify: verify(collector, tls.as_ref(), &node.host),
        },
        tls,
        named: key.unwrap_or(&node.name).to_owned(),
    };
    Chosen { node: node.name.clone(), polled }
}

/// The same as of a server in the file.
fn verify(collector: &config::Collector, tls: Option<&ServerTls>, host: &str) -> Verify {
    let named = tls.is_some_and(|tls| tls.tls_server_name.is_some());
    match tls.and_then(|tls| tls.verify) {
        _ if !collector.reject_unauthorized => Verify::None,
        Some(verify) => verify,
        None if is_address(host) && !named => Verify::Chain,
        None => Verify::Full,
    }
}

fn is_excluded(discovery: &config::Discovery, node: &Node, polled: &Polled) -> bool {
    let names = [&node.name, &polled.server.name, &node.host, &polled.server.host];
    discovery.exclude.iter().any(|pattern| names.iter().any(|name| matches(pattern, name)))
}

/// Whether the file has the server, by its engine's host and port or by one of its names.
fn is_in_file(collector: &config::Collector, node: &Node, polled: &Polled) -> bool {
    collector.servers.iter().any(|written| {
        let same_host = polled.has_engine && is_same(&written.host, &polled.server.host);
        let same_name =
            is_same(&written.name, &node.name) || is_same(&written.name, &polled.server.name);
        same_host || same_name
    })
}

/// A found server without the proxy that a server of the file polls already; none when nothing of
/// it is left.
fn without_proxies_of_file(collector: &config::Collector, mut found: Chosen) -> Option<Chosen> {
    let server = &mut found.polled.server;
    let written = |host: &str| {
        let sessions = collector.servers.iter().filter_map(|written| written.sessions.as_ref());
        sessions.into_iter().any(|sessions| is_same(&sessions.host, host))
    };
    if server.sessions.as_ref().is_some_and(|sessions| written(&sessions.host)) {
        server.sessions = None;
    }
    (found.polled.has_engine || server.sessions.is_some()).then_some(found)
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Notes names in `collector.servers` that mean no server, and names that several servers have.
fn note_names(
    collector: &config::Collector,
    discovery: &config::Discovery,
    used: &BTreeSet<&str>,
    choice: &mut Choice,
) {
    let in_file: BTreeSet<&str> = collector.servers.iter().map(|one| one.name.as_str()).collect();
    for key in collector.server_tls.keys().map(String::as_str) {
        // The repository's own host may be named, whether it is a node of that name or not.
        let is_repository = is_same(key, &discovery.host);
        if !used.contains(key) && !in_file.contains(key) && !is_repository {
            choice.notes.push(format!(
                "collector.servers names {key:?}, and neither a server of the file nor a node of \
                 the site has this name or host"
            ));
        }
    }
    let mut names = BTreeSet::new();
    for Chosen { polled, .. } in &choice.chosen {
        let name = &polled.server.name;
        if !names.insert(name) {
            choice.notes.push(format!(
                "more than one found server is called {name:?}: their subjects are numbered; give \
                 them names of their own in collector.servers, by their hosts"
            ));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
