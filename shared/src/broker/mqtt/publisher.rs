//! Publishes events, as soon as every consumer group has a session that keeps them.
//!
//! Nothing is repeated here: what is not confirmed is an error, and the caller publishes it again
//! from the outbox. The broker says `online` for us, and `offline` when we are gone without a word.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, LastWill, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::flight::{Flight, MAX_IN_FLIGHT, Publication};
use super::link::{Link, Role};
use super::registry::Registry;
use super::report::Report;
use super::topics::Topics;
use super::{MqttSettings, confirm, subscribed};
use crate::broker::{Outgoing, PublishError, Publisher};
use crate::readiness::Dependency;
use crate::subject::Token;

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";
/// How long the broker may take to confirm that we are offline; the last will says it otherwise.
const OFFLINE_TIMEOUT: Duration = Duration::from_secs(2);

/// Publishes to an MQTT broker, with a confirmation for each event.
#[derive(Debug)]
pub struct MqttPublisher {
    shared: Arc<Shared>,
    link: Link,
}

/// What the event loop's task and the callers have in common.
#[derive(Debug)]
struct Shared {
    topics: Topics,
    status_topic: String,
    /// The connection, once its subscription stands.
    flight: Mutex<Option<Arc<Flight>>>,
    registry: Mutex<Registry>,
    report: Report,
    /// The broker took an event from us, and would not confirm it.
    unheard: AtomicBool,
}

impl MqttPublisher {
    /// Starts to connect, and goes on for as long as it lives; `dependency` says how that goes.
    pub fn start(settings: &MqttSettings, dependency: Dependency) -> Self {
        let MqttSettings { topic_prefix, broker, process, instance } = settings;
        let topics = Topics::new(topic_prefix);
        let shared = Arc::new(Shared {
            status_topic: topics.status(process, instance),
            topics,
            flight: Mutex::default(),
            registry: Mutex::new(Registry::new(&broker.groups)),
            report: Report::new(dependency, 1),
            unheard: AtomicBool::default(),
        });
        let role = PublisherRole {
            client_id: format!("{topic_prefix}-{process}-{}", Token::new(instance)),
            shared: Arc::clone(&shared),
            flight: None,
        };
        Self { shared, link: Link::start(Endpoint::new(broker), role) }
    }

    /// Says offline and leaves. Publishes on their way are confirmed first, or fail.
    pub async fn close(&self) {
        let flight = self.shared.flight().take();
        if let Some(flight) = flight {
            let said = flight.publish(self.shared.status(OFFLINE));
            if tokio::time::timeout(OFFLINE_TIMEOUT, said).await.is_err() {
                tracing::warn!(
                    "The broker did not take the status in time; the last will says it."
                );
            }
        }
        self.link.close().await;
    }
}

#[async_trait]
impl Publisher for MqttPublisher {
    async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let flight = self.shared.ready()?;
        let topic = outgoing.subject.as_topic().to_owned();
        let payload = outgoing.payload;
        let answer = flight.publish(Publication { topic, payload, retain: false }).await?;
        let confirmed = confirm::event(answer, outgoing.subject.as_topic());
        self.shared.heard(&confirmed);
        confirmed
    }
}

impl Shared {
    fn flight(&self) -> MutexGuard<'_, Option<Arc<Flight>>> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, status: &'static str) -> Publication {
        let topic = self.status_topic.clone();
        Publication { topic, payload: Bytes::from_static(status.as_bytes()), retain: true }
    }

    /// The connection, when events can be published on it.
    fn ready(&self) -> Result<Arc<Flight>, PublishError> {
        let unavailable = |why| PublishError::Unavailable { why };
        let flight = self.flight().clone().ok_or_else(|| {
            unavailable(self.report.why().unwrap_or_else(|| "not connected".to_owned()))
        })?;
        if let Some(why) = self.missing() {
            self.report.down(0, &why);
            return Err(unavailable(why));
        }
        Ok(flight)
    }

    fn missing(&self) -> Option<String> {
        self.registry().missing().map(|group| {
            format!(
                "no consumer of the group `{group}` has subscribed at the broker yet: start a \
                 writer; until then events wait in the outbox"
            )
        })
    }

    /// Reports what holds now, from a connection that stands.
    fn review(&self) {
        if self.flight().is_none() {
            return;
        }
        match self.missing() {
            Some(why) => self.report.down(0, &why),
            None => self.report.up(0),
        }
    }

    fn heard(&self, confirmed: &Result<(), PublishError>) {
        match confirmed {
            Err(PublishError::Unavailable { why }) => {
                // Once, however many topics it concerns.
                if !self.unheard.swap(true, Ordering::Relaxed) {
                    self.report.down(0, why);
                }
            }
            Err(PublishError::Refused { .. }) => {}
            Ok(()) => {
                if self.unheard.swap(false, Ordering::Relaxed) {
                    self.review();
                }
            }
        }
    }
}

/// The publisher's side of the event loop.
struct PublisherRole {
    client_id: String,
    shared: Arc<Shared>,
    flight: Option<Arc<Flight>>,
}

impl PublisherRole {
    fn note(&self, publish: &Publish) {
        let topic = String::from_utf8_lossy(&publish.topic);
        let Some((group, slot)) = self.shared.topics.slot_of(&topic) else { return };
        let expiry = publish.properties.as_ref().and_then(|p| p.message_expiry_interval);
        let expires_in = expiry.map(|seconds| Duration::from_secs(seconds.into()));
        self.shared.registry().note(group, slot, publish.payload.is_empty(), expires_in);
        self.shared.review();
    }

    fn end(&mut self, failure: &Failure) {
        self.shared.flight().take();
        self.shared.report.down(0, &failure.why);
        if let Some(flight) = self.flight.take() {
            flight.fail(failure);
        }
    }
}

impl Role for PublisherRole {
    fn client_id(&mut self) -> String {
        self.client_id.clone()
    }

    fn prepare(&self, options: &mut MqttOptions) {
        let topic = &self.shared.status_topic;
        let will = LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true, None);
        options.set_last_will(will).set_outgoing_inflight_upper_limit(MAX_IN_FLIGHT);
    }

    fn connected(&mut self, client: &AsyncClient, connack: &ConnAck) -> Result<(), Failure> {
        self.shared.registry().forget();
        self.flight = Some(Arc::new(Flight::new(client.clone(), connack)));
        client
            .try_subscribe(self.shared.topics.slots(), QoS::AtLeastOnce)
            .map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(flight) = &self.flight {
            flight.observe(&event)?;
        }
        match event {
            Event::Incoming(Packet::SubAck(suback)) => {
                subscribed::check(&suback, &self.shared.topics.slots())?;
                // Only now: until it was answered, the subscription held a packet id.
                if let Some(flight) = &self.flight {
                    flight.publish_first(self.shared.status(ONLINE));
                    *self.shared.flight() = Some(Arc::clone(flight));
                }
                self.shared.review();
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

impl Drop for PublisherRole {
    /// Nobody waits for a confirmation that can come no more.
    fn drop(&mut self) {
        self.end(&Failure::new("the publisher is closed"));
    }
}
