//! What must hold for any bytes: one pure function for each way into Footman.
//!
//! A check panics when a promise is broken. `fuzz/` gives them to cargo-fuzz, and the test `fuzzing`
//! of this crate runs them over the kept corpus and over mutants of it. Nothing here reads a clock
//! (but to see that something ends), a file or the network.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a panic is how a check fails"
)]

mod answers;
mod configuration;
mod discovery;
mod draw;
mod envelope;
mod influxdb;
mod keys;
mod letters;
mod line_protocol;
mod reading;
mod schedule;
mod subjects;

/// Line protocol as its documentation describes it: the parser of the tests, which knows nothing of
/// the encoder.
#[path = "../../harness/strict_influxdb/line_protocol.rs"]
pub mod strict;

pub use answers::{app_names, health, sessions};
pub use configuration::configuration;
pub use discovery::discovery;
pub use envelope::envelope;
pub use influxdb::influxdb;
pub use keys::keys;
pub use letters::letters;
pub use line_protocol::line_protocol;
pub use schedule::schedule;
pub use subjects::subjects;

/// A promise about any bytes.
pub type Check = fn(&[u8]);

/// Every check, by the name of its target and its corpus.
pub const CHECKS: [(&str, Check); 12] = [
    ("health", health),
    ("sessions", sessions),
    ("app_names", app_names),
    ("discovery", discovery),
    ("envelope", envelope),
    ("line_protocol", line_protocol),
    ("influxdb", influxdb),
    ("letters", letters),
    ("schedule", schedule),
    ("configuration", configuration),
    ("subjects", subjects),
    ("keys", keys),
];
