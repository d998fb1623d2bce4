//! What operators are given besides the programs: dashboards, alert rules, configurations.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

mod alert_rules;
mod dashboards;
