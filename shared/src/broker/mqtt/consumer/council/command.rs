//! What a member is told to do, and what people are told about it.

/// What a member is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::mqtt::consumer) enum Command {
    /// Publish the member's record with this beat.
    Beat(u64),
    /// Connect as a slot, and again as long as [`Council::may_connect`] says so.
    Open(Opening),
    /// Publish the slot's record again: an older one has taken its place.
    Assert(u16),
    /// Take no more deliveries of a slot; what the caller has may still be acked.
    Stop(u16),
    /// Publish that the slot is free, and leave; then say [`Council::closed`].
    Release(u16),
    /// Leave as the slot and say nothing; then say [`Council::closed`].
    Leave(u16),
    /// The slot is another's: end the connection.
    Yield(u16),
    /// Delete the slot's session and then its record; then say [`Council::deleted`].
    Delete(u16),
}

/// How to connect as a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::mqtt::consumer) struct Opening {
    pub(in crate::broker::mqtt::consumer) slot: u16,
    /// Which of this member's openings it is; what is told of an older one does not count.
    pub(in crate::broker::mqtt::consumer) number: u64,
    /// The number that the slot's record gets.
    pub(in crate::broker::mqtt::consumer) takeover: u64,
    /// What the session was called, should it still be there.
    pub(in crate::broker::mqtt::consumer) session: Option<String>,
    /// Nothing new is to come into the session; it is emptied and deleted.
    pub(in crate::broker::mqtt::consumer) retiring: bool,
}

/// What people are told about a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::broker::mqtt::consumer) struct Standing {
    /// The slots that it is connected as.
    pub(in crate::broker::mqtt::consumer) owned: Vec<u16>,
    /// How many the group has.
    pub(in crate::broker::mqtt::consumer) slots: u16,
    /// How many members there are.
    pub(in crate::broker::mqtt::consumer) members: usize,
    /// It is about to change.
    pub(in crate::broker::mqtt::consumer) changing: bool,
    /// It owns nothing and there is something for it to take, which it waits for.
    pub(in crate::broker::mqtt::consumer) waiting: bool,
    /// Another program has its name.
    pub(in crate::broker::mqtt::consumer) namesake: bool,
}
