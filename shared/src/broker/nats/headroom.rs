//! Room in a stream, kept account of on this side.
//!
//! A server refuses a message when its payload and headers do not fit. What nats-server 2.9.10
//! stores has some 34 bytes and the subject beside them, and when those take the stream over its
//! limit it deletes the oldest message, also where it is told to refuse what is new. So nothing is
//! published that could bring a stream so close to its limit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::stream::{self, DiscardPolicy};
use tokio::time::Instant;

use super::link::Link;
use super::streams::{Unseen, look_at};

/// What a server stores beside payload, subject and message id, rounded up: 34 bytes, and the names
/// of two headers.
const OVERHEAD: u64 = 160;
/// The part of what is free that one publisher takes for itself at once: as many may publish at the
/// same time without knowing of each other.
const SHARE: u64 = 8;
/// How long a share is good for, since others fill the stream, too.
const LEASE: Duration = Duration::from_secs(10);
/// What stays free, for messages of others that nobody has an account of: a part of the stream,
/// within these bounds.
const MARGIN: u64 = 256;
const LEAST_MARGIN: u64 = 64 << 10;
const MOST_MARGIN: u64 = 16 << 20;
/// Room where nothing can be dropped for want of it.
const UNBOUNDED: u64 = u64::MAX / 2;

/// The account of one stream.
#[derive(Debug)]
pub(super) struct Headroom {
    stream: String,
    account: Mutex<Account>,
    /// One asks the server at a time; the others wait for what it says.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Account {
    /// Bytes that may be published until `ends`.
    share: u64,
    ends: Option<Instant>,
    /// Bytes that are published and not confirmed, which the server may not have counted yet.
    under_way: u64,
    /// How often the server has answered.
    answers: u64,
    /// How full it was then.
    filling: Filling,
}

/// How full a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filling {
    used: u64,
    limit: u64,
}

/// A stream has no room.
#[derive(Debug, thiserror::Error)]
#[error("it has {} of {} bytes", .0.used, .0.limit)]
pub(super) struct Full(Filling);

/// Room for one message, until the server has answered.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    headroom: &'a Headroom,
    bytes: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut account = self.headroom.account();
        account.under_way = account.under_way.saturating_sub(self.bytes);
    }
}

impl Headroom {
    pub(super) fn new(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            account: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Takes room for a message; where the server does not say how full the stream is, there is
    /// some.
    pub(super) async fn take(
        &self,
        link: &Link,
        subject: &str,
        id: &str,
        payload: usize,
    ) -> Result<Taken<'_>, Full> {
        let bytes = OVERHEAD + (subject.len() + id.len() + payload) as u64;
        let before = {
            let mut account = self.account();
            if account.take(bytes) {
                return Ok(Taken { headroom: self, bytes });
            }
            account.answers
        };
        let _asking = self.asking.lock().await;
        {
            let mut account = self.account();
            if account.take(bytes) {
                return Ok(Taken { headroom: self, bytes });
            }
            if account.answers != before && account.filling.limit > 0 {
                return Err(Full(account.filling));
            }
        }
        let seen = look_at(link, &self.stream).await;
        let mut account = self.account();
        match seen {
            Ok(info) => account.answered(bounds(&info), bytes),
            // A server that says nothing may still store: asked for each message, it would hold up all.
            Err(Unseen::Denied | Unseen::Failed(_)) => account.answered(None, bytes),
            // The server says itself what is wrong when it is published.
            Err(Unseen::Missing | Unseen::Disconnected) => {
                account.under_way = account.under_way.saturating_add(bytes);
                return Ok(Taken { headroom: self, bytes });
            }
        }
        if account.take(bytes) {
            Ok(Taken { headroom: self, bytes })
        } else {
            Err(Full(account.filling))
        }
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn take(&mut self, bytes: u64) -> bool {
        let is_good = self.ends.is_some_and(|ends| Instant::now() < ends);
        if !is_good || self.share < bytes {
            return false;
        }
        self.share -= bytes;
        self.under_way = self.under_way.saturating_add(bytes);
        true
    }

    fn answered(&mut self, filling: Option<Filling>, bytes: u64) {
        self.answers += 1;
        self.filling = filling.unwrap_or_default();
        self.share = filling.map_or(UNBOUNDED, |filling| share(filling, self.under_way, bytes));
        self.ends = Some(Instant::now() + LEASE);
    }
}

/// How full a stream is that refuses what is new at its limit; none for any other.
fn bounds(info: &stream::Info) -> Option<Filling> {
    let limit = u64::try_from(info.config.max_bytes).ok().filter(|&limit| limit > 0)?;
    let refuses = info.config.discard == DiscardPolicy::New;
    refuses.then_some(Filling { used: info.state.bytes, limit })
}

/// What one publisher may publish while `under_way` is not counted yet: its share of what is free,
/// or the one message of so many `bytes` where that is larger and there is room for it.
fn share(filling: Filling, under_way: u64, bytes: u64) -> u64 {
    let Filling { used, limit } = filling;
    let taken = used.saturating_add(under_way).saturating_add(margin(limit));
    let free = limit.saturating_sub(taken);
    if bytes > free { 0 } else { (free / SHARE).max(bytes) }
}

fn margin(limit: u64) -> u64 {
    (limit / MARGIN).clamp(LEAST_MARGIN, MOST_MARGIN).min(limit / SHARE)
}

/// The largest subject and payload that an empty stream with this limit has room for.
pub(super) fn largest(limit: u64) -> u64 {
    limit.saturating_sub(margin(limit) + OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_share_of_what_is_free_or_one_message_and_never_the_last_bytes() {
        let empty = Filling { used: 0, limit: 256 * MIB };
        assert_eq!(share(empty, 0, 1_000), 255 * MIB / SHARE);
        let nearly = Filling { used: 254 * MIB, limit: 256 * MIB };
        assert_eq!(share(nearly, 0, 500_000), 500_000);
        assert_eq!(share(nearly, MIB / 2, 500_000), 500_000);
        assert_eq!(share(nearly, MIB / 2, 600_000), 0);
        assert_eq!(share(Filling { used: 255 * MIB, limit: 256 * MIB }, 0, 1), 0);
        // Over its limit, as after the limit was lowered.
        assert_eq!(share(Filling { used: 300 * MIB, limit: 256 * MIB }, 0, 1), 0);
    }

    #[test]
    fn a_share_is_used_up_and_what_is_under_way_counts_until_it_is_answered() {
        let headroom = Headroom::new("QLIKSENSE");
        headroom.account().answered(Some(Filling { used: 0, limit: 8 * MIB }), 1);
        let share = headroom.account().share;
        assert!(headroom.account().take(share - 1));
        assert!(!headroom.account().take(2));
        assert_eq!(headroom.account().under_way, share - 1);
        drop(Taken { headroom: &headroom, bytes: share - 1 });
        assert_eq!(headroom.account().under_way, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_ends() {
        let headroom = Headroom::new("QLIKSENSE");
        headroom.account().answered(None, 1);
        assert!(headroom.account().take(MIB));
        tokio::time::advance(LEASE).await;
        assert!(!headroom.account().take(1));
    }
}
