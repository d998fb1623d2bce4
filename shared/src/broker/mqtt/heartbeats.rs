//! Hears the heartbeats of all programs, over a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::sync::mpsc;

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::link::{Link, Role};
use super::topics::Topics;
use super::{MqttSettings, subscribed};
use crate::broker::HeartbeatSubscription;
use crate::event::Kind;
use crate::subject::Token;

/// Nobody waits for this connection: a longer silence costs nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Begins to listen; what does not fit into the subscription is not heard.
pub(in crate::broker) fn subscribe(settings: &MqttSettings) -> HeartbeatSubscription {
    let MqttSettings { topic_prefix, broker, process, instance } = settings;
    let (heard, received) = mpsc::channel(HeartbeatSubscription::ROOM);
    let role = ListenerRole {
        client_id: format!("{topic_prefix}-{process}-{}-audit", Token::new(instance)),
        filter: Topics::new(topic_prefix).all_of(Kind::Heartbeats),
        heard,
    };
    HeartbeatSubscription::new(received, Link::start(Endpoint::new(broker), role))
}

struct ListenerRole {
    client_id: String,
    filter: String,
    heard: mpsc::Sender<Bytes>,
}

impl Role for ListenerRole {
    fn client_id(&mut self) -> String {
        self.client_id.clone()
    }

    fn prepare(&self, options: &mut MqttOptions) {
        options.set_keep_alive(KEEP_ALIVE);
    }

    fn connected(&mut self, client: &AsyncClient, _connack: &ConnAck) -> Result<(), Failure> {
        client
            .try_subscribe(&self.filter, QoS::AtMostOnce)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Incoming(Packet::SubAck(suback)) => subscribed::check(&suback, "the heartbeats"),
            Event::Incoming(Packet::Publish(publish)) => {
                let _full = self.heard.try_send(publish.payload);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn lost(&mut self, failure: &Failure) {
        tracing::debug!("Heartbeats are not heard: {}", failure.why);
    }
}
