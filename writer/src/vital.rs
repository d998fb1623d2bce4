//! The writer as heartbeats see it.

use shared::event::{Counters, Settlements};
use shared::heartbeat::Vital;

use crate::metrics::Metrics;

impl Vital for Metrics {
    fn honest(&self) -> Result<(), String> {
        self.honesty()
    }

    fn counters(&self) -> Counters {
        Self::counters(self)
    }

    fn settlements(&self) -> Option<Settlements> {
        self.take_settlements()
    }

    fn not_told(&self, settlements: &Settlements) {
        self.put_back_settlements(settlements);
    }
}
