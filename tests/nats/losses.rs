//! What the server forgets: consumers, streams, its disk.

use integration_tests::nats::NatsServer;
use integration_tests::patience::{eventually, eventually_equal};
use shared::broker::nats::StreamStateError;

use crate::house::{
    GROUP, Program, held, names, names_of, publish_until_confirmed, receive, receive_all, tags_of,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_given_after_a_restart_count() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    program.publish(&names("event", 20)).await;
    let mut consumer = program.consumer();
    let deliveries = receive(&mut *consumer, 20).await;
    server.stop().await;
    consumer.ack(&tags_of(&deliveries[..10])).await.unwrap();
    server.restart().await;
    consumer.ack(&tags_of(&deliveries[10..])).await.unwrap();
    let client = server.client().await;
    eventually_equal("an empty stream", 0, || held(&client)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_consumer_is_made_again() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let mut consumer = program.consumer();
    let jetstream = async_nats::jetstream::new(server.client().await);
    for round in 0..3 {
        let names = names(&format!("round{round}"), 10);
        program.publish(&names).await;
        receive_all(&mut *consumer, &names).await;
        jetstream.delete_consumer_from_stream(GROUP, "QLIKSENSE").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_is_made_again() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let mut consumer = program.consumer();
    let jetstream = async_nats::jetstream::new(server.client().await);
    let publisher = program.nats.publisher();
    for round in 0..3 {
        let names = names(&format!("round{round}"), 10);
        for name in &names {
            publish_until_confirmed(&*publisher, name).await;
        }
        receive_all(&mut *consumer, &names).await;
        jetstream.delete_stream("QLIKSENSE").await.unwrap();
    }
}

/// The places that old acks name belong to other events then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_from_before_a_lost_disk_ack_nothing() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    program.publish(&names("old", 20)).await;
    let mut consumer = program.consumer();
    let old = receive(&mut *consumer, 20).await;
    assert_eq!(names_of(&old), names("old", 20));

    server.kill();
    server.lose_everything();
    consumer.ack(&tags_of(&old[..10])).await.unwrap();
    server.restart().await;
    let other = Program::ready(&server).await;
    other.publish(&names("new", 20)).await;
    program.is_ready().await;
    consumer.ack(&tags_of(&old[10..])).await.unwrap();
    let counts = receive_all(&mut *consumer, &names("new", 20)).await;
    assert_eq!(counts.len(), 20, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_how_far_the_stream_has_come() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let empty = program.nats.stream_state().await.unwrap();
    assert_eq!(empty.last_sequence, 0);
    program.publish(&names("event", 7)).await;
    receive_all(&mut *program.consumer(), &names("event", 7)).await;
    server.restart().await;
    program.is_ready().await;
    let later = program.nats.stream_state().await.unwrap();
    assert_eq!((later.created, later.last_sequence), (empty.created, 7));

    server.kill();
    let error = program.nats.stream_state().await.unwrap_err();
    assert!(matches!(error, StreamStateError::Unavailable { .. }), "{error}");
    server.lose_everything();
    server.restart().await;
    let other =
        eventually("another stream", || async { program.nats.stream_state().await.ok() }).await;
    assert!(other.created > empty.created && other.last_sequence == 0, "{other:?}");
}
