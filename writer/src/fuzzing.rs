//! What becomes of a payload, without a broker and a database, for checks that feed it anything.
//!
//! Hidden, since it is no interface.

use bytes::Bytes;
use shared::broker::{DeadLetter, Delivery, DeliveryTag};
use shared::subject::Subject;
use tokio::time::Instant;

use crate::batch::{BatchLimits, Batcher, MAX_BATCH_BYTES};
use crate::consume::gather;
use crate::letter;
use crate::line_protocol::Lines;
use crate::schema::Schema;
use crate::split::Split;

/// The lines of a payload, and its dead letter when it is to have one before anything is stored.
pub fn read(schema: &Schema, payload: &[u8]) -> (Lines, Option<DeadLetter>) {
    let delivery = Delivery {
        tag: DeliveryTag(1),
        subject: Subject::from_neutral("qliksense/v1/health/sense1".to_owned()),
        payload: Bytes::copy_from_slice(payload),
        redelivered: false,
        lane: 0,
    };
    let limits =
        BatchLimits { points: usize::MAX, bytes: MAX_BATCH_BYTES, age: std::time::Duration::MAX };
    let mut batcher = Batcher::new(limits);
    gather(delivery, schema, &mut Lines::default(), &mut batcher, Instant::now());
    batcher.close();
    let batch = batcher.take().unwrap_or_default();
    let split = Split::new(&batch.lines);
    let dead = batch.held.iter().find(|held| letter::is_needed(held, &split));
    let letter = dead.map(|held| letter::letter(held, &batch.lines, &split));
    (batch.lines, letter)
}
