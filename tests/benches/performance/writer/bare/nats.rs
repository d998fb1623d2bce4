//! async-nats alone: a durable pull consumer, batches of 500, an ack for each message.

use async_nats::jetstream::{self, consumer::pull};
use futures::StreamExt as _;
use integration_tests::nats::NatsServer;
use tokio::time::Instant;

use super::Consumed;
use crate::writer::figures::Watched;

const STREAM: &str = "QLIKSENSE";
const GROUP: &str = "influxdb";
const BATCH: usize = 500;
/// The library reports a server that is late with a sign of life, and goes on.
const HITCHES: usize = 20;

/// Consumes so many messages as the group for which they wait.
pub(super) async fn consume(server: &NatsServer, events: u64, watched: &Watched) -> Consumed {
    let client = server.client().await;
    let stream = jetstream::new(client.clone()).get_stream(STREAM).await.unwrap();
    let consumer: jetstream::consumer::Consumer<pull::Config> =
        stream.get_consumer(GROUP).await.unwrap();
    let mut messages = consumer.stream().max_messages_per_batch(BATCH).messages().await.unwrap();
    let (begun, before) = (Instant::now(), watched.used());
    let (mut left, mut hitches) = (events, 0);
    while left > 0 {
        match messages.next().await.unwrap() {
            Ok(message) => {
                message.ack().await.unwrap();
                left -= 1;
            }
            Err(error) => {
                hitches += 1;
                assert!(hitches < HITCHES, "{left} messages are left: {error}");
            }
        }
    }
    client.flush().await.unwrap();
    let consumed = Consumed { took: begun.elapsed(), used: watched.used().since(before) };
    drop(messages);
    integration_tests::patience::eventually_equal("an empty stream", 0, || {
        let mut stream = stream.clone();
        async move { stream.info().await.unwrap().state.messages }
    })
    .await;
    consumed
}
