//! A server that is not there yet, goes away and comes back.

use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::broker::PublishError;

use crate::house::{Program, names, outgoing, publish_until_confirmed, receive_all, timing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_without_a_server() {
    let mut server = NatsServer::prepare("");
    let program = Program::with(&server.config(), timing()).await;
    let mut consumer = program.consumer();
    let error = program.nats.publisher().publish(outgoing("early")).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable { .. }), "{error}");
    let address = format!("127.0.0.1:{}", server.port());
    let why = program.is_missing(&[&address, "refused"]).await;
    assert!(!why.contains("nats://"), "{why}");
    assert!(program.nats.stream_state().await.is_err());

    server.restart().await;
    program.is_ready().await;
    let names = names("late", 20);
    program.publish(&names).await;
    receive_all(&mut *consumer, &names).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_server() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    server.kill();
    program.is_missing(&["127.0.0.1", "refused"]).await;
    server.restart().await;
    program.is_ready().await;
    server.stop().await;
    program.is_missing(&["127.0.0.1"]).await;
}

/// Publishers, a consumer and three kills: every confirmed event is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_server_is_killed() {
    const WORKERS: usize = 8;
    const EACH: usize = 400;
    let mut server = NatsServer::start().await;
    let collector = Program::ready(&server).await;
    let writer = Program::ready(&server).await;
    let confirmed = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (publisher, confirmed) = (collector.nats.publisher(), confirmed.clone());
            tokio::spawn(async move {
                for name in names(&format!("worker{worker}"), EACH) {
                    publish_until_confirmed(&*publisher, &name).await;
                    confirmed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            })
        })
        .collect();
    let all: Vec<String> =
        (0..WORKERS).flat_map(|worker| names(&format!("worker{worker}"), EACH)).collect();
    let consuming = tokio::spawn({
        let (mut consumer, all) = (writer.consumer(), all.clone());
        async move { receive_all(&mut *consumer, &all).await }
    });
    for part in 1..=3 {
        let enough = part * WORKERS * EACH / 4;
        eventually("more confirmations", || async {
            (confirmed.load(std::sync::atomic::Ordering::Relaxed) >= enough).then_some(())
        })
        .await;
        server.restart().await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let counts = consuming.await.unwrap();
    assert_eq!(counts.len(), all.len());
}
