//! The writer as heartbeats see it.

use shared::event::Counters;
use shared::heartbeat::Vital;

use crate::metrics::Metrics;

impl Vital for Metrics {
    fn honest(&self) -> Result<(), String> {
        self.honesty()
    }

    fn counters(&self) -> Counters {
        Self::counters(self)
    }
}
