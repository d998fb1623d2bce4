//! A server that comes back with an older disk, or without its stream: every event of the outbox
//! arrives all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use integration_tests::nats::NatsServer;
use integration_tests::outboxes::{Forwarding, id_of};
use integration_tests::patience::{PATIENCE, eventually};
use shared::broker::Publisher;
use shared::outbox::Outbox;
use tokio::time::timeout;

use crate::house::{Program, held, tags_of};

fn publisher(program: &Program) -> impl FnOnce(&Outbox) -> Arc<dyn Publisher> {
    let nats = program.nats.clone();
    move |outbox| nats.publisher_for(outbox.remembered_broker())
}

/// Receives and acks until every id has come; gives how many deliveries that took.
async fn all_arrive(program: &Program, ids: &BTreeSet<String>) -> usize {
    let mut consumer = program.consumer();
    let mut missing = ids.clone();
    let mut count = 0;
    while !missing.is_empty() {
        let some = timeout(PATIENCE, consumer.receive(500)).await;
        let some = some.unwrap_or_else(|_| panic!("{} never came", missing.len())).unwrap();
        count += some.len();
        consumer.ack(&tags_of(&some)).await.unwrap();
        for delivery in &some {
            missing.remove(&id_of(delivery));
        }
    }
    consumer.close().await.unwrap();
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_an_older_disk_gets_again_what_it_forgot() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let collector = Forwarding::start(publisher(&program)).await;
    let mut ids = collector.append(200).await;
    collector.everything_is_confirmed().await;
    server.stop().await;
    let copy = server.copy_disk();
    server.restart().await;
    ids.extend(collector.append(200).await);
    collector.everything_is_confirmed().await;
    assert_eq!(collector.forwarded.republished(), 0, "so far it has forgotten nothing");
    server.kill();
    server.go_back_to(&copy);
    server.restart().await;
    ids.extend(collector.append(50).await);
    collector.everything_is_confirmed().await;
    assert_eq!(collector.forwarded.republished(), 400);
    // What the copy had it recognised; what was forgotten it really stored again.
    assert_eq!(held(&server.client().await).await, 450);
    assert_eq!(all_arrive(&program, &ids).await, 450);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_restarts_meanwhile_finds_out_as_well() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let collector = Forwarding::start(publisher(&program)).await;
    let mut ids = collector.append(100).await;
    collector.everything_is_confirmed().await;
    server.stop().await;
    let copy = server.copy_disk();
    server.restart().await;
    ids.extend(collector.append(100).await);
    collector.everything_is_confirmed().await;
    let directory = collector.stopped().await;
    server.kill();
    server.go_back_to(&copy);
    server.restart().await;
    let collector = Forwarding::over(directory, publisher(&program)).await;
    all_arrive(&program, &ids).await;

    let directory = collector.stopped().await;
    let collector = Forwarding::over(directory, publisher(&program)).await;
    all_arrive(&program, &collector.append(1).await).await;
    assert_eq!(collector.forwarded.republished(), 0, "the same server has forgotten nothing");
}

/// Within the window in which a server recognises what is published again: a new stream has to take
/// it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_made_anew_gets_everything_again() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let others = Program::ready(&server).await;
    let jetstream = async_nats::jetstream::new(server.client().await);
    let collector = Forwarding::start(publisher(&program)).await;
    let mut ids = collector.append(100).await;
    for _ in 0..2 {
        collector.everything_is_confirmed().await;
        // Deleted by hand; whoever misses it first makes it anew.
        jetstream.delete_stream("QLIKSENSE").await.unwrap();
        ids.extend(collector.append(10).await);
        collector.everything_is_confirmed().await;
    }
    // Made anew at once, with the same settings: no publish ever fails.
    let stream = jetstream.get_stream("QLIKSENSE").await.unwrap();
    let config = stream.cached_info().config.clone();
    jetstream.delete_stream("QLIKSENSE").await.unwrap();
    jetstream.create_stream(config).await.unwrap();
    ids.extend(collector.append(10).await);
    all_arrive(&others, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_only_killed_gets_nothing_twice() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let collector = Forwarding::start(publisher(&program)).await;
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        ids.extend(collector.append(100).await);
        collector.everything_is_confirmed().await;
        server.kill();
        server.restart().await;
    }
    ids.extend(collector.append(1).await);
    collector.everything_is_confirmed().await;
    assert_eq!(collector.forwarded.republished(), 0);
    assert_eq!(all_arrive(&program, &ids).await, 301);
}

/// Whoever comes back first fills the gap, so that the sequences look to the others as if nothing
/// had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_collectors_give_back_each_what_was_theirs() {
    let mut server = NatsServer::start().await;
    let (one, two) = (Program::ready(&server).await, Program::ready(&server).await);
    let first = Forwarding::start(publisher(&one)).await;
    let second = Forwarding::start(publisher(&two)).await;
    let mut ids = second.append(10).await;
    second.everything_is_confirmed().await;
    server.stop().await;
    let copy = server.copy_disk();
    server.restart().await;
    ids.extend(first.append(300).await);
    first.everything_is_confirmed().await;
    ids.extend(second.append(20).await);
    second.everything_is_confirmed().await;
    let directory = second.stopped().await;
    server.kill();
    server.go_back_to(&copy);
    server.restart().await;
    // The second one comes back when the first one has filled the gap and more than that.
    ids.extend(first.append(100).await);
    eventually("the first one's replay", || async {
        (first.forwarded.republished() >= 300 && first.outbox.depth() == 0).then_some(())
    })
    .await;
    let second = Forwarding::over(directory, publisher(&two)).await;
    ids.extend(second.append(1).await);
    second.everything_is_confirmed().await;
    all_arrive(&one, &ids).await;
}
