//! Confirmations, repetitions, limits.

use bytes::Bytes;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::broker::{Outgoing, PublishError};
use shared::config;
use tokio::task::JoinSet;

use crate::house::{
    Program, Sizes, held, names, names_of, outgoing, receive, receive_all, subject, tags_of, timing,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_id_is_stored_once() {
    let mut server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let names = names("event", 50);
    program.publish(&names).await;
    program.publish(&names).await;
    server.restart().await;
    program.is_ready().await;
    program.publish(&names).await;
    assert_eq!(held(&server.client().await).await, 50);
    let counts = receive_all(&mut *program.consumer(), &names).await;
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publish_at_the_same_time() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let names = names("event", 5_000);
    let mut tasks = JoinSet::new();
    for name in names.clone() {
        let publisher = program.nats.publisher();
        tasks.spawn(async move { publisher.publish(outgoing(&name)).await });
    }
    while let Some(published) = tasks.join_next().await {
        published.unwrap().unwrap();
    }
    assert_eq!(held(&server.client().await).await, 5_000);
    receive_all(&mut *program.consumer(), &names).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_is_said_and_takes_again_when_there_is_room() {
    let server = NatsServer::start().await;
    let config = config::Nats { max_bytes: 1 << 20, ..server.config() };
    let program = Program::with(&config, timing()).await;
    program.is_ready().await;
    let publisher = program.nats.publisher();
    let large = |number: usize| Outgoing {
        subject: subject("a"),
        id: format!("large-{number}"),
        payload: Bytes::from(vec![b'x'; 100 << 10]),
    };
    let mut stored = 0;
    let why = loop {
        match publisher.publish(large(stored)).await {
            Ok(()) => stored += 1,
            Err(PublishError::Unavailable { why }) => break why,
            Err(refused) => panic!("{refused}"),
        }
        assert!(stored < 100, "it is never full");
    };
    assert!(why.contains("QLIKSENSE is full"), "{why}");
    assert!((8..=10).contains(&stored), "{stored}");

    let mut consumer = program.consumer();
    let deliveries = receive(&mut *consumer, stored).await;
    consumer.ack(&tags_of(&deliveries[..2])).await.unwrap();
    eventually("room", || async { publisher.publish(large(stored)).await.ok() }).await;
}

/// nats-server 2.9.10 makes room by deleting the oldest message, when one fits by its payload and not
/// by what is stored of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_full_to_the_last_byte_has_all_that_was_confirmed() {
    let server = NatsServer::start().await;
    let config = config::Nats { max_bytes: 1 << 20, ..server.config() };
    let program = Program::with(&config, timing()).await;
    program.is_ready().await;
    let publisher = program.nats.publisher();
    let mut sizes = Sizes(100 << 10);
    let mut confirmed = Vec::new();
    loop {
        let id = format!("{}", confirmed.len());
        let payload = Bytes::from(vec![b'x'; sizes.0]);
        match publisher.publish(Outgoing { subject: subject("a"), id: id.clone(), payload }).await {
            Ok(()) => confirmed.push(id),
            Err(PublishError::Unavailable { why }) if why.contains("full") => {
                if !sizes.was_not_taken() {
                    break;
                }
            }
            Err(other) => panic!("{other}"),
        }
        assert!(confirmed.len() < 1_000, "it is never full");
    }
    assert!(confirmed.len() > 8, "{confirmed:?}");
    assert_eq!(held(&server.client().await).await, confirmed.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let payload = Bytes::from(vec![b'x'; (1 << 20) + 1]);
    let too_large = Outgoing { payload, ..outgoing("large") };
    let error = program.nats.publisher().publish(too_large).await.unwrap_err();
    assert!(matches!(error, PublishError::Refused { .. }), "{error}");
    program.publish(&names("small", 1)).await;
}

/// Whatever somebody tasks comes as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_bytes_pass_unchanged() {
    let server = NatsServer::start().await;
    let program = Program::ready(&server).await;
    let client = server.client().await;
    let poison: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0, 0xFF, 0xFE, b'\r', b'\n'],
        b"{\"specversion\":".to_vec(),
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n".to_vec(),
        vec![b'x'; 1_000_000],
    ];
    let jetstream = async_nats::jetstream::new(client);
    for payload in &poison {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Status", "408");
        let subject = "qliksense.v1.health.some.body.else";
        let sent = jetstream.publish_with_headers(subject, headers, payload.clone().into());
        sent.await.unwrap().await.unwrap();
    }
    program.publish(&names("ours", 1)).await;
    let mut consumer = program.consumer();
    let deliveries = receive(&mut *consumer, poison.len() + 1).await;
    for (delivery, payload) in deliveries.iter().zip(&poison) {
        assert_eq!(&delivery.payload[..], &payload[..]);
        assert_eq!(delivery.subject.as_topic(), "qliksense/v1/health/some/body/else");
    }
    assert_eq!(names_of(&deliveries[poison.len()..]), names("ours", 1));
}
