//! Tells how far a forwarder is behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Forwarded;
use crate::backlog::{Queue, Seen, Watch};
use crate::outbox::Outbox;
use crate::readiness::Readiness;
use crate::stages::Cause;

/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Tells readiness and, in measure, the log what waits in an outbox, until `stop`.
pub async fn tell_progress(
    outbox: Outbox,
    forwarded: Arc<Forwarded>,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<(), Cause> {
    let mut watch = Watch::new(Queue::Outbox);
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(looks.tick()).await.is_some() {
        let left = forwarded.confirmed() + forwarded.refused();
        let seen = Seen { at: Instant::now(), waiting: Some(outbox.depth()), left, age: None };
        if let Some(progress) = watch.see(seen) {
            tracing::info!("{progress}");
        }
        readiness.show(Queue::Outbox, watch.backlog());
    }
    Ok(())
}
