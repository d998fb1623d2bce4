//! What is to be polled: the servers of the file and those that were found, as endpoints.
//!
//! Nothing here asks anybody; it says once what an operator should know of the servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shared::config::Config;
use shared::tls::Verification;
use tracing::{info, warn};

use crate::discovery::{Choice, Node, choose};
use crate::endpoint::{BadHost, Endpoint, Polled, endpoints, is_address};

/// Makes endpoints of servers.
#[derive(Debug)]
pub(crate) struct Plan {
    config: Arc<Config>,
    xrfkey: String,
    /// What was said about the servers last.
    notes: Vec<String>,
}

/// What is to be polled from now on.
#[derive(Debug)]
pub(crate) struct Planned {
    /// All endpoints.
    pub(crate) endpoints: Vec<Endpoint>,
    /// How many servers are not in the file.
    pub(crate) found: usize,
    servers: Vec<Polled>,
}

impl Plan {
    pub(crate) fn new(config: &Arc<Config>, xrfkey: &str) -> Self {
        Self { config: Arc::clone(config), xrfkey: xrfkey.to_owned(), notes: Vec::new() }
    }

    /// All that is to be polled, when the repository knows these nodes; none while it was not
    /// heard of.
    pub(crate) fn with(&mut self, nodes: Option<&[Node]>) -> Result<Planned, BadHost> {
        let collector = &self.config.collector;
        let choice = match (&collector.discovery, nodes) {
            (Some(discovery), Some(nodes)) => choose(collector, discovery, nodes),
            _ => Choice::default(),
        };
        let servers = choice.with_file(collector);
        let prefix = &self.config.broker.topic_prefix;
        let endpoints = endpoints(collector, &servers, prefix, &self.xrfkey)?;
        if choice.notes != self.notes {
            for note in &choice.notes {
                warn!("Discovery: {note}.");
            }
            self.notes = choice.notes;
        }
        Ok(Planned { endpoints, found: choice.chosen.len(), servers })
    }

    /// Says at start what an operator should know about what is polled.
    pub(crate) fn announce(&self, planned: &Planned) {
        let collector = &self.config.collector;
        let Planned { endpoints, servers, found } = planned;
        info!(
            servers = servers.len(),
            discovered = found,
            endpoints = endpoints.len(),
            "Polling begins.",
        );
        if !collector.reject_unauthorized {
            warn!(
                "rejectUnauthorized is false: no certificate of Qlik Sense is verified, and anyone \
                 in the network can pretend to be a server. Set it to true, and cert.clientCertCA \
                 to the site's root.pem."
            );
        }
        let unverified: BTreeSet<&str> = endpoints
            .iter()
            .filter(|endpoint| endpoint.verification == Verification::None)
            .map(|endpoint| endpoint.host.as_str())
            .collect();
        if let Some(first) = unverified.first()
            && collector.reject_unauthorized
        {
            warn!(
                hosts = unverified.len(),
                "Certificates are not verified at all with verify: none, {first} for one: anyone \
                 in the network can pretend to be that server.",
            );
        }
        let mut lowered = BTreeMap::new();
        for endpoint in endpoints.iter().filter(|one| one.timeout < collector.poll_timeout) {
            lowered.insert(endpoint.source.name(), endpoint.timeout);
        }
        for (source, timeout) in lowered {
            let timeout = timeout.as_millis();
            info!(source, "pollTimeout is lowered to {timeout} ms, nine tenths of the interval.");
        }
        let by_address: Vec<&str> = endpoints
            .iter()
            .filter(|endpoint| endpoint.verification == Verification::Chain)
            .filter(|endpoint| is_address(&endpoint.host))
            .map(|endpoint| endpoint.host.as_str())
            .collect();
        if let Some(first) = by_address.first() {
            info!(
                hosts = by_address.len(),
                "Hosts given as IP addresses, {first} for one, are verified by the chain of their \
                 certificate alone; set collector.servers.<name>.tlsServerName to verify the name \
                 too.",
            );
        }
        let mut names = BTreeMap::new();
        for server in &collector.servers {
            *names.entry(server.name.as_str()).or_insert(0_usize) += 1;
        }
        for (name, number) in names.iter().filter(|(_, number)| **number > 1) {
            warn!(server = name, "{number} servers have this name; their subjects are numbered.");
        }
    }
}
