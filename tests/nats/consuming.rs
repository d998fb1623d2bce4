//! Sharing, redelivery, signs of life, and what becomes of acks.

use std::collections::BTreeSet;
use std::time::Duration;

use integration_tests::nats::NatsServer;
use integration_tests::patience::{eventually, eventually_equal};
use shared::broker::DeliveryTag;
use shared::broker::nats::Timing;
use tokio::time::timeout;

use crate::house::{
    ACK_WAIT, Program, held, names, names_of, receive, receive_all, tags_of, timing,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_share_and_inherit_what_a_killed_one_had() {
    let server = NatsServer::start().await;
    let (one, other) = (Program::ready(&server).await, Program::ready(&server).await);
    let all = names("event", 200);
    one.publish(&all).await;
    let (mut killed, mut living) = (one.consumer(), other.consumer());
    let lost = receive(&mut *killed, 50).await;
    let first = receive(&mut *living, 100).await;
    living.ack(&tags_of(&first)).await.unwrap();
    let (lost, first) = (names_of(&lost), names_of(&first));
    assert!(lost.iter().all(|name| !first.contains(name)), "an event went to both");

    drop((killed, one));
    let rest = receive(&mut *living, 100).await;
    living.ack(&tags_of(&rest)).await.unwrap();
    let again = rest.iter().filter(|delivery| delivery.redelivered).count();
    assert_eq!(again, 50);
    let seen: BTreeSet<String> = first.into_iter().chain(names_of(&rest)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_leaves_gives_back_at_once() {
    let server = NatsServer::start().await;
    let long = Timing { ack_wait: Duration::from_hours(1), ..timing() };
    let one = Program::with(&server.config(), long).await;
    one.is_ready().await;
    let all = names("event", 30);
    one.publish(&all).await;
    let mut leaving = one.consumer();
    let taken = receive(&mut *leaving, 30).await;
    leaving.ack(&tags_of(&taken[..10])).await.unwrap();
    leaving.close().await.unwrap();
    let mut staying = one.consumer();
    let again = receive(&mut *staying, 20).await;
    assert_eq!(names_of(&again), all[10..]);
    assert!(again.iter().all(|delivery| delivery.redelivered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_hand_is_not_delivered_again() {
    let server = NatsServer::start().await;
    let (slow, other) = (Program::ready(&server).await, Program::ready(&server).await);
    slow.publish(&names("event", 20)).await;
    let (mut slow, mut idle) = (slow.consumer(), other.consumer());
    let deliveries = receive(&mut *slow, 20).await;
    assert!(timeout(ACK_WAIT * 3, idle.receive(100)).await.is_err(), "it was delivered again");
    slow.ack(&tags_of(&deliveries)).await.unwrap();
    let client = server.client().await;
    eventually_equal("an empty stream", 0, || held(&client)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_was_delivered_again_acks_nothing() {
    let server = NatsServer::start().await;
    let silent = Timing { progress_every: Duration::from_hours(1), ..timing() };
    let program = Program::with(&server.config(), silent).await;
    program.is_ready().await;
    program.publish(&names("event", 5)).await;
    let mut consumer = program.consumer();
    let first = receive(&mut *consumer, 5).await;
    let again = receive(&mut *consumer, 5).await;
    assert_eq!(names_of(&first), names_of(&again));
    assert!(again.iter().all(|delivery| delivery.redelivered && delivery.tag > first[4].tag));
    consumer.ack(&tags_of(&first)).await.unwrap();
    consumer.ack(&[DeliveryTag(4_711)]).await.unwrap();
    let client = server.client().await;
    assert_eq!(held(&client).await, 5);
    consumer.ack(&tags_of(&again)).await.unwrap();
    eventually_equal("an empty stream", 0, || held(&client)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_what_waits() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    program.publish(&names("event", 40)).await;
    let mut consumer = program.consumer();
    let deliveries = receive(&mut *consumer, 10).await;
    eventually_equal("a backlog", Some(40), || async { consumer.backlog() }).await;
    consumer.ack(&tags_of(&deliveries)).await.unwrap();
    eventually_equal("a smaller backlog", Some(30), || async { consumer.backlog() }).await;
}

/// A server that stands still answers no fetch; nobody tells when it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_does_not_stall_it() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let mut consumer = program.consumer();
    program.publish(&names("before", 1)).await;
    receive_all(&mut *consumer, &names("before", 1)).await;
    for round in 0..2 {
        server.process().unwrap().signal("STOP");
        let silence = timing().fetch_expiry + timing().fetch_grace;
        assert!(timeout(silence * 2, consumer.receive(10)).await.is_err());
        server.process().unwrap().signal("CONT");
        let names = names(&format!("round{round}"), 10);
        eventually("a confirmation", || async {
            let publisher = program.nats.publisher();
            publisher.publish(crate::house::outgoing(&names[0])).await.ok()
        })
        .await;
        program.publish(&names).await;
        receive_all(&mut *consumer, &names).await;
    }
}
