//! What the benches share: figures of several rounds, tables of them, targets, and what processes use.

pub mod cpu;
pub mod samples;
pub mod table;
pub mod target;
