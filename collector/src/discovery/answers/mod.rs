//! The repository's three lists: nodes, engine services, proxy services, and the site they make.
//!
//! Everything here is pure. What is missing or odd costs its node or its field, and is told in one
//! note; only an answer that is no list at all is unusable.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::config;

use crate::sources::body::{self, Unusable};
use crate::sources::lenient::{Members, Rejected};

/// Nodes of a site at most: large sites have some dozens, and each becomes several endpoints.
pub(super) const MOST_NODES: usize = 1_000;
/// Virtual proxies of one proxy at most; each is polled on its own.
const MOST_VIRTUAL_PROXIES: usize = 100;
/// Longest name that is taken from the repository; longer ones are cut.
const LONGEST_NAME: usize = 256;
/// Where engines listen unless their service says otherwise.
const ENGINE_PORT: u16 = 4747;
/// Where proxies answer for sessions unless their service says otherwise.
const PROXY_PORT: u16 = 4243;
/// The repository's usual port, for messages.
const REPOSITORY_PORT: &str = "4242";

/// A node of the site, with what of it can be polled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    /// The name that the administrator gave it.
    pub(crate) name: String,
    /// The host name, which is the one in its certificate, as it stands in a URL.
    pub(crate) host: String,
    /// The engine's port; none when it has no engine.
    pub(crate) engine_port: Option<u16>,
    /// Its proxy; none when it has none, or one without a virtual proxy.
    pub(crate) proxy: Option<NodeProxy>,
}

/// The proxy of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeProxy {
    /// The port of the session API.
    pub(crate) port: u16,
    /// The prefixes of its virtual proxies, each with a leading slash, `/` for the default one.
    pub(crate) virtual_proxies: Vec<String>,
}

/// What the three lists say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The nodes of which something can be polled, by name.
    pub(crate) nodes: Vec<Node>,
    /// What was left out or assumed, in words for an admin.
    pub(crate) notes: Vec<String>,
}

/// A node as listed.
#[derive(Debug)]
pub(super) struct ListedNode {
    id: Option<String>,
    name: Option<String>,
    host_name: Option<String>,
    engine_enabled: Option<bool>,
    proxy_enabled: Option<bool>,
}

/// A service as listed, and the node it is of.
#[derive(Debug)]
pub(super) struct Service<T> {
    id: Option<String>,
    host_name: Option<String>,
    says: T,
}

/// What an engine service says.
#[derive(Debug)]
pub(super) struct EngineSettings {
    port: Option<u16>,
}

/// What a proxy service says.
#[derive(Debug)]
pub(super) struct ProxySettings {
    port: Option<u16>,
    /// The prefixes with a leading slash.
    virtual_proxies: Vec<String>,
    /// Virtual proxies whose prefix makes no path.
    odd: usize,
}

/// Reads `/qrs/servernodeconfiguration/full`.
pub(super) fn nodes(body: &[u8]) -> Result<Vec<ListedNode>, Unusable> {
    elements(body, |node| {
        let mut odd = Rejected::default();
        ListedNode {
            id: node.text("id", &mut odd).as_deref().map(str::to_lowercase),
            name: node.text("name", &mut odd).map(|name| bounded(&name)),
            host_name: node.text("hostName", &mut odd),
            engine_enabled: node.optional_flag("engineEnabled", &mut odd),
            proxy_enabled: node.optional_flag("proxyEnabled", &mut odd),
        }
    })
}

/// Reads `/qrs/engineservice/full`.
pub(super) fn engines(body: &[u8]) -> Result<Vec<Service<EngineSettings>>, Unusable> {
    services(body, |settings| {
        let mut odd = Rejected::default();
        let ports = settings.texts("listenerPorts", &mut odd);
        EngineSettings { port: ports.iter().find_map(|port| port_number(port)) }
    })
}

/// Reads `/qrs/proxyservice/full`.
pub(super) fn proxies(body: &[u8]) -> Result<Vec<Service<ProxySettings>>, Unusable> {
    services(body, |settings| {
        let mut odd = Rejected::default();
        let port = settings.text("restListenPort", &mut odd);
        let listed = settings.elements("virtualProxies", &mut odd);
        let mut prefixes = BTreeSet::new();
        let mut without = 0;
        for proxy in listed.into_iter().take(MOST_VIRTUAL_PROXIES) {
            match Members::parse(proxy).as_ref().and_then(prefix) {
                Some(prefix) => drop(prefixes.insert(prefix)),
                None => without += 1,
            }
        }
        ProxySettings {
            port: port.as_deref().and_then(port_number),
            virtual_proxies: prefixes.into_iter().collect(),
            odd: without,
        }
    })
}

