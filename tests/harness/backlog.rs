//! Makes backlogs of made-up events, by way of the drivers: at a broker, or in an outbox.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use shared::broker::Publisher;
use shared::broker::mqtt::{MqttPublisher, MqttSettings};
use shared::broker::nats::{Nats, NatsSettings, Timing};
use shared::config;
use shared::outbox::{Outbox, OutboxSettings};
use shared::readiness::Readiness;
use tokio::time::Instant;

use crate::made_up::{MadeUp, Mix, Times};
use crate::mosquitto::Mosquitto;
use crate::nats::NatsServer;
use crate::patience::eventually;

/// What a queue may take, in MiB.
///
/// No more than the backlog needs: a nats-server refuses a stream that may become larger than three
/// quarters of what its disk has free.
#[derive(Clone, Copy, Debug)]
pub struct Room(pub u64);

impl Room {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0 << 20
    }
}

/// As configurations have it.
impl fmt::Display for Room {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}MiB", self.0)
    }
}
/// As configurations have it that say nothing about it.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);
const DEAD_LETTERS: u64 = 256 << 20;
const PREFIX: &str = "qliksense";
/// Events on their way to the broker at once.
const IN_FLIGHT: usize = 256;
/// Events in one commit.
const AT_ONCE: u64 = 500;
const AGAIN: Duration = Duration::from_millis(100);
/// A writer makes what is missing at the broker within seconds.
const TRIES: u32 = 300;

/// A backlog that was made.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Its events.
    pub events: u64,
    /// The bytes of their payloads.
    pub bytes: usize,
    /// How long it took.
    pub took: Duration,
    /// When its events were.
    pub times: Times,
}

/// Publishes to NATS, as soon as the stream is there.
pub async fn publish_to_nats(server: &NatsServer, room: Room, mix: Mix, events: u64) -> Made {
    let settings = NatsSettings {
        name: "backlog".to_owned(),
        topic_prefix: PREFIX.to_owned(),
        dead_letters_max_bytes: DEAD_LETTERS,
        timing: Timing::default(),
    };
    let mut config = server.config();
    (config.max_bytes, config.max_age) = (room.bytes(), MAX_AGE);
    let dependency = Readiness::default().dependency("broker");
    let nats = Nats::connect(&config, &settings, dependency).await.unwrap();
    publish(&*nats.publisher(), mix, events).await
}

/// Publishes over MQTT, as soon as a writer has subscribed.
pub async fn publish_to_mqtt(server: &Mosquitto, mix: Mix, events: u64) -> Made {
    publish_as(server.settings(), mix, events).await
}

/// Publishes over MQTT to sessions that are there, although no writer has any.
pub async fn publish_to_sessions(server: &Mosquitto, mix: Mix, events: u64) -> Made {
    publish_as(config::Mqtt { groups: vec![], ..server.settings() }, mix, events).await
}

async fn publish_as(broker: config::Mqtt, mix: Mix, events: u64) -> Made {
    let settings = MqttSettings {
        topic_prefix: PREFIX.to_owned(),
        broker,
        process: "backlog".to_owned(),
        instance: "backlog".to_owned(),
    };
    let dependency = Readiness::default().dependency("broker");
    let publisher = MqttPublisher::start(&settings, dependency);
    let made = publish(&publisher, mix, events).await;
    publisher.close().await;
    made
}

async fn publish(publisher: &dyn Publisher, mix: Mix, events: u64) -> Made {
    let mut made_up = MadeUp::new(mix, events);
    let (times, started) = (made_up.times(), Instant::now());
    let mut bytes = 0;
    futures::stream::iter(0..events)
        .map(|_| {
            let outgoing = made_up.outgoing();
            bytes += outgoing.payload.len();
            async move {
                let mut tries = 1;
                while let Err(error) = publisher.publish(outgoing.clone()).await {
                    assert!(tries < TRIES, "{error}");
                    tries += 1;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .for_each(|()| std::future::ready(()))
        .await;
    Made { events, bytes, took: started.elapsed(), times }
}

/// Fills an outbox, or the queue of the embedded broker.
pub async fn append(directory: &Path, room: Room, mix: Mix, events: u64) -> Made {
    let settings = OutboxSettings {
        directory: directory.to_owned(),
        max_bytes: room.bytes(),
        max_age: None,
        keep_settled: Duration::ZERO,
    };
    let outbox = Outbox::open(&settings).unwrap();
    let mut made_up = MadeUp::new(mix, events);
    let (times, started) = (made_up.times(), Instant::now());
    let (mut appended, mut bytes) = (0, 0);
    while appended < events {
        let entries: Vec<_> =
            (0..AT_ONCE.min(events - appended)).map(|_| made_up.entry()).collect();
        appended += entries.len() as u64;
        bytes += entries.iter().map(|entry| entry.event.size()).sum::<usize>();
        outbox.append(entries, None).await.unwrap();
    }
    outbox.flush().await;
    drop(outbox);
    // Its lock is free once the committer has noticed that nobody is left.
    eventually("the outbox to be closed", || async {
        std::fs::File::open(directory.join("lock")).ok()?.try_lock().ok()
    })
    .await;
    Made { events, bytes, took: started.elapsed(), times }
}
