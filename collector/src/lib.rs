#![doc = include_str!("../README.md")]

mod app_store;
mod endpoint;
mod failing;
mod http;
mod metrics;
mod outcome;
mod parts;
mod permits;
mod poll;
pub mod program;
mod recorder;
mod rhythm;
mod run;
mod schedule;
mod sources;

pub use metrics::Metrics;
pub use outcome::{Facts, FailedOutcome, Outcome};
pub use run::{CollectorContext, RunError, run};
