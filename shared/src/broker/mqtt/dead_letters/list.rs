//! Reads dead letters over a connection of its own.
//!
//! The broker sends what is retained when somebody subscribes. To know when that was all, a marker
//! is published after the subscription: it queues up behind everything retained.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use ulid::Ulid;

use super::Shared;
use super::client::{END, filters};
use crate::broker::mqtt::endpoint::Endpoint;
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::subscribed;
use crate::broker::{DeadLetter, Look};

/// How long the broker may say nothing.
const SILENCE: Duration = Duration::from_secs(20);
/// A subscription and a marker.
const REQUESTS: usize = 10;

/// Looks at the letters on `topic`: one of them, or all of the group.
pub(super) async fn each(
    endpoint: &Endpoint,
    shared: &Shared,
    topic: String,
    look: Look<'_>,
) -> Result<(), Failure> {
    let Shared { topics, client_name, group, .. } = shared;
    let name = Ulid::generate().to_string();
    let options = endpoint.options(&format!("{client_name}-{name}")).await?;
    let (client, event_loop) = AsyncClient::new(options, REQUESTS);
    let mut connection = Connection { client, event_loop, address: endpoint.address() };
    let end = topics.end_of_dead_letters(group, &name);
    connection.letters(topic, end, look).await?;
    connection.leave().await;
    Ok(())
}

struct Connection {
    client: AsyncClient,
    event_loop: EventLoop,
    address: String,
}

impl Connection {
    async fn letters(&mut self, topic: String, end: String, look: Look<'_>) -> Result<(), Failure> {
        let queue_full = |_full| Failure::new("the queue to the broker is full");
        loop {
            match self.next().await? {
                Event::Incoming(Packet::ConnAck(_)) => {
                    let filters = filters(topic.clone(), end.clone());
                    self.client.try_subscribe_many(filters).map_err(queue_full)?;
                }
                Event::Incoming(Packet::SubAck(suback)) => {
                    subscribed::check(&suback, "the dead letters")?;
                    let marker = Bytes::from_static(END);
                    self.client
                        .try_publish(end.as_str(), QoS::AtLeastOnce, false, marker)
                        .map_err(queue_full)?;
                }
                Event::Incoming(Packet::Publish(publish)) if publish.topic == end.as_bytes() => {
                    return Ok(());
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    if let Some(letter) = parse(&publish.payload) {
                        look(letter, publish.payload.len() as u64);
                    }
                }
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        match tokio::time::timeout(SILENCE, self.event_loop.poll()).await {
            Ok(polled) => polled.map_err(|error| Failure::of(&self.address, &error)),
            Err(_) => Err(Failure::new(format!("{} says nothing any more", self.address))),
        }
    }

    /// Nothing is lost without a goodbye; with one, the broker has nothing to log.
    async fn leave(&mut self) {
        if self.client.try_disconnect().is_ok() {
            while let Ok(event) = self.next().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    break;
                }
            }
        }
    }
}

/// A letter; none when it was removed, or is something else that somebody retained there.
fn parse(payload: &[u8]) -> Option<DeadLetter> {
    if payload.is_empty() {
        return None;
    }
    serde_json::from_slice(payload)
        .inspect_err(|error| tracing::warn!(%error, "Something among the dead letters is none."))
        .ok()
}
