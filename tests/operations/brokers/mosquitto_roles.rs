//! Every role of mosquitto against every topic: what it may publish and read, and what not.

use std::collections::BTreeSet;
use std::sync::Arc;

use integration_tests::patience::PATIENCE;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use shared::tls::client_config_of;

use super::shipped::Shipped;

const ROLES: [&str; 3] = ["collector", "writer", "subscriber"];
/// Larger than any event of a test.
const MAX_PACKET_BYTES: u32 = 1 << 20;
/// Which every role may read, and one may publish.
const FENCE: &str = "qliksense/v1/heartbeats/collector/fence";

/// A topic, and the roles that may publish and read it.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

const COLLECTOR: &[&str] = &["collector"];
const WRITER: &[&str] = &["writer"];
const SUBSCRIBER: &[&str] = &["subscriber"];
const READERS: &[&str] = &["writer", "subscriber"];
const NOBODY: &[&str] = &[];

const TOPICS: [Row; 24] = [
    ("qliksense/v1/health/sense1", COLLECTOR, READERS),
    ("qliksense/v1/sessions/sense1/default", COLLECTOR, READERS),
    ("qliksense/v1/app-names/sense1", COLLECTOR, READERS),
    ("qliksense/v1/failed-polls/sense1/health", COLLECTOR, READERS),
    ("qliksense/v1/heartbeats/collector/host", COLLECTOR, &ROLES),
    ("qliksense/v1/heartbeats/writer/host", WRITER, &ROLES),
    ("qliksense/v1/heartbeats/other/host", NOBODY, &ROLES),
    ("qliksense/v1/status/collector/host", COLLECTOR, SUBSCRIBER),
    ("qliksense/v1/status/footman/host", COLLECTOR, SUBSCRIBER),
    ("qliksense/v1/status/writer/host", WRITER, SUBSCRIBER),
    ("qliksense/v1/slots/influxdb/7", WRITER, &["collector", "writer"]),
    ("qliksense/v1/slots/influxdb/members/x", WRITER, &["collector", "writer"]),
    ("qliksense/v1/slots/other/0", NOBODY, &["collector", "writer"]),
    ("qliksense/v1/marks/host/outbox", COLLECTOR, COLLECTOR),
    ("qliksense/v1/dead-letters/influxdb/event", WRITER, WRITER),
    ("qliksense/v1/dead-letters/other/event", NOBODY, NOBODY),
    ("qliksense/v1/replay/health/sense1", WRITER, WRITER),
    ("qliksense/v1/state/sense1", COLLECTOR, &["collector", "subscriber"]),
    ("qliksense/v1/programs/writer/host", COLLECTOR, &["collector", "subscriber"]),
    ("homeassistant/device/sense1/config", COLLECTOR, SUBSCRIBER),
    ("homeassistant/status", &["collector", "subscriber"], &["collector", "subscriber"]),
    ("qliksense/v2/health/sense1", NOBODY, NOBODY),
    ("other/topic", NOBODY, NOBODY),
    ("$CONTROL/dynamic-security/v1", NOBODY, NOBODY),
];

