//! Plain subscriptions: whoever listens hears what is published, beside the consumer groups, and
//! takes nothing from them.
//!
//! A listener may be slow or stand still; the broker, the driver and the writers never wait for it.
//! What finds no room in its subscription is not heard, and is counted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::event::Kind;
use crate::subject::Subject;

/// Something that was published while somebody listened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where.
    pub subject: Subject,
    /// The encoded event, or whatever somebody published there.
    pub payload: Bytes,
}

/// How much may wait in a subscription while nobody takes it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many events.
    pub events: usize,
    /// How many bytes of payload.
    pub bytes: usize,
}

impl Room {
    /// For heartbeats: more than programs that beat each 30 s fill while somebody looks away. A
    /// beat has a few KiB; the bytes bound what others may publish there.
    pub(super) const HEARTBEATS: Self = Self { events: 1_024, bytes: 64 << 20 };
}

/// A subscription; it ends with its handle.
pub struct Subscription {
    received: mpsc::Receiver<Waiting>,
    told: Arc<Told>,
    /// Whatever keeps it going.
    listening: Option<Box<dyn Listening>>,
}

impl Subscription {
    /// A subscription and what fills it.
    pub(super) fn open(room: Room) -> (Ear, Self) {
        let (sender, received) = mpsc::channel(room.events);
        let told = Arc::new(Told::default());
        let bytes = Arc::new(Semaphore::new(room.bytes.min(Semaphore::MAX_PERMITS)));
        let ear = Ear { waiting: sender, bytes, told: Arc::clone(&told) };
        (ear, Self { received, told, listening: None })
    }

    /// The same, kept going by something that ends with it.
    pub(super) fn kept_by(self, listening: impl Listening) -> Self {
        Self { listening: Some(Box::new(listening)), ..self }
    }

    /// What was published next; none when there will never be anything.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Published> {
        self.received.recv().await.map(|waiting| waiting.published)
    }

    /// How much was not heard so far, for want of room.
    pub fn missed(&self) -> u64 {
        self.told.missed.load(Ordering::Relaxed)
    }

    /// The kinds that the broker does not let this user hear, as far as it says so.
    pub fn forbidden(&self) -> BTreeSet<Kind> {
        self.told.forbidden.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves the broker in a way that it notices; dropping the subscription is enough to end it.
    pub async fn close(mut self) {
        if let Some(listening) = self.listening.take() {
            listening.close().await;
        }
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("told", &self.told).finish_non_exhaustive()
    }
}

/// What keeps a subscription going, and ends it when it is dropped.
#[async_trait]
pub(super) trait Listening: Send + Sync + 'static {
    /// Says goodbye to the broker.
    async fn close(&self) {}
}

/// What is published, and what it takes of the room while it waits.
struct Waiting {
    published: Published,
    _room: OwnedSemaphorePermit,
}

/// What is said beside what is heard.
#[derive(Debug, Default)]
struct Told {
    missed: AtomicU64,
    forbidden: Mutex<BTreeSet<Kind>>,
}

/// Where a driver puts what it hears. It never waits.
#[derive(Clone)]
pub(super) struct Ear {
    waiting: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
    told: Arc<Told>,
}

impl Ear {
    /// Keeps something until it is taken out, if there is room.
    pub(super) fn hear(&self, subject: Subject, payload: Bytes) {
        if self.try_hear(subject, payload).is_none() {
            self.told.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn try_hear(&self, subject: Subject, payload: Bytes) -> Option<()> {
        let size = u32::try_from(payload.len()).ok()?;
        let room = Arc::clone(&self.bytes).try_acquire_many_owned(size).ok()?;
        let published = Published { subject, payload };
        self.waiting.try_send(Waiting { published, _room: room }).ok()
    }

    /// The broker does not let this user hear these kinds.
    pub(super) fn may_not_hear(&self, kinds: BTreeSet<Kind>) {
        *self.told.forbidden.lock().unwrap_or_else(PoisonError::into_inner) = kinds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(ear: &Ear, bytes: usize) {
        ear.hear(Subject::from_neutral("p/v1/health/a".to_owned()), vec![b'x'; bytes].into());
    }

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_room_comes_back() {
        let (ear, mut subscription) = Subscription::open(Room { events: 3, bytes: 100 });
        hear(&ear, 60);
        hear(&ear, 60);
        assert_eq!(subscription.missed(), 1, "its bytes have no room");
        hear(&ear, 20);
        hear(&ear, 0);
        hear(&ear, 0);
        assert_eq!(subscription.missed(), 2, "three wait already");
        for size in [60, 20, 0] {
            assert_eq!(subscription.next().await.unwrap().payload.len(), size);
        }
        hear(&ear, 100);
        hear(&ear, 101);
        assert_eq!(subscription.missed(), 3, "nothing is larger than the whole room");
        assert_eq!(subscription.next().await.unwrap().payload.len(), 100);
        drop(ear);
        assert_eq!(subscription.next().await, None);
    }

    #[test]
    fn what_is_forbidden_is_what_was_said_last() {
        let (ear, subscription) = Subscription::open(Room::HEARTBEATS);
        ear.may_not_hear([Kind::Health, Kind::Sessions].into());
        ear.may_not_hear([Kind::Sessions].into());
        assert_eq!(subscription.forbidden(), [Kind::Sessions].into());
    }
}
