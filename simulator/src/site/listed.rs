//! What the repository says of a node, which may change while the site runs.

use super::{ListedHosts, SiteConfig, address, server::Peer};

/// A node as the repository lists it: enough to find all that can be polled.
///
/// Nothing of it moves a socket: a node whose port is changed here is listed wrongly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNode {
    /// The node's place among the servers, from 0, which its ids are made of.
    pub index: usize,
    /// Whether it is listed at all: a node that is not was never there, or was removed.
    pub listed: bool,
    /// The name that the administrator gave it.
    pub name: String,
    /// Its host name.
    pub host_name: String,
    /// The value of its tag.
    pub tag: String,
    /// Whether its engine is enabled.
    pub engine_enabled: bool,
    /// The ports of its engine.
    pub engine_ports: Vec<u16>,
    /// Whether its proxy is enabled.
    pub proxy_enabled: bool,
    /// The port of its session API.
    pub rest_port: u16,
    /// The virtual proxies that are linked to its proxy, as Butler SOS writes them: `/` is the
    /// default one.
    pub virtual_proxies: Vec<String>,
}

impl ListedNode {
    /// As the node really is.
    pub(super) fn new(peer: &Peer, config: &SiteConfig) -> Self {
        let place = config.addresses.place(peer.index, config.ports);
        let (index, ports) = place.unwrap_or((peer.index, config.ports));
        let address = address(config.first_address, index, ports.engine);
        let host_name = match config.listed_hosts {
            ListedHosts::Names => peer.host_name.clone(),
            ListedHosts::Addresses => address.ip().to_string(),
        };
        Self {
            index: peer.index,
            listed: true,
            name: peer.name.clone(),
            host_name,
            tag: peer.tag.clone(),
            engine_enabled: true,
            engine_ports: vec![ports.engine],
            proxy_enabled: true,
            rest_port: ports.proxy,
            virtual_proxies: config.virtual_proxies.clone(),
        }
    }
}
