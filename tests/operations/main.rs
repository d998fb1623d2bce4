//! What operators are given besides the programs: documents, and the files in `config/`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod log_lines;
mod metrics;
mod moving;
