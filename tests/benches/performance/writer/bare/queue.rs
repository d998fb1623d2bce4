//! The queue of the embedded broker alone.

use std::path::Path;
use std::time::Duration;

use shared::broker::Consumer as _;
use shared::broker::embedded::EmbeddedConsumer;
use shared::outbox::{Outbox, OutboxSettings};
use tokio::time::Instant;

use super::Consumed;
use crate::writer::config::room;
use crate::writer::figures::Watched;

const BATCH: usize = 500;

/// Consumes so many events from a folder.
pub(super) async fn consume(folder: &Path, events: u64, watched: &Watched) -> Consumed {
    let settings = OutboxSettings {
        directory: folder.to_owned(),
        max_bytes: room(events).bytes(),
        max_age: None,
        keep_settled: Duration::ZERO,
    };
    let outbox = Outbox::open(&settings).unwrap();
    let mut consumer = EmbeddedConsumer::new(&outbox).unwrap();
    let (begun, before) = (Instant::now(), watched.used());
    let mut left = events;
    while left > 0 {
        let deliveries = consumer.receive(BATCH).await.unwrap();
        left -= deliveries.len() as u64;
        let tags: Vec<_> = deliveries.iter().map(|delivery| delivery.tag).collect();
        consumer.ack(&tags).await.unwrap();
    }
    outbox.flush().await;
    Consumed { took: begun.elapsed(), used: watched.used().since(before) }
}
