//! The site as a real client sees it.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod answers;
mod client;
