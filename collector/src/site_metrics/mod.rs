//! The site's latest values among the collector's own metrics, under the names `qliksense_…`.
//!
//! Between `latest` and `/metrics`. Names and units are Prometheus' own, other than those of the
//! predecessor's page in `prometheus`: base units, and no state among the labels that would be
//! counted twice in a sum. What an endpoint said vanishes after three intervals without an answer;
//! whether it answers stays as long as it is polled.
//!
//! Bounded by what is polled: 23 series for a server, at most nine for each of its endpoints. No
//! label holds what an answer could make up, but for the engine's version.

mod engine;
mod family;
mod labels;
mod polls;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use self::family::{Family, Kind};
use self::labels::names;
use crate::latest::{EndpointState, Latest, ServerState};

/// What all names begin with.
const PREFIX: &str = "qliksense";

/// Shows the site's latest values in a registry.
#[derive(Debug)]
pub(crate) struct SiteMetrics {
    latest: Arc<Latest>,
}

impl SiteMetrics {
    /// Adds them to a registry.
    pub(crate) fn register(latest: &Arc<Latest>, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix(PREFIX);
        registry.register_collector(Box::new(Self { latest: Arc::clone(latest) }));
    }
}

impl Collector for SiteMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let repository = self.latest.repository();
        for family in families(&self.latest.servers(), repository.as_ref()) {
            family.encode(&mut encoder)?;
        }
        Ok(())
    }
}

/// All metrics that have a series, in an order that never changes.
fn families(servers: &[ServerState], repository: Option<&EndpointState>) -> Vec<Family> {
    let names = names(servers);
    let named: Vec<_> = names.iter().map(String::as_str).zip(servers).collect();
    let mut families = engine::families(&named);
    families.extend(polls::families(&named, repository));
    families.retain(|family| !family.series.is_empty());
    families
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let unit = self.unit.unit();
        let metric_type = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let mut metric =
            encoder.encode_descriptor(self.name, self.help, unit.as_ref(), metric_type)?;
        for (labels, value) in &self.series {
            let series = metric.encode_family(labels)?;
            match self.kind {
                Kind::Counter => ConstCounter::new(*value).encode(series)?,
                Kind::Gauge => ConstGauge::new(*value).encode(series)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
