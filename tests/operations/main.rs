//! What operators are given besides the programs: documents, dashboards, and the files in `config/`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod alert_rules;
mod dashboards;
mod log_lines;
mod metrics;
mod moving;
