//! The whole path: a simulated site, `footman run`, a real InfluxDB.
//!
//! The site's ledger says what was served; InfluxDB says what is stored. Ids are counted, never
//! messages: `apps.calls` tells the answers of an engine apart.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod conservation;
mod delivery;
mod heartbeats;
mod neighbours;
mod pages;
mod rhythm;
mod site;
mod versions;
