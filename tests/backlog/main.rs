//! A backlog costs no memory that grows with it, and tells how it drains.
//!
//! Small backlogs, so that this is fast: each is several times what a program may hold at once. The
//! million is measured by `cargo bench -p integration-tests --bench backlog_size`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and the figures are what it shows"
)]

mod house;
mod memory;
mod progress;
