//! What operators need: the programs as they are run, configured and looked after.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod discovery;
