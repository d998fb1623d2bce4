//! How often the stages allocate, and how much: in a pass of its own, beside the times.

use std::fmt;
use std::hint::black_box;

use allocation_counter::AllocationInfo;
use shared::envelope::Envelope;
use writer::line_protocol::Lines;
use writer::mapping;

use super::kinds::Payloads;
use integration_tests::measure::samples::Figure;

/// For each event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocations {
    count: f64,
    bytes: f64,
}

impl Allocations {
    fn new(info: &AllocationInfo, events: usize) -> Self {
        let each = |total: u64| total as f64 / events as f64;
        Self { count: each(info.count_total), bytes: each(info.bytes_total) }
    }
}

impl fmt::Display for Allocations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} B", Figure(self.count), Figure(self.bytes))
    }
}

/// Of decoding, and of mapping and encoding into lines that have room.
pub(crate) fn of(payloads: &Payloads) -> (Allocations, Allocations) {
    let events = payloads.encoded.len();
    let decode = allocation_counter::measure(|| {
        for payload in &payloads.encoded {
            black_box(Envelope::borrow(payload).unwrap());
        }
    });
    let decoded = payloads.decoded();
    let mut lines = Lines::default();
    let mut encode = || {
        for envelope in &decoded {
            lines.clear();
            mapping::push_lines(envelope, &payloads.schema, &mut lines).unwrap();
        }
    };
    encode();
    let encode = allocation_counter::measure(encode);
    (Allocations::new(&decode, events), Allocations::new(&encode, events))
}
