//! Whether the brokers of announcements are there, and what became of these, for `/metrics`.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use shared::announce::Announcer;

/// The announcers of a program, each by the name of its topics.
#[derive(Debug, Default)]
pub(super) struct Announcers(pub(super) Vec<(&'static str, Arc<Announcer>)>);

/// A counter of each announcer.
type Count = fn(&Announcer) -> u64;

impl Collector for Announcers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Whether the broker of these topics is there";
        let mut connected =
            encoder.encode_descriptor("announcer_connected", help, None, MetricType::Gauge)?;
        for (topics, announcer) in &self.0 {
            let is_connected = announcer.standing().borrow().is_connected();
            let gauge = ConstGauge::new(i64::from(is_connected));
            gauge.encode(connected.encode_family(&[("topics", *topics)])?)?;
        }
        let counters: [(&str, &str, Count); 2] = [
            ("announcer_published", "Messages on these topics that the broker has", |announcer| {
                announcer.counts().published
            }),
            (
                "announcer_dropped",
                "Messages on these topics that were not published: too many waited, or too large",
                |announcer| announcer.counts().dropped,
            ),
        ];
        for (name, help, count) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (topics, announcer) in &self.0 {
                let counter = ConstCounter::new(count(announcer));
                counter.encode(family.encode_family(&[("topics", *topics)])?)?;
            }
        }
        Ok(())
    }
}
