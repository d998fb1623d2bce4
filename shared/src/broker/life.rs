//! What a broker still knows of what it confirmed.
//!
//! A confirmation is worth something only as long as the broker remembers it, and one that was
//! killed or restored may not. A driver that can tell begins a new life of its broker whenever what
//! was confirmed before is not certain any more, and says what still is.

use crate::envelope::Place;

/// A broker for as long as nothing speaks against its remembering what it confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// Counts the lives: what was confirmed in another one proves nothing in this.
    pub number: u64,
    /// What is still there of what was confirmed before it began.
    pub remembers: Remembers,
}

/// What is still there of an outbox's confirmed events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Remembers {
    /// All of them, as far as anybody knows.
    #[default]
    Everything,
    /// Those up to this position of the outbox; what came later may be gone.
    Through(i64),
    /// Nobody knows: each may be gone.
    Nothing {
        /// What speaks for it, in the operator's words, as the end of a sentence.
        why: String,
    },
}

/// What a forwarder tells its publisher: everything up to here is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The life in which it was published.
    pub life: u64,
    /// The position in the outbox.
    pub position: i64,
    /// The place of the event at that position, when it has one.
    pub place: Option<Place>,
}
