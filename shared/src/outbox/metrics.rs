//! The outbox's numbers for Prometheus.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Outbox;

impl Collector for Outbox {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let waiting = i64::try_from(self.depth()).unwrap_or(i64::MAX);
        let gauge = encoder.encode_descriptor(
            "outbox_events",
            "Events that wait in the outbox",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(waiting).encode(gauge)?;
        let counters = [
            ("outbox_appended_events", "Events appended to the outbox", self.appended()),
            ("outbox_expired_events", "Events given up for their age", self.expired()),
        ];
        for (name, help, value) in counters {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        Ok(())
    }
}
