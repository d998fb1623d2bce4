//! Hears what is published, over a connection and a clean session of its own: a plain subscription,
//! never a shared one, so that it takes nothing from the writers' slots.
//!
//! QoS 0: a broker keeps nothing for a listener that stands still, beyond what is on its way.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use ulid::Ulid;

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::link::{Link, Role};
use super::topics::Topics;
use super::{MqttSettings, subscribed};
use crate::broker::subscription::{Ear, Listening, Room, Subscription};
use crate::event::Kind;
use crate::readiness::Dependency;
use crate::subject::{Subject, Token};

/// Nobody waits for the audit's connection: a longer silence costs nothing.
const AUDIT_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Begins to hear the heartbeats of all programs, as a program.
pub(in crate::broker) fn heartbeats(settings: &MqttSettings) -> Subscription {
    let MqttSettings { topic_prefix, process, instance, .. } = settings;
    let client_id = format!("{topic_prefix}-{process}-{}-audit", Token::new(instance));
    let listener = Listener { keep_alive: Some(AUDIT_KEEP_ALIVE), dependency: None, client_id };
    listener.start(settings, &[Kind::Heartbeats], Room::HEARTBEATS)
}

/// Begins to hear events of these kinds, as a command that is nobody's other self at the broker. A
/// listener that stands still is dropped by the broker after one and a half of the usual keep-alive.
pub(in crate::broker) fn listen(
    settings: &MqttSettings,
    kinds: &[Kind],
    room: Room,
    dependency: Dependency,
) -> Subscription {
    let MqttSettings { topic_prefix, process, .. } = settings;
    let client_id = format!("{topic_prefix}-{process}-{}", Ulid::generate());
    let listener = Listener { keep_alive: None, dependency: Some(dependency), client_id };
    listener.start(settings, kinds, room)
}

#[async_trait]
impl Listening for Link {
    async fn close(&self) {
        let _was_read = Link::close(self).await;
    }
}

/// How somebody listens.
struct Listener {
    client_id: String,
    /// As for every client when none.
    keep_alive: Option<Duration>,
    /// Told how the connection stands.
    dependency: Option<Dependency>,
}

impl Listener {
    fn start(self, settings: &MqttSettings, kinds: &[Kind], room: Room) -> Subscription {
        let topics = Topics::new(&settings.topic_prefix);
        let filters = kinds.iter().map(|kind| (*kind, topics.all_of(*kind))).collect();
        let (ear, subscription) = Subscription::open(room);
        let role = ListenerRole { listener: self, filters, ear };
        subscription.kept_by(Link::start(Endpoint::new(&settings.broker), role))
    }
}

struct ListenerRole {
    listener: Listener,
    filters: Vec<(Kind, String)>,
    ear: Ear,
}

impl ListenerRole {
    fn subscribed(&self, suback: &SubAck) -> Result<(), Failure> {
        let answers = self.filters.iter().zip(&suback.return_codes);
        let refused = answers.filter(|(_, code)| **code == SubscribeReasonCode::NotAuthorized);
        let refused: BTreeSet<Kind> = refused.map(|((kind, _), _)| *kind).collect();
        let hears_some = refused.len() < self.filters.len();
        let told = if hears_some && !refused.is_empty() {
            Ok(())
        } else {
            let names: Vec<&str> = self.filters.iter().map(|(kind, _)| kind.name()).collect();
            subscribed::check(suback, &format!("the {}", names.join(", ")))
        };
        self.ear.may_not_hear(refused);
        told
    }

    fn heard(&self, publish: Publish) {
        // Topics are UTF-8, or the broker is none.
        if let Ok(topic) = String::from_utf8(publish.topic.to_vec()) {
            self.ear.hear(Subject::from_neutral(topic), publish.payload);
        }
    }
}

impl Role for ListenerRole {
    fn client_id(&mut self) -> String {
        self.listener.client_id.clone()
    }

    fn prepare(&self, options: &mut MqttOptions) {
        if let Some(keep_alive) = self.listener.keep_alive {
            options.set_keep_alive(keep_alive);
        }
    }

    fn connected(&mut self, client: &AsyncClient, _connack: &ConnAck) -> Result<(), Failure> {
        let filters = self.filters.iter();
        let filters: Vec<Filter> =
            filters.map(|(_, topic)| Filter::new(topic.clone(), QoS::AtMostOnce)).collect();
        client.try_subscribe_many(filters).map_err(|error| Failure::new(error.to_string()))
    }

    fn handle(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Incoming(Packet::SubAck(suback)) => {
                self.subscribed(&suback)?;
                if let Some(dependency) = &self.listener.dependency {
                    dependency.up();
                }
            }
            Event::Incoming(Packet::Publish(publish)) => self.heard(publish),
            _ => {}
        }
        Ok(())
    }

    fn lost(&mut self, failure: &Failure) {
        if let Some(dependency) = &self.listener.dependency {
            dependency.down(failure.why.clone());
        } else {
            tracing::debug!("Heartbeats are not heard: {}", failure.why);
        }
    }
}
