#![doc = include_str!("../README.md")]

mod app_store;
pub mod discovery;
mod endpoint;
mod failing;
#[doc(hidden)]
pub mod fuzzing;
mod health_check;
mod honesty;
mod http;
mod latest;
mod metrics;
mod outcome;
mod pages;
mod parts;
mod permits;
mod plan;
mod poll;
pub mod program;
mod prometheus;
mod recorder;
mod rhythm;
mod roster;
mod run;
mod schedule;
mod site_metrics;
mod sources;
pub mod visit;
mod vital;

pub use honesty::{CollectorHonesty, Dishonest};
pub use latest::{
    EndpointState, FailingSince, LastAnswer, LastPoll, Latest, Said, ServerState, SessionTotals,
};
pub use metrics::Metrics;
pub use outcome::{Facts, FailedOutcome, Outcome};
pub use pages::{PageError, Pages};
pub use run::{CollectorContext, RunError, run};
pub use vital::CollectorVital;
