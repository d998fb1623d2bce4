//! The writer against InfluxDB 2.x and 3.x, which strict stand-ins play as they are documented, and
//! its encoder against that of another client.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod cross_check;
mod events;
mod predecessor;
mod running;
mod version2;
mod version3;
