//! The collector against the simulated site, over real TLS and the real outbox.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod certificates;
mod changes;
mod discovery;
mod faults;
mod house;
mod keeping;
mod outbox;
mod rhythm;
mod verification;
