//! What is counted about discovery.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The metrics of discovery; clones share them.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryMetrics {
    servers: Gauge,
    last_success: Gauge<f64, AtomicU64>,
    failures: Counter,
}

impl DiscoveryMetrics {
    /// Adds the metrics to a registry, under the names `collector_…`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("collector");
        registry.register(
            "discovered_servers",
            "Servers that are polled because the repository names them, not the file",
            self.servers.clone(),
        );
        registry.register_with_unit(
            "discovery_last_success_timestamp",
            "When the repository last told of the site's nodes; 0 before the first time",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register(
            "discovery_failures",
            "Times that the repository was asked for the site's nodes in vain",
            self.failures.clone(),
        );
    }

    /// Servers that are polled because the repository names them.
    pub fn servers(&self) -> i64 {
        self.servers.get()
    }

    /// When the repository last told of nodes, in seconds since 1970; 0 before the first time.
    pub fn last_success_s(&self) -> f64 {
        self.last_success.get()
    }

    /// Times that it was asked in vain.
    pub fn failures(&self) -> u64 {
        self.failures.get()
    }

    pub(crate) fn polls(&self, servers: usize) {
        self.servers.set(i64::try_from(servers).unwrap_or(i64::MAX));
    }

    pub(crate) fn succeeded(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success.set(now.as_secs_f64());
    }

    pub(crate) fn failed(&self) {
        self.failures.inc();
    }
}
