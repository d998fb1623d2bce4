//! Killed again and again while InfluxDB comes and goes: nothing polled is lost or doubled.

use std::collections::BTreeSet;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::{eventually, eventually_equal};
use simulator::Endpoint;

use crate::site::{self, DATABASE};

const INTERVAL: Duration = Duration::from_millis(500);
const KILLS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_and_doubles_nothing() {
    let (site, mut influxd) = (site::start(3).await, Influxd::start().await);
    let mut footman = site::footman(&site, &influxd, INTERVAL, |_| {});
    for round in 0..KILLS {
        footman.start().await;
        let served = site.ledger().recorded();
        // A number of answers that differs by round, so that kills meet different moments.
        site.ledger().wait_for(served + 9 + 4 * round).await;
        match round % 3 {
            1 => influxd.stop(),
            2 => influxd.restart().await,
            _ => {}
        }
        footman.kill();
    }
    influxd.restart().await;
    footman.start().await;
    let served = site.ledger().recorded();
    site.ledger().wait_for(served + 20).await;
    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());
    let served: BTreeSet<_> = site::served_health(&site).into_keys().collect();
    // The deadline of the drain may leave the last ones in the queue: one more start stores them.
    footman.start().await;
    eventually("an empty queue", || async {
        footman.metric("collector_outbox_events").await.filter(|waiting| *waiting == 0.0)
    })
    .await;

    let stored = site::stored_health(&influxd).await;
    let doubled: Vec<_> = stored.iter().filter(|(_, times)| times.len() > 1).collect();
    assert!(doubled.is_empty(), "stored more than once: {doubled:?}");
    let missing: Vec<_> = served.iter().filter(|id| !stored.contains_key(*id)).collect();
    // Served but not stored is right only for polls that were open at a kill, which are reported.
    let interrupted = interrupted(&influxd).await;
    println!(
        "served {}, stored {}, open at a kill {}, reported as interrupted {interrupted}",
        served.len(),
        stored.len(),
        missing.len()
    );
    assert!(
        u64::try_from(missing.len()).unwrap() <= interrupted,
        "lost: {missing:?}, interrupted: {interrupted}"
    );
}

async fn interrupted(influxd: &Influxd) -> u64 {
    let reported = "SELECT sum(error_count) FROM butler_sos_errors WHERE error_type = \
                    'HEALTH_API' AND error_category = 'interrupted'";
    // Category is a field, so InfluxQL compares it row by row.
    let sum = influxd.value(DATABASE, reported, "sum").await;
    sum.and_then(|sum| sum.as_f64()).map_or(0, |sum| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let sum = sum as u64;
        sum
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_was_open_at_a_kill_is_reported() {
    let (site, influxd) = (site::start(1).await, Influxd::start().await);
    site.set_fault(0, Endpoint::Engine, Some(simulator::Fault::Hang)).await.unwrap();
    let mut footman = site::footman(&site, &influxd, Duration::from_secs(10), |_| {});
    footman.start().await;
    // The proxy's answer proves that the ticks have begun; the engine's will never come.
    site.ledger().wait_for_count(0, Endpoint::Proxy, 2).await;
    eventually("the open tick on the disk", || async {
        site.traffic(0, Endpoint::Engine).ok().filter(|traffic| traffic.requests > 0)
    })
    .await;
    footman.kill();
    site.set_fault(0, Endpoint::Engine, None).await.unwrap();
    footman.start().await;
    eventually_equal("the interrupted poll", 1, || interrupted(&influxd)).await;
}
