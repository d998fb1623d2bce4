//! Deletes a session that is empty, and then its record, over a connection of its own.

use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop};

use crate::broker::mqtt::confirm;
use crate::broker::mqtt::endpoint::Endpoint;
use crate::broker::mqtt::failure::Failure;

/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(10);
/// A publication and a goodbye.
const REQUESTS: usize = 10;

/// Deletes the session of a client id and what is retained on `topic`.
pub(super) async fn delete(
    endpoint: &Endpoint,
    client_id: &str,
    topic: &str,
) -> Result<(), Failure> {
    // A clean start with no expiry: the session goes when the connection begins, and no other
    // stays when it ends.
    let options = endpoint.options(client_id).await?;
    let (client, event_loop) = AsyncClient::new(options, REQUESTS);
    let deleting = clear(client, event_loop, topic, endpoint.address());
    let deleted = tokio::time::timeout(LONGEST, Box::pin(deleting)).await;
    deleted.unwrap_or_else(|_| Err(Failure::new(format!("{} is too slow", endpoint.address()))))
}

async fn clear(
    client: AsyncClient,
    mut event_loop: EventLoop,
    topic: &str,
    address: String,
) -> Result<(), Failure> {
    let queue_full = |error: rumqttc::v5::ClientError| Failure::new(error.to_string());
    loop {
        match event_loop.poll().await.map_err(|error| Failure::of(&address, &error))? {
            Event::Incoming(Packet::ConnAck(_)) => {
                client.try_publish(topic, QoS::AtLeastOnce, true, "").map_err(queue_full)?;
            }
            Event::Incoming(Packet::PubAck(puback)) => {
                confirm::retained(puback.reason, topic)
                    .map_err(|error| Failure::new(error.to_string()))?;
                client.try_disconnect().map_err(queue_full)?;
            }
            Event::Outgoing(Outgoing::Disconnect) => return Ok(()),
            _ => {}
        }
    }
}
