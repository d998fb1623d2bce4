//! The heartbeats of all programs, as they are published: heard beside the consumer groups.

use std::any::Any;

use bytes::Bytes;
use tokio::sync::mpsc;

/// A subscription; it ends with its handle. A beat that finds no room is not heard, and what it
/// told seems not to have happened.
pub struct HeartbeatSubscription {
    received: mpsc::Receiver<Bytes>,
    /// Whatever keeps it going.
    _listening: Box<dyn Any + Send>,
}

impl HeartbeatSubscription {
    /// Beats that wait: more than programs that beat each 30 s fill while somebody looks away.
    pub(super) const ROOM: usize = 1_024;

    pub(super) fn new(received: mpsc::Receiver<Bytes>, listening: impl Any + Send) -> Self {
        Self { received, _listening: Box::new(listening) }
    }

    /// The next beat; none when there will never be one.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.received.recv().await
    }
}

impl std::fmt::Debug for HeartbeatSubscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeartbeatSubscription").finish_non_exhaustive()
    }
}
