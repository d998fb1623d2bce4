//! What a writer says it has done.

use std::ops::Add;

use integration_tests::programs::Running;

/// Counters of a writer, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) delivered: u64,
    pub(crate) again: u64,
    pub(crate) stored: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) points: u64,
    /// What the least busy of several has stored.
    pub(crate) least: u64,
}

impl Counted {
    /// Of all writers; one that does not answer yet counts as nothing.
    pub(crate) async fn of(writers: &[Running]) -> Self {
        let each = writers.iter().map(|writer| async {
            let page = writer.page("/metrics").await;
            page.map(|(_, text)| Self::read(&text)).unwrap_or_default()
        });
        let each = futures::future::join_all(each).await;
        each.into_iter().reduce(Add::add).unwrap_or_default()
    }

    fn read(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        let stored = value("writer_events_stored_total");
        Self {
            delivered: value("writer_deliveries_total"),
            again: value("writer_redeliveries_total"),
            stored,
            least: stored,
            dead_lettered: value("writer_events_dead_lettered_total"),
            points: value("writer_points_stored_total"),
        }
    }
}

impl Add for Counted {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            again: self.again + other.again,
            stored: self.stored + other.stored,
            dead_lettered: self.dead_lettered + other.dead_lettered,
            points: self.points + other.points,
            least: self.least.min(other.least),
        }
    }
}
