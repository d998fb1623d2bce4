//! Connections are kept alive, and the end of the collector loses nothing that was polled.

use shared::event::Category;
use simulator::{Endpoint, Fault};

use crate::house::{Running, SECOND, config, is_health, site};

#[tokio::test(flavor = "multi_thread")]
async fn one_handshake_serves_all_polls() {
    let site = site(2).await;
    let mut running = Running::start(config(&site, SECOND)).await;
    let metrics = std::sync::Arc::clone(&running.metrics);
    running.next(|_| metrics.ticks_ended() >= 40).await;
    running.stop().await;
    for server in 0..2 {
        for endpoint in [Endpoint::Engine, Endpoint::Proxy] {
            let traffic = site.traffic(server, endpoint).unwrap();
            assert_eq!(traffic.handshakes, 1, "{endpoint} of {server}: {traffic:?}");
            assert!(traffic.requests >= 4, "{traffic:?}");
        }
    }
    assert_eq!(running.metrics.ticks_failed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_meanwhile_costs_no_poll() {
    let site = site(1).await;
    let mut running = Running::start(config(&site, SECOND)).await;
    for _round in 0..3 {
        running.next(is_health).await;
        site.close_connections(0, Endpoint::Engine).await.unwrap();
        site.close_connections(0, Endpoint::Proxy).await.unwrap();
    }
    running.next(is_health).await;
    running.stop().await;
    assert_eq!(running.metrics.ticks_failed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_in_hand_end_before_the_collector_does() {
    let site = site(1).await;
    site.set_fault(0, Endpoint::Engine, Some(Fault::Hang)).await.unwrap();
    let mut running = Running::start(config(&site, 30 * SECOND)).await;
    // The engine is asked first of all; when the proxy has answered, the engine hangs.
    running.next(|envelope| envelope.event.kind().name() == "sessions").await;
    running.stop().await;
    let failed = running.next_failed(|_| true).await;
    assert_eq!(failed.category, Category::TIMEOUT);
    let directory = running.kill();
    let outbox = crate::house::open(directory.path(), 1 << 30).await;
    assert_eq!(outbox.open_ticks(), []);
}
