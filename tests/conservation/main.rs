//! Nothing that was polled is lost, and nothing is stored twice, whatever fails.
//!
//! On one side the ledger of the simulated site and the count in the outbox, on the other what a
//! real InfluxDB has. Each test is one fault on one broker, over and over; it prints a row of the
//! table in `docs/conservation.md`, which says what the columns are.
//!
//! `FOOTMAN_ROUNDS` says how often the fault comes (3), `FOOTMAN_SEED` gives back the moments of an
//! earlier run, which prints its seed, and `FOOTMAN_TABLE` names a file for the rows.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and the row is what it shows"
)]

mod books;
mod brokers;
mod chance;
mod disk;
mod influxdb;
mod kills;
mod network;
mod promises;
mod rig;
mod scaling;
mod shutdown;
mod table;

/// The same fault on several brokers.
macro_rules! on {
    ($($broker:ident: $($fault:path => $name:ident),* $(,)?;)*) => {$(
        mod $broker {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $fault(crate::rig::On::$broker).await;
                }
            )*
        }
    )*};
}
use on;
