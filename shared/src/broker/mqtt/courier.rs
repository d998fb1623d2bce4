//! Publishes what a command puts back: no status, no last will, nothing left at the broker.
//!
//! As strict as a program's publisher about who listens: a PUBACK says only that somebody does, so
//! nothing is published before every group has a slot. But nothing waits for that: it is an error,
//! for the person at the terminal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::sync::watch;
use ulid::Ulid;

use super::dead_letters::END;
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::flight::{Flight, MAX_IN_FLIGHT, Publication};
use super::link::{Link, Role};
use super::registry::Registry;
use super::topics::Topics;
use super::{MqttSettings, confirm, subscribed};
use crate::broker::{Outgoing, PublishError, Publisher};

/// How long a broker may take until it has said who listens, before a publish is given up.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Publishes for a command.
#[derive(Debug)]
pub struct MqttCourier {
    shared: Arc<Shared>,
    link: Link,
}

/// What the event loop's task and the callers have in common.
#[derive(Debug)]
struct Shared {
    topics: Topics,
    /// The first part of the client ids.
    client_name: String,
    /// Whose dead letters are put back.
    group: String,
    registry: Mutex<Registry>,
    /// The connection, once every slot is known; otherwise what is in the way.
    ready: watch::Sender<Result<Arc<Flight>, String>>,
}

impl MqttCourier {
    /// Starts to connect, and goes on for as long as it lives.
    pub fn start(settings: &MqttSettings, group: &str) -> Self {
        let MqttSettings { topic_prefix, broker, process, .. } = settings;
        let shared = Arc::new(Shared {
            topics: Topics::new(topic_prefix),
            client_name: format!("{topic_prefix}-{process}"),
            group: group.to_owned(),
            registry: Mutex::new(Registry::new(&broker.groups)),
            ready: watch::Sender::new(Err("not connected yet".to_owned())),
        });
        let role =
            CourierRole { shared: Arc::clone(&shared), end_topic: String::new(), flight: None };
        Self { shared, link: Link::start(Endpoint::new(broker), role) }
    }

    async fn ready(&self) -> Result<Arc<Flight>, PublishError> {
        let mut ready = self.shared.ready.subscribe();
        let waited = tokio::time::timeout(READY_TIMEOUT, ready.wait_for(Result::is_ok)).await;
        let found = match waited {
            Ok(Ok(ready)) => ready.clone(),
            Ok(Err(_)) | Err(_) => self.shared.ready.borrow().clone(),
        };
        found.map_err(|why| PublishError::Unavailable { why })
    }
}

#[async_trait]
impl Publisher for MqttCourier {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let flight = self.ready().await?;
        if let Some(group) = self.shared.registry().missing() {
            let why = format!(
                "no consumer of the group `{group}` has subscribed at the broker: start a writer"
            );
            return Err(PublishError::Unavailable { why });
        }
        let topic = outgoing.subject.as_topic().to_owned();
        let publication =
            Publication { topic, payload: outgoing.payload, retain: false, expiry_seconds: None };
        let answer = flight.publish(publication).await?;
        confirm::event(answer, outgoing.subject.as_topic())
    }

    async fn close(&self) {
        self.link.close().await;
    }
}

impl Shared {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The courier's side of the event loop.
struct CourierRole {
    shared: Arc<Shared>,
    end_topic: String,
    flight: Option<Arc<Flight>>,
}

impl CourierRole {
    fn note(&self, publish: &Publish) {
        if publish.topic == self.end_topic.as_bytes() {
            if let Some(flight) = &self.flight {
                let flight = Arc::clone(flight);
                self.shared.ready.send_modify(|ready| *ready = Ok(flight));
            }
            return;
        }
        let topic = String::from_utf8_lossy(&publish.topic);
        let Some((group, slot)) = self.shared.topics.slot_of(&topic) else { return };
        let expiry = publish.properties.as_ref().and_then(|p| p.message_expiry_interval);
        let expires_in = expiry.map(|seconds| Duration::from_secs(seconds.into()));
        self.shared.registry().note(group, slot, publish.payload.is_empty(), expires_in);
    }

    fn end(&mut self, failure: &Failure) {
        self.shared.ready.send_modify(|ready| *ready = Err(failure.why.clone()));
        if let Some(flight) = self.flight.take() {
            flight.fail(failure);
        }
    }
}

impl Role for CourierRole {
    fn client_id(&mut self) -> String {
        let Shared { topics, client_name, group, .. } = &*self.shared;
        // Unlike that of any program, running or not.
        let name = Ulid::generate().to_string();
        self.end_topic = topics.end_of_dead_letters(group, &name);
        format!("{client_name}-{name}")
    }

    fn prepare(&self, options: &mut MqttOptions) {
        options.set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
    }

    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure> {
        self.shared.registry().forget();
        self.flight = Some(Arc::new(Flight::new(client.clone(), connack)));
        let filters = [self.shared.topics.slots(), self.end_topic.clone()];
        client
            .try_subscribe_many(filters.map(|topic| Filter::new(topic, QoS::AtLeastOnce)))
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(flight) = &self.flight {
            flight.observe(&event)?;
        }
        match event {
            Event::Incoming(Packet::SubAck(suback)) => {
                subscribed::check(&suback, "the slots of the consumer groups")?;
                // It queues up behind everything that is retained.
                if let Some(flight) = &self.flight {
                    flight.publish_first(Publication {
                        topic: self.end_topic.clone(),
                        payload: Bytes::from_static(END),
                        retain: false,
                        expiry_seconds: None,
                    });
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

impl Drop for CourierRole {
    /// Nobody waits for a confirmation that can come no more.
    fn drop(&mut self) {
        self.end(&Failure::new("the connection is closed"));
    }
}
