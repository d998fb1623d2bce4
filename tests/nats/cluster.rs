//! Three servers that keep the stream together: any of them may be killed, also the one that leads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::nats_cluster::NatsCluster;
use integration_tests::outboxes::{Forwarding, id_of};
use integration_tests::patience::{eventually, eventually_equal};
use shared::broker::Publisher;
use shared::broker::nats::Timing;
use shared::outbox::Outbox;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::house::{GROUP, Program, tags_of, timing};

/// How long nothing may be confirmed while the servers agree on another leader.
const LONGEST_STALL: Duration = Duration::from_secs(30);
/// Events appended at once, time and again.
const AT_ONCE: usize = 20;

fn publisher(program: &Program) -> impl FnOnce(&Outbox) -> Arc<dyn Publisher> {
    let nats = program.nats.clone();
    move |outbox| nats.publisher_for(outbox.remembered_broker())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

/// How often each event was delivered.
type Counts = BTreeMap<String, usize>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_server_may_be_killed_also_the_one_that_leads() {
    let mut cluster = NatsCluster::start().await;
    // As in production: the stall depends on it.
    let program = Program::with(&cluster.config(), Timing::default()).await;
    program.is_ready().await;
    let writer = Program::with(&cluster.config(), Timing::default()).await;
    let counts: Arc<Mutex<Counts>> = Arc::default();
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let (mut consumer, counts) = (writer.consumer(), Arc::clone(&counts));
        async move {
            loop {
                let some = consumer.receive(500).await.unwrap();
                consumer.ack(&tags_of(&some)).await.unwrap();
                let mut counts = counts.lock().unwrap();
                for delivery in &some {
                    *counts.entry(id_of(delivery)).or_default() += 1;
                }
            }
        }
    });
    let collector = Forwarding::start(publisher(&program)).await;
    let ended = CancellationToken::new();
    let appending = collector.keep_appending(AT_ONCE, ended.clone());
    let longest_stall = Arc::new(AtomicU64::default());
    tasks.spawn({
        let (forwarded, longest) = (Arc::clone(&collector.forwarded), Arc::clone(&longest_stall));
        async move {
            let (mut confirmed, mut since) = (0, Instant::now());
            loop {
                if forwarded.confirmed() != confirmed {
                    (confirmed, since) = (forwarded.confirmed(), Instant::now());
                }
                longest.fetch_max(millis(since.elapsed()), Ordering::Relaxed);
                sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let client = cluster.client().await;
    for round in 0..3 {
        collector.confirms(500).await;
        cluster.is_whole(&client).await;
        // The last one leads the consumer, which may be another one than the stream's.
        let killed = match round {
            2 => cluster.consumer_leader(&client, GROUP).await,
            _ => cluster.stream_leader(&client).await,
        };
        cluster.kill(killed);
        collector.confirms(500).await;
        cluster.restart(killed).await;
    }
    ended.cancel();
    let ids = appending.await.unwrap();
    collector.everything_is_confirmed().await;
    // Nothing more is there to be confirmed.
    let stall = Duration::from_millis(longest_stall.load(Ordering::Relaxed));
    eventually_equal("every event", ids.len(), || async { counts.lock().unwrap().len() }).await;
    tasks.shutdown().await;
    let counts = counts.lock().unwrap().clone();
    assert!(ids.iter().all(|id| counts.contains_key(id)));
    // A consumer's new leader does not know what the old one delivered last, so that comes again; in
    // the stream each event is once.
    let again = counts.values().sum::<usize>() - ids.len();
    // A leader that was elected a moment ago may not have applied the last of it yet.
    let last = eventually("the stream", || async {
        let state = program.nats.stream_state().await.ok()?;
        (state.last_sequence >= u64::try_from(ids.len()).unwrap()).then_some(state)
    });
    let stored = last.await;
    println!(
        "{} events, {} in the stream, {again} delivered again, {} published again, longest stall \
         {stall:?}, {:?}",
        ids.len(),
        stored.last_sequence,
        collector.forwarded.republished(),
        collector.lives.borrow()
    );
    assert_eq!(stored.last_sequence, u64::try_from(ids.len()).unwrap());
    assert_eq!(stored.replicas, 3);
    assert!(stall < LONGEST_STALL, "{stall:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_wait_for_a_cluster_that_cannot_agree_yet() {
    let mut cluster = NatsCluster::prepare();
    cluster.restart(0).await;
    let program = Program::with(&cluster.config(), timing()).await;
    let collector = Forwarding::start(publisher(&program)).await;
    let ids = collector.append(20).await;
    // One of three decides nothing, so there is no stream.
    program.is_missing(&["QLIKSENSE"]).await;
    assert_eq!(collector.outbox.depth(), 20);
    cluster.restart(1).await;
    cluster.restart(2).await;
    program.is_ready().await;
    collector.everything_is_confirmed().await;
    let mut consumer = program.consumer();
    let names: Vec<String> = ids.into_iter().collect();
    let received = crate::house::receive(&mut *consumer, names.len()).await;
    let mut received: Vec<String> = received.iter().map(id_of).collect();
    received.sort();
    assert_eq!(received, names);

    // Two of three are gone: nothing is confirmed, nothing is lost.
    cluster.kill(1);
    cluster.kill(2);
    let more = collector.append(20).await;
    cluster.restart(1).await;
    collector.everything_is_confirmed().await;
    let received = crate::house::receive(&mut *consumer, more.len()).await;
    assert!(
        received.iter().all(|delivery| more.contains(&id_of(delivery)) || delivery.redelivered)
    );
}