/// What the three lists say together. Nodes are in the order of their names, so that the same
/// site always reads the same.
pub(super) fn join(
    listed: Vec<ListedNode>,
    engines: &[Service<EngineSettings>],
    proxies: &[Service<ProxySettings>],
) -> Reading {
    let mut reading = Reading::default();
    let left = listed.len().saturating_sub(MOST_NODES);
    if left > 0 {
        reading.note(format!("{left} nodes beyond the first {MOST_NODES} are left out"));
    }
    for node in listed.into_iter().take(MOST_NODES) {
        let name = node.name.clone().filter(|name| !name.is_empty());
        let called = name.clone().or_else(|| node.host_name.clone()).unwrap_or_default();
        let host_name = node.host_name.as_deref().map(str::trim);
        let Some(host) = host_name.and_then(config::parse_host) else {
            reading.note(format!(
                "node {:?} is left out: its host name {:?} is none",
                bounded(&called),
                bounded(host_name.unwrap_or_default())
            ));
            continue;
        };
        let engine_port = reading.engine_port(&node, &called, of_node(&node, engines));
        let proxy = reading.proxy(&node, &called, of_node(&node, proxies));
        if engine_port.is_some() || proxy.is_some() {
            let name = name.unwrap_or_else(|| host.clone());
            reading.nodes.push(Node { name, host, engine_port, proxy });
        }
    }
    reading.nodes.sort();
    reading.nodes.dedup();
    reading
}

impl Reading {
    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn engine_port(
        &mut self,
        node: &ListedNode,
        called: &str,
        engine: Option<&EngineSettings>,
    ) -> Option<u16> {
        if !node.engine_enabled.unwrap_or(engine.is_some()) {
            return None;
        }
        let port = engine.and_then(|engine| engine.port);
        if port.is_none() {
            self.note(format!(
                "node {called:?} has an engine whose port is not listed: {ENGINE_PORT} is polled"
            ));
        }
        Some(port.unwrap_or(ENGINE_PORT))
    }

    fn proxy(
        &mut self,
        node: &ListedNode,
        called: &str,
        proxy: Option<&ProxySettings>,
    ) -> Option<NodeProxy> {
        if !node.proxy_enabled.unwrap_or(proxy.is_some()) {
            return None;
        }
        let Some(ProxySettings { port, virtual_proxies, odd }) = proxy else {
            self.note(format!(
                "node {called:?} has a proxy whose service is not listed: no sessions are polled"
            ));
            return None;
        };
        if *odd > 0 {
            self.note(format!(
                "{odd} virtual proxies of node {called:?} have a prefix that makes no path: they \
                 are left out"
            ));
        }
        // A proxy that no virtual proxy is linked to serves nobody, which is usual on some sites.
        if virtual_proxies.is_empty() {
            return None;
        }
        if port.is_none() {
            self.note(format!(
                "node {called:?} has a proxy without restListenPort: {PROXY_PORT} is polled"
            ));
        }
        Some(NodeProxy {
            port: port.unwrap_or(PROXY_PORT),
            virtual_proxies: virtual_proxies.clone(),
        })
    }
}

/// The service of a node: by its id, and by its host name where an id is missing.
fn of_node<'s, T>(node: &ListedNode, services: &'s [Service<T>]) -> Option<&'s T> {
    let same_host = |service: &Service<T>| match (&node.host_name, &service.host_name) {
        (Some(one), Some(other)) => one.trim().eq_ignore_ascii_case(other.trim()),
        _ => false,
    };
    let found = services.iter().find(|service| match (&node.id, &service.id) {
        (Some(one), Some(other)) => one == other,
        _ => same_host(service),
    });
    found.map(|service| &service.says)
}

fn services<T>(body: &[u8], read: impl Fn(&Members<'_>) -> T) -> Result<Vec<Service<T>>, Unusable> {
    elements(body, |service| {
        let mut odd = Rejected::default();
        let node = service.object("serverNodeConfiguration", &mut odd);
        Service {
            id: node.text("id", &mut odd).as_deref().map(str::to_lowercase),
            host_name: node.text("hostName", &mut odd),
            says: read(&service.object("settings", &mut odd)),
        }
    })
}

/// The objects of a list; what is no object is passed over.
fn elements<T>(body: &[u8], read: impl Fn(&Members<'_>) -> T) -> Result<Vec<T>, Unusable> {
    let text = body::text(body);
    let raw = body::json(&text, REPOSITORY_PORT)?;
    let elements: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_no_list| Unusable::unexpected("the answer is JSON, but no list"))?;
    Ok(elements.into_iter().filter_map(Members::parse).map(|members| read(&members)).collect())
}

/// A virtual proxy's prefix with a leading slash; none when it makes no path.
fn prefix(proxy: &Members<'_>) -> Option<String> {
    let mut odd = Rejected::default();
    let Some(prefix) = proxy.text("prefix", &mut odd) else {
        let is_default = proxy.optional_flag("defaultVirtualProxy", &mut odd);
        return (is_default == Some(true)).then(|| "/".to_owned());
    };
    let prefix = prefix.trim().trim_matches('/');
    // The characters that Qlik Sense allows; a step of dots would lead elsewhere.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    let is_step =
        |step: &str| !step.is_empty() && step.chars().all(allowed) && !matches!(step, "." | "..");
    let is_path = prefix.is_empty() || prefix.split('/').all(is_step);
    (is_path && prefix.len() <= LONGEST_NAME).then(|| format!("/{prefix}"))
}

/// A port in any form of a number.
fn port_number(text: &str) -> Option<u16> {
    let number: f64 = text.trim().parse().ok()?;
    let is_port = number.fract() == 0.0 && (1.0..=f64::from(u16::MAX)).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was just found to be a whole number of that range"
    )]
    let port = number as u16;
    is_port.then_some(port)
}

fn bounded(name: &str) -> String {
    name.trim().chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
pub(super) mod tests;
