//! What the writer's tests share: events, a writer that runs over a broker in memory, and the two
//! InfluxDBs, the real one and the scripted one.

pub(crate) mod events;
pub(crate) mod fake;
pub(crate) mod influxd;
pub(crate) mod running;

use std::time::{Duration, Instant};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `ready` gives something.
pub(crate) async fn eventually<T>(what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = ready().await {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes ring the process' TLS provider, as the programs do.
pub(crate) fn install_tls_provider() {
    // Another test of this process may have done it.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
