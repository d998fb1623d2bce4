//! Which consumer groups have a session at the broker, as their slots' records say.
//!
//! Without a session of every group an event would be confirmed and thrown away, or kept for some
//! only. A record expires no later than its session, so that the record of a session which the
//! broker has given up stands for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// The records of the slots that are retained now.
#[derive(Debug)]
pub(super) struct Registry {
    groups: BTreeSet<String>,
    /// By group and slot, until when the record stands; without an end when none.
    records: BTreeMap<String, BTreeMap<u16, Option<Instant>>>,
}

impl Registry {
    /// For these groups, of which nothing is known yet.
    pub(super) fn new(groups: &[String]) -> Self {
        Self { groups: groups.iter().cloned().collect(), records: BTreeMap::new() }
    }

    /// A record was published or is retained. It is taken back by an empty one.
    pub(super) fn note(
        &mut self,
        group: &str,
        slot: u16,
        is_empty: bool,
        expires_in: Option<Duration>,
    ) {
        let slots = self.records.entry(group.to_owned()).or_default();
        if is_empty {
            slots.remove(&slot);
        } else {
            slots.insert(slot, expires_in.map(|after| Instant::now() + after));
        }
    }

    /// Forgets the records: a new connection is told all of them.
    pub(super) fn forget(&mut self) {
        self.records.clear();
    }

    /// A group that has no slot.
    pub(super) fn missing(&self) -> Option<&str> {
        let now = Instant::now();
        let has_slot = |group: &&String| {
            let slots = self.records.get(*group);
            slots.is_some_and(|slots| {
                slots.values().any(|until| until.is_none_or(|until| now < until))
            })
        };
        self.groups.iter().find(|group| !has_slot(group)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_group_needs_a_slot() {
        let mut registry = Registry::new(&["a".to_owned(), "b".to_owned()]);
        assert_eq!(registry.missing(), Some("a"));
        registry.note("a", 0, false, None);
        registry.note("other", 0, false, None);
        assert_eq!(registry.missing(), Some("b"));
        registry.note("b", 3, false, Some(Duration::from_mins(1)));
        assert_eq!(registry.missing(), None);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(registry.missing(), Some("b"), "its record has expired");
        registry.note("b", 3, false, None);
        registry.note("a", 0, true, None);
        assert_eq!(registry.missing(), Some("a"), "its record was taken back");
        registry.forget();
        assert_eq!(registry.missing(), Some("a"));
    }
}
