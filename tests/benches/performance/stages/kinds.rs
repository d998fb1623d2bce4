//! The events that go through the stages.

use std::path::Path;

use bytes::Bytes;
use integration_tests::made_up::{MadeUp, Mix};
use shared::envelope::Envelope;
use shared::event::BorrowedText;
use writer::line_protocol::Lines;
use writer::mapping;
use writer::schema::Schema;

use crate::writer::config;

/// Every kind of event, under its name in subjects.
pub(crate) const KINDS: [(&str, Mix); 5] = [
    ("health", Mix::Health),
    ("sessions", Mix::Sessions),
    ("app-names", Mix::AppNames),
    ("failed-polls", Mix::Small),
    ("heartbeats", Mix::Heartbeats),
];

/// Enough for every size of them, and few enough to stay in the processor's cache as what has just
/// arrived does.
const EVENTS: usize = 200;

/// Events of a kind.
#[derive(Debug)]
pub(crate) struct Payloads {
    pub(crate) schema: Schema,
    /// As they arrive.
    pub(crate) encoded: Vec<Bytes>,
    /// The lines of a full batch of them.
    pub(crate) batch: Lines,
    /// Lines of all `encoded`.
    points: usize,
}

impl Payloads {
    /// Of a mix of one kind.
    pub(crate) fn new(mix: Mix) -> Self {
        let file = Path::new("footman.yaml");
        let loaded = shared::config::from_text(&config::text(8086, "type: embedded"), file, []);
        let schema = Schema::new(&loaded.unwrap().config.writer);
        let mut made_up = MadeUp::new(mix, 1_000_000);
        let encoded: Vec<Bytes> = (0..EVENTS).map(|_| made_up.outgoing().payload).collect();
        let mut lines = Lines::default();
        for envelope in decoded(&encoded) {
            mapping::push_lines(&envelope, &schema, &mut lines).unwrap();
        }
        let points = lines.len();
        let mut batch = Lines::default();
        while batch.len() < config::BATCH_POINTS {
            let payload = made_up.outgoing().payload;
            let envelope = Envelope::borrow(&payload).unwrap();
            mapping::push_lines(&envelope, &schema, &mut batch).unwrap();
        }
        Self { schema, encoded, batch, points }
    }

    /// As a writer decodes them.
    pub(crate) fn decoded(&self) -> Vec<Envelope<BorrowedText<'_>>> {
        decoded(&self.encoded)
    }

    pub(crate) fn points_per_event(&self) -> f64 {
        self.points as f64 / self.encoded.len() as f64
    }
}

fn decoded(encoded: &[Bytes]) -> Vec<Envelope<BorrowedText<'_>>> {
    encoded.iter().map(|payload| Envelope::borrow(payload).unwrap()).collect()
}
