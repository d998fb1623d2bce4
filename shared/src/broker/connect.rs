//! From the configuration to the drivers: which broker, for which role.
//!
//! Nothing here waits for a broker: every driver connects by itself, and again.

use std::sync::Arc;

use super::mqtt::{self, MqttConsumer, MqttCourier, MqttDeadLetters, MqttPublisher, MqttSettings};
use super::nats::{ConnectError, Nats, NatsSettings, Timing};
use super::{Consumer, DeadLetters, Publisher, Room, Subscription};
use crate::config::{self, Transport};
use crate::event::Kind;
use crate::outbox::Outbox;
use crate::readiness::Readiness;

/// A broker of its own, between programs; the embedded one is none.
#[derive(Clone, Debug)]
pub struct Broker {
    driver: Driver,
    dead_letters_max_bytes: u64,
}

#[derive(Clone, Debug)]
enum Driver {
    Nats(Nats),
    Mqtt { settings: Box<MqttSettings>, readiness: Readiness },
}

/// The dependencies that the drivers report.
const BROKER: &str = "broker";
const CONSUMER: &str = "consumer";

impl Broker {
    /// Begins to connect as a program; none with the embedded broker.
    ///
    /// # Errors
    /// Files or addresses that no broker can make up for.
    pub async fn connect(
        config: &config::Broker,
        process: &str,
        instance: &str,
        readiness: &Readiness,
    ) -> Result<Option<Self>, ConnectError> {
        let dead_letters_max_bytes = config.dead_letters_max_bytes;
        let driver = match &config.transport {
            Transport::Embedded(_) => return Ok(None),
            Transport::Nats(nats) => {
                let settings = nats_settings(config, format!("{process} {instance}"));
                Driver::Nats(Nats::connect(nats, &settings, readiness.dependency(BROKER)).await?)
            }
            Transport::Mqtt(mqtt) => Driver::Mqtt {
                settings: Box::new(mqtt_settings(config, mqtt, process, instance)),
                readiness: readiness.clone(),
            },
        };
        Ok(Some(Self { driver, dead_letters_max_bytes }))
    }

    /// Begins to connect as a command that looks at the dead letters and leaves: it makes nothing at
    /// the broker and is nobody's other self there. None with the embedded broker.
    ///
    /// # Errors
    /// Files or addresses that no broker can make up for.
    pub async fn visit(
        config: &config::Broker,
        command: &str,
        readiness: &Readiness,
    ) -> Result<Option<Self>, ConnectError> {
        let dead_letters_max_bytes = config.dead_letters_max_bytes;
        let driver = match &config.transport {
            Transport::Embedded(_) => return Ok(None),
            Transport::Nats(nats) => {
                let settings = nats_settings(config, command.to_owned());
                Driver::Nats(Nats::visit(nats, &settings, readiness.dependency(BROKER)).await?)
            }
            Transport::Mqtt(mqtt) => Driver::Mqtt {
                settings: Box::new(mqtt_settings(config, mqtt, command, "")),
                readiness: readiness.clone(),
            },
        };
        Ok(Some(Self { driver, dead_letters_max_bytes }))
    }

    /// Begins to hear the events of these kinds, as a command that takes nothing from anybody and
    /// leaves nothing at the broker; `readiness` says whether it is connected. None with the
    /// embedded broker.
    ///
    /// # Errors
    /// Files or addresses that no broker can make up for.
    pub async fn listen(
        config: &config::Broker,
        command: &str,
        kinds: &[Kind],
        room: Room,
        readiness: &Readiness,
    ) -> Result<Option<Subscription>, ConnectError> {
        let dependency = || readiness.dependency(BROKER);
        Ok(match &config.transport {
            Transport::Embedded(_) => None,
            Transport::Nats(nats) => {
                let settings = nats_settings(config, command.to_owned());
                let nats = Nats::listen(nats, &settings, dependency()).await?;
                Some(nats.subscribe(kinds, room))
            }
            Transport::Mqtt(mqtt) => {
                let settings = mqtt_settings(config, mqtt, command, "");
                Some(mqtt::subscription::listen(&settings, kinds, room, dependency()))
            }
        })
    }

    /// Publishes for a command what it puts back from the dead letters of a consumer group.
    pub fn courier(&self, group: &str) -> Arc<dyn Publisher> {
        match &self.driver {
            Driver::Nats(nats) => nats.publisher(),
            Driver::Mqtt { settings, .. } => Arc::new(MqttCourier::start(settings, group)),
        }
    }

    /// Publishes as this program.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        match &self.driver {
            Driver::Nats(nats) => nats.publisher(),
            Driver::Mqtt { settings, readiness } => {
                Arc::new(MqttPublisher::start(settings, readiness.dependency(BROKER)))
            }
        }
    }

    /// Publishes what an outbox holds, and finds out what the broker has forgotten of it.
    pub fn publisher_for(&self, outbox: &Outbox) -> Arc<dyn Publisher> {
        match &self.driver {
            Driver::Nats(nats) => nats.publisher_for(outbox.remembered_broker()),
            Driver::Mqtt { settings, readiness } => {
                let dependency = readiness.dependency(BROKER);
                Arc::new(MqttPublisher::start_for(settings, outbox.identity(), dependency))
            }
        }
    }

    /// Joins a consumer group; `window` is how many deliveries the caller holds at most.
    pub fn consumer(&self, group: &str, window: usize) -> Box<dyn Consumer> {
        match &self.driver {
            Driver::Nats(nats) => nats.consumer(group),
            Driver::Mqtt { settings, readiness } => {
                let dependency = readiness.dependency(CONSUMER);
                Box::new(MqttConsumer::start(settings, group, window, dependency))
            }
        }
    }

    /// Hears the heartbeats of all programs.
    pub fn heartbeats(&self) -> Subscription {
        match &self.driver {
            Driver::Nats(nats) => nats.heartbeats(),
            Driver::Mqtt { settings, .. } => mqtt::subscription::heartbeats(settings),
        }
    }

    /// Through how many queues the events of a consumer group come.
    pub fn lanes(&self) -> u16 {
        match &self.driver {
            Driver::Nats(_) => 1,
            Driver::Mqtt { settings, .. } => settings.broker.consumer_slots.max(1),
        }
    }

    /// The dead letters of a consumer group.
    pub fn dead_letters(&self, group: &str) -> Arc<dyn DeadLetters> {
        match &self.driver {
            Driver::Nats(nats) => nats.dead_letters(group),
            Driver::Mqtt { settings, .. } => {
                Arc::new(MqttDeadLetters::start(settings, group, self.dead_letters_max_bytes))
            }
        }
    }
}

fn nats_settings(config: &config::Broker, name: String) -> NatsSettings {
    NatsSettings {
        name,
        topic_prefix: config.topic_prefix.clone(),
        dead_letters_max_bytes: config.dead_letters_max_bytes,
        timing: Timing::default(),
    }
}

fn mqtt_settings(
    config: &config::Broker,
    mqtt: &config::Mqtt,
    process: &str,
    instance: &str,
) -> MqttSettings {
    MqttSettings {
        topic_prefix: config.topic_prefix.clone(),
        broker: mqtt.clone(),
        process: process.to_owned(),
        instance: instance.to_owned(),
    }
}
