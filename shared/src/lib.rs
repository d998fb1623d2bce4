#![doc = include_str!("../README.md")]

pub mod event;

pub mod envelope;

pub mod subject;

pub mod broker;

pub mod outbox;

pub mod config;

#[cfg(test)]
mod contract;

pub mod backlog;
pub mod backoff;
pub mod exposition;
pub mod heartbeat;
pub mod instance;
pub mod lifecycle;
pub mod logging;
pub mod program;
pub mod readiness;
pub mod schedule;
pub mod secret;
pub mod settlement;
pub mod stages;
pub mod status;
pub mod timestamp;
pub mod tls;
