//! Which events were settled, told by those who settle and joined by those who published.
//!
//! Sequences have no gaps within an epoch, so an event that nobody settles can be named. Writers
//! keep a [`SettlementLedger`] and tell it with each heartbeat; a collector joins them in an
//! [`Audit`] of what it published, publishes again what seems lost as long as its outbox has it,
//! and reports the rest by epoch, number and kind. Anybody who reads heartbeats can do the same.
//!
//! `sequences` is a set of numbers and its form on the wire; `ledger` the side of a writer, `audit`
//! that of a collector, both without a clock; `auditor` is the task that runs an audit.

mod audit;
mod auditor;
mod ledger;
mod sequences;

pub use audit::{Audit, Finding, Published};
pub use auditor::{Auditor, GRACE, Resend};
pub use ledger::{EventNumber, SettlementLedger};
pub use sequences::SequenceSet;
