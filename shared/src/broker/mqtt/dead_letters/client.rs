//! The client that writes dead letters and follows what others do with them.

use std::sync::Arc;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use ulid::Ulid;

use super::Shared;
use crate::broker::mqtt::failure::Failure;
use crate::broker::mqtt::flight::{Flight, MAX_IN_FLIGHT, Publication};
use crate::broker::mqtt::link::Role;
use crate::broker::mqtt::subscribed;

/// What says that everything retained before it has come. Never retained, never empty.
pub(in crate::broker::mqtt) const END: &[u8] = b"end";

/// The client's side of the event loop.
pub(super) struct DeadLettersRole {
    shared: Arc<Shared>,
    /// Unlike any other of this connection, so that nothing of ours counts as our own elsewhere.
    name: String,
    end_topic: String,
    flight: Option<Arc<Flight>>,
}

impl DeadLettersRole {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, name: String::new(), end_topic: String::new(), flight: None }
    }

    fn note(&mut self, publish: &Publish) {
        if publish.topic == self.end_topic.as_bytes() {
            if let Some(flight) = &self.flight {
                let flight = Arc::clone(flight);
                self.shared.ready.send_modify(|ready| *ready = Ok(flight));
            }
        } else if let Some(token) = token_of(&publish.topic) {
            self.shared.mirror().note(token, &publish.payload);
        }
    }

    fn end(&mut self, failure: &Failure) {
        self.shared.ready.send_modify(|ready| *ready = Err(failure.why.clone()));
        self.shared.mirror().forget();
        if let Some(flight) = self.flight.take() {
            flight.fail(failure);
        }
    }
}

/// The last level of a letter's topic.
fn token_of(topic: &[u8]) -> Option<&str> {
    std::str::from_utf8(topic).ok()?.rsplit('/').next()
}

/// All letters, without those that this client publishes itself, and the end of them.
pub(super) fn filters(letters: String, end: String) -> [Filter; 2] {
    let mut letters = Filter::new(letters, QoS::AtLeastOnce);
    letters.nolocal = true;
    [letters, Filter::new(end, QoS::AtLeastOnce)]
}

impl Role for DeadLettersRole {
    fn client_id(&mut self) -> String {
        let Shared { topics, client_name, group, .. } = &*self.shared;
        self.name = Ulid::generate().to_string();
        self.end_topic = topics.end_of_dead_letters(group, &self.name);
        format!("{client_name}-{}", self.name)
    }

    fn prepare(&self, options: &mut MqttOptions) {
        options.set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
    }

    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure> {
        self.flight = Some(Arc::new(Flight::new(client.clone(), connack)));
        let letters = self.shared.topics.dead_letters(&self.shared.group);
        client
            .try_subscribe_many(filters(letters, self.end_topic.clone()))
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(flight) = &self.flight {
            flight.observe(&event)?;
        }
        match event {
            Event::Incoming(Packet::SubAck(suback)) => {
                subscribed::check(&suback, "the dead letters")?;
                if let Some(flight) = &self.flight {
                    let end = Bytes::from_static(END);
                    flight.publish_first(Publication::new(self.end_topic.clone(), end));
                }
            }
            Event::Incoming(Packet::Publish(publish)) => self.note(&publish),
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, failure: &Failure) {
        self.end(failure);
    }
}

impl Drop for DeadLettersRole {
    fn drop(&mut self) {
        self.end(&Failure::new("the dead letters are closed"));
    }
}
