//! The MQTT driver against a real mosquitto, and against a broker that misbehaves on purpose.
//!
//! Every test of `traps` is about one thing that the client library or the broker does silently.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod announcing;
mod consuming;
mod dead_letters;
mod forgetful;
mod publishing;
mod scripted;
mod security;
mod sharing;
mod site;
mod traps;
