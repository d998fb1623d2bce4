//! What operators do while the programs run, and what they look at.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod rotation;
mod user_ids;
