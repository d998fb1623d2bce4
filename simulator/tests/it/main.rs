//! The site as a real client sees it.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::indexing_slicing, reason = "JSON is read by index")]

mod answers;
mod butler_sos;
mod client;
mod control;
mod faults;
mod ledger;
mod oddities;
mod program;
mod rules;
mod tls;
