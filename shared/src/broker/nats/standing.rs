//! How the connection, the streams and the consumer stand: in readiness, and in the log.
//!
//! The log has the first failure and the recovery; what repeats in between is for debugging.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::readiness::Dependency;

/// What has to be there for events to flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A connection to a server.
    Connection,
    /// The streams.
    Streams,
    /// The consumer at the server.
    Consumer,
    /// Room in the stream of events.
    Room,
}

/// In the order in which they are needed: the first that is missing is the one to tell about.
const PARTS: [Part; 4] = [Part::Connection, Part::Streams, Part::Consumer, Part::Room];

/// The parts, and the dependency that follows from them.
#[derive(Debug)]
pub(super) struct Standing {
    dependency: Dependency,
    /// Why a part is missing, in the order of [`PARTS`].
    missing: Mutex<[Option<Missing>; PARTS.len()]>,
    /// Whether [`Part::Room`] is missing, without the lock.
    is_full: AtomicBool,
}

#[derive(Clone, Debug)]
struct Missing {
    why: String,
    is_logged: bool,
}

impl Standing {
    /// The connection is missing, and nobody is told yet.
    pub(super) fn new(dependency: Dependency) -> Self {
        let missing = Missing { why: "not connected to NATS yet".to_owned(), is_logged: false };
        dependency.down(missing.why.clone());
        Self {
            dependency,
            missing: Mutex::new([Some(missing), None, None, None]),
            is_full: AtomicBool::new(false),
        }
    }

    /// A part is missing. `why` is read by people: no secrets.
    pub(super) fn is_missing(&self, part: Part, why: &str) {
        let mut first = false;
        self.change(part, |slot| {
            first = slot.as_ref().is_none_or(|missing| !missing.is_logged);
            *slot = Some(Missing { why: why.to_owned(), is_logged: true });
        });
        if first {
            tracing::warn!("NATS is not usable: {why}");
        } else {
            tracing::debug!("NATS is still not usable: {why}");
        }
    }

    /// A part is missing for a reason that nobody needs to read about in the log yet.
    pub(super) fn is_awaited(&self, part: Part, why: &str) {
        self.change(part, |slot| {
            if slot.is_none() {
                *slot = Some(Missing { why: why.to_owned(), is_logged: false });
            }
        });
    }

    /// A part is there. Says whether the log told that it was missing.
    pub(super) fn is_there(&self, part: Part) -> bool {
        let mut was = None;
        self.change(part, |slot| was = slot.take());
        was.is_some_and(|missing| missing.is_logged)
    }

    /// The stream took an event, or it did not for want of room.
    pub(super) fn has_room(&self, took: Result<(), &str>) {
        match took {
            Ok(()) => {
                if self.is_full.swap(false, Ordering::Relaxed) {
                    self.is_there(Part::Room);
                }
            }
            Err(why) => {
                self.is_full.store(true, Ordering::Relaxed);
                self.is_missing(Part::Room, why);
            }
        }
    }

    fn change(&self, part: Part, change: impl FnOnce(&mut Option<Missing>)) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = missing.get_mut(part as usize) {
            change(slot);
        }
        // Under the lock, so that two reports cannot overtake each other.
        match missing.iter().flatten().next() {
            Some(first) => self.dependency.down(first.why.clone()),
            None => self.dependency.up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::Readiness;

    #[test]
    fn tells_of_the_first_part_that_is_missing() {
        let readiness = Readiness::default();
        let standing = Standing::new(readiness.dependency("broker"));
        let why = || readiness.report().dependencies["broker"].why.clone();
        assert_eq!(why().as_deref(), Some("not connected to NATS yet"));
        standing.is_missing(Part::Consumer, "no consumer");
        standing.is_missing(Part::Connection, "refused");
        assert_eq!(why().as_deref(), Some("refused"));
        assert!(standing.is_there(Part::Connection));
        assert_eq!(why().as_deref(), Some("no consumer"));
        standing.is_there(Part::Consumer);
        assert!(readiness.report().ready);
        standing.is_awaited(Part::Streams, "being looked at");
        assert!(!readiness.report().ready);
        assert!(!standing.is_there(Part::Streams));
    }
}
