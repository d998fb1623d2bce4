//! The NATS driver against a real nats-server: what it does beyond the broker contract.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod announcing;
mod audit;
mod backwards;
mod cluster;
mod connection;
mod consuming;
mod credentials;
mod dead_letters;
mod forgetful;
mod house;
mod losses;
mod publishing;
mod rights;
mod settings;
mod tls;
