//! What the outbox remembers of an earlier process, and what happens when it is full.

use shared::event::Category;
use shared::timestamp::Timestamp;

use crate::house::{Running, SECOND, config, eventually, open, site};

#[tokio::test(flavor = "multi_thread")]
async fn polls_open_at_a_kill_are_told_once() {
    let site = site(1).await;
    let directory = tempfile::tempdir().unwrap();
    let sent = Timestamp::from_nanos(1_763_712_930_123_456_789);
    {
        let outbox = open(directory.path(), 1 << 30).await;
        let name = site.servers()[0].name();
        outbox.tick_started(&format!("health/{name}"), sent).await;
        outbox.tick_started(&format!("health/{name}"), sent).await;
        outbox.tick_started("health/removed", sent).await;
        outbox.flush().await;
    }
    let outbox = open(directory.path(), 1 << 30).await;
    assert_eq!(outbox.open_ticks().len(), 2);
    let mut running = Running::over(config(&site, 30 * SECOND), outbox, directory);
    let first = running.next(|_| true).await;
    assert_eq!(first.time, sent);
    let failed = crate::house::failed(&first).unwrap();
    assert_eq!((failed.category.clone(), failed.ticks), (Category::INTERRUPTED, 2));
    running.next(crate::house::is_health).await;
    running.stop().await;
    let directory = running.kill();
    let outbox = open(directory.path(), 1 << 30).await;
    assert_eq!(outbox.open_ticks(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_outbox_did_not_take_is_counted_and_told() {
    let site = site(1).await;
    let directory = tempfile::tempdir().unwrap();
    let outbox = open(directory.path(), 200_000).await;
    let mut running = Running::over(config(&site, SECOND / 2), outbox, directory);
    let (metrics, readiness) = (std::sync::Arc::clone(&running.metrics), running.readiness.clone());
    eventually(|| metrics.ticks_unrecorded() >= 8).await;
    eventually(|| !readiness.report().ready).await;
    let last = running.all().await.len();
    running.outbox.settle_through(i64::try_from(last).unwrap()).await;
    let failed = running.next_failed(|failed| failed.category == Category::OUTBOX_FULL).await;
    assert!(failed.ticks >= 1, "{failed:?}");
    // An event can be read a moment before whoever appended it knows.
    eventually(|| readiness.report().ready).await;
    running.stop().await;
}
