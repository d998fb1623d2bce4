//! What the tests of the whole need: real servers as child processes, a simulated site, the
//! programs, and patience.
//!
//! Every server runs in a directory of its own on free ports of the loopback interface, and is
//! killed, by its process id, when its handle is dropped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a panic is how a test fails"
)]

pub mod backlog;
pub mod chromium;
pub mod fault_proxy;
pub mod influxd;
pub mod influxdb_door;
pub mod influxdb_sink;
pub mod made_up;
pub mod measure;
pub mod mosquitto;
pub mod nats;
pub mod nats_cluster;
pub mod outboxes;
pub mod patience;
pub mod ports;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod strict_influxdb;
