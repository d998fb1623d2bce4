//! Where to go on when the broker may have forgotten what it confirmed, and what to say about it.

use crate::broker::{Life, Remembers};
use crate::timestamp::Timestamp;

/// The step back that a new life of the broker asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rewind {
    /// Everything after this position is published, again or for the first time.
    pub(super) from: i64,
    /// Whether nothing at all is certain, or what: the end of a sentence.
    doubt: Option<String>,
    /// Up to here everything had been confirmed.
    front: i64,
}

/// What a rewind finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    again: i64,
    /// Forgotten and no longer kept, when that can be told.
    lost: i64,
}

impl Rewind {
    /// For an outbox that ends at `last` and was confirmed up to `front`.
    pub(super) fn into(life: &Life, front: i64, last: i64) -> Self {
        let (from, doubt) = match &life.remembers {
            Remembers::Everything => (front, None),
            Remembers::Through(position) if *position <= last => ((*position).min(front), None),
            // Such as after the outbox was restored from an older copy.
            Remembers::Through(_) => {
                (0, Some("what it remembers is none of what this outbox holds".to_owned()))
            }
            Remembers::Nothing { why } => (0, Some(why.clone())),
        };
        Self { from, doubt, front }
    }

    /// Whether there is anything to publish again.
    pub(super) fn is_needed(&self) -> bool {
        self.from < self.front
    }

    /// Says how many events it concerns; `first` is the first one that is still kept.
    pub(super) fn log(&self, first: Option<(i64, Timestamp)>) {
        let first = first.filter(|(position, _)| *position <= self.front);
        let Found { again, lost } = self.found(first.map(|(position, _)| position));
        let why = match &self.doubt {
            Some(why) => why.as_str(),
            None => "it does not prove to have kept the last ones",
        };
        if let Some((_, since)) = first {
            tracing::info!(
                "The broker may have forgotten events that it confirmed, since {why}: {again} \
                 events, from {since} on, are published again."
            );
        }
        if lost > 0 {
            tracing::error!(
                "The broker has forgotten {lost} events that it confirmed and that are no longer \
                 kept here (collector.outbox.replayWindow): those of them that no writer had \
                 consumed are lost."
            );
        }
    }

    fn found(&self, first: Option<i64>) -> Found {
        let next = first.unwrap_or(self.front + 1);
        let forgotten = if self.doubt.is_none() { next - 1 - self.from } else { 0 };
        Found { again: self.front + 1 - next, lost: forgotten }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewind(remembers: Remembers) -> Rewind {
        Rewind::into(&Life { number: 1, remembers }, 50, 80)
    }

    #[test]
    fn goes_back_to_what_is_certain() {
        let nothing = Remembers::Nothing { why: "it is another one".to_owned() };
        for (remembers, from) in [
            (Remembers::Everything, 50),
            (Remembers::Through(20), 20),
            (Remembers::Through(50), 50),
            // Confirmed, and not settled before the kill: it is settled now.
            (Remembers::Through(80), 50),
            // Of another outbox.
            (Remembers::Through(81), 0),
            (nothing, 0),
        ] {
            let rewind = rewind(remembers.clone());
            assert_eq!(rewind.from, from, "{remembers:?}");
            assert_eq!(rewind.is_needed(), from < 50, "{remembers:?}");
        }
    }

    #[test]
    fn tells_what_is_published_again_and_what_is_lost() {
        let known = rewind(Remembers::Through(20));
        assert_eq!(known.found(Some(21)), Found { again: 30, lost: 0 });
        assert_eq!(known.found(Some(31)), Found { again: 20, lost: 10 });
        assert_eq!(known.found(None), Found { again: 0, lost: 30 });
        let unknown = rewind(Remembers::Nothing { why: String::new() });
        assert_eq!(unknown.found(Some(31)), Found { again: 20, lost: 0 });
    }
}
