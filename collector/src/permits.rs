//! How many requests may be open at once, and that the hanging do not keep the healthy waiting.
//!
//! An endpoint whose last poll timed out will likely hold its permit for the whole timeout again,
//! so it takes one from a pool of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What part of the permits is added for endpoints that timed out.
const SUSPECTS_PART: usize = 4;

/// The permits of all endpoints.
#[derive(Debug)]
pub(crate) struct Permits {
    healthy: Arc<Semaphore>,
    suspects: Arc<Semaphore>,
}

/// Whether an endpoint's last poll timed out.
#[derive(Debug, Default)]
pub(crate) struct Suspicion(AtomicBool);

impl Suspicion {
    /// Tells how a poll ended.
    pub(crate) fn set(&self, timed_out: bool) {
        self.0.store(timed_out, Ordering::Relaxed);
    }
}

impl Permits {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            healthy: Arc::new(Semaphore::new(most)),
            suspects: Arc::new(Semaphore::new((most / SUSPECTS_PART).max(1))),
        }
    }

    /// Waits for a permit; none when there will never be one.
    pub(crate) async fn acquire(&self, suspicion: &Suspicion) -> Option<OwnedSemaphorePermit> {
        let pool = if suspicion.0.load(Ordering::Relaxed) { &self.suspects } else { &self.healthy };
        Arc::clone(pool).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_hanging_wait_among_themselves() {
        let permits = Permits::new(8);
        let (healthy, suspect) = (Suspicion::default(), Suspicion::default());
        suspect.set(true);
        let hanging: Vec<_> =
            (0..2).map(|_| permits.acquire(&suspect).now_or_never().unwrap().unwrap()).collect();
        assert!(permits.acquire(&suspect).now_or_never().is_none());
        let running: Vec<_> =
            (0..8).map(|_| permits.acquire(&healthy).now_or_never().unwrap().unwrap()).collect();
        assert!(permits.acquire(&healthy).now_or_never().is_none());
        suspect.set(false);
        drop(running);
        assert!(permits.acquire(&suspect).now_or_never().is_some());
        drop(hanging);
    }

    #[test]
    fn one_permit_at_least() {
        let permits = Permits::new(0);
        let suspect = Suspicion::default();
        suspect.set(true);
        assert!(permits.acquire(&suspect).now_or_never().is_some());
        assert!(permits.acquire(&Suspicion::default()).now_or_never().is_some());
    }
}
