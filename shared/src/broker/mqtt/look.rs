//! A look at the broker for `footman doctor`: its limits, and what the programs retain there.
//!
//! It subscribes to retained records alone, shares no subscription, publishes nothing, and leaves
//! nothing behind. To know when the records have all come it subscribes once more, to what nobody
//! publishes: the answer to that comes behind them.

use std::collections::BTreeMap;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Filter, Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use tokio::time::timeout;
use ulid::Ulid;

use super::endpoint::Endpoint;
use super::failure::Failure;
use super::member_record::MemberRecord;
use super::slot_record::SlotRecord;
use super::topics::Topics;
use super::{MqttSettings, SlotOwner};

/// Two subscriptions and a goodbye.
const REQUESTS: usize = 10;
/// Records that are read: those of hundreds of slots, and more than that is not ours.
const MOST_RECORDS: usize = 10_000;
/// Where mosquitto and others retain what they are.
const VERSION_TOPIC: &str = "$SYS/broker/version";
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a broker has.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// What it calls itself, where it tells.
    pub version: Option<String>,
    /// What it allows a client.
    pub limits: Limits,
    /// The records of slots, by group and number.
    pub slots: BTreeMap<(String, u16), SlotRecord>,
    /// The writers that are there, by group.
    pub members: Vec<(String, SlotOwner)>,
    /// Programs that said that they are there, or not there any more.
    pub programs: Vec<(SlotOwner, bool)>,
    /// Marks of outboxes.
    pub marks: usize,
    /// What the access list does not let us read.
    pub forbidden: Vec<&'static str>,
}

/// What the broker said about itself when we connected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Unconfirmed publishes that it takes at once; 65,535 when it did not say.
    pub receive_maximum: Option<u16>,
    /// The largest packet that it takes, in bytes; none without a limit.
    pub max_packet_bytes: Option<u32>,
    /// The highest quality of service that it knows.
    pub max_qos: Option<u8>,
    /// Whether it retains messages.
    pub retains: bool,
    /// Whether it has shared subscriptions.
    pub shares: bool,
    /// How long it keeps a session, in seconds, when it does not keep to what is asked for.
    pub session_expiry: Option<u32>,
}

/// Connects, looks, and leaves within `patience`.
///
/// # Errors
/// Why there is nothing to see, in words without secrets.
pub async fn look(settings: &MqttSettings, patience: Duration) -> Result<Sight, String> {
    let endpoint = Endpoint::new(&settings.broker);
    let address = endpoint.address();
    match timeout(patience, see(settings, &endpoint)).await {
        Ok(seen) => seen.map_err(|failure| failure.why),
        Err(_elapsed) => Err(format!("{address} does not answer within {patience:?}")),
    }
}

async fn see(settings: &MqttSettings, endpoint: &Endpoint) -> Result<Sight, Failure> {
    let MqttSettings { topic_prefix, process, .. } = settings;
    let name = Ulid::generate().to_string();
    let options = endpoint.options(&format!("{topic_prefix}-{process}-{name}")).await?;
    let (client, event_loop) = AsyncClient::new(options, REQUESTS);
    let topics = Topics::new(topic_prefix);
    let mut looking = Looking {
        client,
        event_loop,
        address: endpoint.address(),
        end: topics.end_of_group(&name, process),
        asked: topics.looked_at(VERSION_TOPIC),
        topics,
        records: 0,
        sight: Sight::default(),
    };
    looking.records().await?;
    looking.leave().await;
    Ok(looking.sight)
}

struct Looking {
    client: AsyncClient,
    event_loop: EventLoop,
    address: String,
    /// What nobody publishes.
    end: String,
    /// What is looked at: the topic, and what it is.
    asked: [(String, &'static str); 4],
    topics: Topics,
    records: usize,
    sight: Sight,
}

impl Looking {
    async fn records(&mut self) -> Result<(), Failure> {
        let full = |_full| Failure::new("the queue to the broker is full");
        let mut answered = false;
        loop {
            match self.next().await? {
                Event::Incoming(Packet::ConnAck(connack)) => {
                    self.sight.limits = limits(&connack);
                    let filters = self.asked.iter();
                    let filters: Vec<Filter> = filters
                        .map(|(topic, _)| Filter::new(topic.clone(), QoS::AtMostOnce))
                        .collect();
                    self.client.try_subscribe_many(filters).map_err(full)?;
                }
                Event::Incoming(Packet::SubAck(suback)) if !answered => {
                    answered = true;
                    self.note_refusals(&suback);
                    self.client.try_subscribe(&self.end, QoS::AtMostOnce).map_err(full)?;
                }
                Event::Incoming(Packet::SubAck(_)) => return Ok(()),
                Event::Incoming(Packet::Publish(publish)) => self.note(&publish),
                _ => {}
            }
        }
    }

    fn note_refusals(&mut self, suback: &SubAck) {
        let answers = self.asked.iter().zip(&suback.return_codes);
        let refused = answers.filter(|(_, code)| !matches!(code, SubscribeReasonCode::Success(_)));
        self.sight.forbidden = refused.map(|((_, what), _)| *what).collect();
    }

    fn note(&mut self, publish: &Publish) {
        self.records += 1;
        let Ok(topic) = std::str::from_utf8(&publish.topic) else { return };
        if self.records > MOST_RECORDS || publish.payload.is_empty() {
            return;
        }
        if topic == VERSION_TOPIC {
            self.sight.version = Some(String::from_utf8_lossy(&publish.payload).into_owned());
        } else if let Some((group, number)) = self.topics.slot_of(topic) {
            if let Ok(record) = serde_json::from_slice(&publish.payload) {
                self.sight.slots.insert((group.to_owned(), number), record);
            }
        } else if let Some((group, _)) = self.topics.member_of(topic) {
            if let Ok(member) = serde_json::from_slice::<MemberRecord>(&publish.payload) {
                self.sight.members.push((group.to_owned(), member.who));
            }
        } else if let Some((process, instance)) = self.topics.program_of(topic) {
            let who = SlotOwner { process: process.to_owned(), instance: instance.to_owned() };
            self.sight.programs.push((who, publish.payload.as_ref() == b"online"));
        } else if self.topics.is_mark(topic) {
            self.sight.marks += 1;
        }
    }

    async fn next(&mut self) -> Result<Event, Failure> {
        self.event_loop.poll().await.map_err(|error| Failure::of(&self.address, &error))
    }

    /// With a goodbye the broker has nothing to log.
    async fn leave(&mut self) {
        if self.client.try_disconnect().is_err() {
            return;
        }
        let goodbye = async {
            while let Ok(event) = self.next().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    break;
                }
            }
        };
        let _late = timeout(GOODBYE, goodbye).await;
    }
}

fn limits(connack: &ConnAck) -> Limits {
    let said = connack.properties.as_ref();
    let is_on = |value: Option<u8>| value.is_none_or(|value| value != 0);
    Limits {
        receive_maximum: said.and_then(|said| said.receive_max),
        max_packet_bytes: said.and_then(|said| said.max_packet_size),
        max_qos: said.and_then(|said| said.max_qos),
        retains: is_on(said.and_then(|said| said.retain_available)),
        shares: is_on(said.and_then(|said| said.shared_subscription_available)),
        session_expiry: said.and_then(|said| said.session_expiry_interval),
    }
}
