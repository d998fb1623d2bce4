#![doc = include_str!("../README.md")]

pub mod broker;
pub mod config;
pub mod envelope;
pub mod event;
pub mod secret;
pub mod subject;
pub mod timestamp;
pub mod outbox;
pub mod readiness;
