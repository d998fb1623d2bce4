//! What operators are given and promised besides the programs: commands, documents, dashboards, the
//! files in `config/`, the supply chain.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod alert_rules;
mod brokers;
mod dashboards;
mod discovery;
mod doctor;
mod documents;
mod log_lines;
mod metrics;
mod moving;
mod prometheus;
mod rotation;
mod stack;
mod supply_chain;
mod user_ids;