/// A client of a role.
pub(crate) struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    /// Connects; an error is the broker's refusal.
    pub(crate) async fn connect(
        shipped: &Shipped,
        user: &str,
        password: &str,
    ) -> Result<Self, String> {
        let id = format!("test-{user}-{}", ulid::Ulid::generate());
        let mut options = MqttOptions::new(id, "localhost", shipped.tls_port);
        options.set_credentials(user, password).set_max_packet_size(Some(MAX_PACKET_BYTES));
        let tls = Arc::new(client_config_of(&shipped.tls()).unwrap());
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        let (client, mut events) = AsyncClient::new(options, 100);
        match events.poll().await {
            Ok(_connack) => Ok(Self { client, events }),
            Err(refused) => Err(refused.to_string()),
        }
    }

    pub(crate) async fn of(shipped: &Shipped, role: &str) -> Self {
        Self::connect(shipped, role, shipped.password(role).expose()).await.unwrap()
    }

    /// Publishes and leaves, and says whether the broker allowed it.
    pub(crate) async fn publish(mut self, topic: &str, payload: &str) -> bool {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_owned()).await.unwrap();
        let mut answered = None;
        let waiting = async {
            while answered.is_none() {
                let polled = self.events.poll().await;
                // mosquitto ends the connection behind a refusal.
                let unseen: Vec<Event> = self.events.state.events.iter().cloned().collect();
                answered = polled.iter().chain(&unseen).find_map(|event| match event {
                    Event::Incoming(Packet::PubAck(puback)) => Some(puback.reason),
                    _ => None,
                });
                assert!(polled.is_ok() || answered.is_some(), "{topic}: {polled:?}");
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("no answer came");
        answered != Some(PubAckReason::NotAuthorized)
    }

    /// Subscribes, and says whether the broker allowed it.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> bool {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        let answer = self.next(|packet| match packet {
            Packet::SubAck(suback) => suback.return_codes.into_iter().next(),
            _ => None,
        });
        matches!(answer.await, SubscribeReasonCode::Success(_))
    }

    /// Waits for the next message: its topic.
    pub(crate) async fn receive(&mut self) -> String {
        let message = self.next(|packet| match packet {
            Packet::Publish(publish) => Some(publish.topic),
            _ => None,
        });
        String::from_utf8(message.await.to_vec()).unwrap()
    }

    async fn next<T>(&mut self, wanted: impl Fn(Packet) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.unwrap()
                    && let Some(found) = wanted(packet)
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("no answer came")
    }
}

/// How a role subscribes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Everybody may subscribe to anything; what a role may not read does not come.
    Delivery,
    /// What a role may not read it may not subscribe to.
    Subscription,
}

/// What is not as the table says.
pub(crate) async fn surprises(shipped: &Shipped, rule: Rule) -> Vec<String> {
    let mut surprises = Vec::new();
    let mut readers = Vec::new();
    for role in ROLES {
        let mut reader = Client::of(shipped, role).await;
        match rule {
            Rule::Delivery => assert!(reader.subscribe("#").await),
            Rule::Subscription => {
                for (topic, _, roles) in TOPICS {
                    if topic.starts_with("qliksense/v1/health") && role == "writer" {
                        // Only together with the others of its group.
                        assert!(!reader.subscribe(topic).await);
                    }
                    let shared = format!("$share/influxdb/{topic}");
                    let is_event = is_event(topic);
                    let way = if role == "writer" && is_event { &shared } else { topic };
                    let may = reader.subscribe(way).await;
                    if may != roles.contains(&role) {
                        surprises.push(format!("{role} subscribes to {way}: {may}"));
                    }
                }
                reader.subscribe(FENCE).await;
            }
        }
        readers.push((role, reader));
    }
    let mut published = BTreeSet::new();
    for role in ROLES {
        for (topic, roles, _) in TOPICS {
            let may = Client::of(shipped, role).await.publish(topic, "test").await;
            if may != roles.contains(&role) {
                surprises.push(format!("{role} publishes on {topic}: {may}"));
            }
            if may {
                published.insert(topic);
            }
        }
    }
    // What was confirmed is on its way to each reader in this order, so what has not come before the fence does not come.
    assert!(Client::of(shipped, "collector").await.publish(FENCE, "fence").await);
    for (role, mut reader) in readers {
        if rule == Rule::Subscription && role == "writer" {
            // Its shared subscription does not cover the fence.
            continue;
        }
        let mut received = BTreeSet::new();
        loop {
            let topic = reader.receive().await;
            if topic == FENCE {
                break;
            }
            received.insert(topic);
        }
        for (topic, _, roles) in TOPICS.iter().filter(|(topic, ..)| published.contains(topic)) {
            let does = received.contains(*topic);
            if does != roles.contains(&role) {
                surprises.push(format!("{role} reads {topic}: {does}"));
            }
        }
    }
    surprises
}

/// Whether writers share it.
fn is_event(topic: &str) -> bool {
    let kind = topic.strip_prefix("qliksense/v1/").and_then(|rest| rest.split('/').next());
    let kinds = ["health", "sessions", "app-names", "failed-polls", "heartbeats", "replay"];
    kind.is_some_and(|kind| kinds.contains(&kind))
}
