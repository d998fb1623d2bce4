//! MQTT, over a real mosquitto.

use std::sync::Arc;

use async_trait::async_trait;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::patience::eventually;
use shared::broker::mqtt::{
    MqttConsumer, MqttCourier, MqttDeadLetters, MqttPublisher, MqttSettings,
};
use shared::broker::{Consumer, DeadLetters, Delivery, Outgoing, Publisher};
use shared::readiness::Readiness;

use super::{DEAD_LETTER_BYTES, event, replay, subject};
use crate::Broker;

const GROUP: &str = "influxdb";
const WINDOW: usize = 1_000;

/// A mosquitto whose group has joined once, so that events wait for it.
pub(crate) struct Mqtt {
    mosquitto: Mosquitto,
    publisher: MqttPublisher,
}

impl Mqtt {
    async fn over(mosquitto: Mosquitto) -> Self {
        let settings = settings(&mosquitto, "collector");
        let readiness = Readiness::default();
        let publisher = MqttPublisher::start(&settings, readiness.dependency("broker"));
        let mqtt = Self { mosquitto, publisher };
        let member = mqtt.consumer().await;
        eventually("the group to join", || async { readiness.report().ready.then_some(()) }).await;
        member.close().await.unwrap();
        mqtt
    }
}

fn settings(mosquitto: &Mosquitto, process: &str) -> MqttSettings {
    MqttSettings {
        topic_prefix: "qliksense".to_owned(),
        broker: mosquitto.settings(),
        process: process.to_owned(),
        instance: "test".to_owned(),
    }
}

#[async_trait]
impl Broker for Mqtt {
    async fn start() -> Self {
        Self::over(Mosquitto::start().await).await
    }

    async fn publish(&self, name: &str) {
        let event = event(name);
        let id = event.id().to_string();
        let outgoing = Outgoing { subject: subject(name), id, payload: event.numbered(1) };
        self.publisher.publish(outgoing).await.unwrap();
    }

    async fn consumer(&self) -> Box<dyn Consumer> {
        let settings = settings(&self.mosquitto, "writer");
        let dependency = Readiness::default().dependency("broker");
        Box::new(MqttConsumer::start(&settings, GROUP, WINDOW, dependency))
    }

    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        let settings = settings(&self.mosquitto, "writer");
        Arc::new(MqttDeadLetters::start(&settings, GROUP, DEAD_LETTER_BYTES))
    }

    async fn put_back(&self, delivery: &Delivery) {
        let courier = MqttCourier::start(&settings(&self.mosquitto, "letters"), GROUP);
        courier.publish(replay(delivery)).await.unwrap();
        courier.close().await;
    }

    async fn restarted(self) -> Option<Self> {
        let Self { mut mosquitto, publisher } = self;
        publisher.close().await;
        mosquitto.stop().await;
        mosquitto.restart().await;
        let settings = settings(&mosquitto, "collector");
        let readiness = Readiness::default();
        let publisher = MqttPublisher::start(&settings, readiness.dependency("broker"));
        eventually("the broker to be back", || async { readiness.report().ready.then_some(()) })
            .await;
        Some(Self { mosquitto, publisher })
    }
}
