//! NATS with JetStream, over a real nats-server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use shared::broker::nats::{Nats as Connection, NatsSettings, Timing};
use shared::broker::{Consumer, DeadLetters, Delivery, Outgoing};
use shared::readiness::Readiness;

use super::{DEAD_LETTER_BYTES, event, replay, subject};
use crate::Broker;

/// Short, so that what was not acked comes back while the suite waits.
const ACK_WAIT: Duration = Duration::from_secs(2);
const GROUP: &str = "influxdb";

/// A nats-server and a connection to it.
pub(crate) struct Nats {
    server: NatsServer,
    connection: Connection,
}

impl Nats {
    async fn over(server: NatsServer) -> Self {
        let progress_every = ACK_WAIT / 4;
        let settings = NatsSettings {
            name: "contract".to_owned(),
            topic_prefix: "qliksense".to_owned(),
            dead_letters_max_bytes: DEAD_LETTER_BYTES,
            timing: Timing { ack_wait: ACK_WAIT, progress_every, ..Timing::default() },
        };
        let readiness = Readiness::default();
        let dependency = readiness.dependency("broker");
        let connection =
            Connection::connect(&server.config(), &settings, dependency).await.unwrap();
        eventually("the broker to be ready", || async { readiness.report().ready.then_some(()) })
            .await;
        Self { server, connection }
    }
}

#[async_trait]
impl Broker for Nats {
    async fn start() -> Self {
        Self::over(NatsServer::start().await).await
    }

    async fn publish(&self, name: &str) {
        let event = event(name);
        let id = event.id().to_string();
        let outgoing = Outgoing { subject: subject(name), id, payload: event.numbered(1) };
        self.connection.publisher().publish(outgoing).await.unwrap();
    }

    async fn consumer(&self) -> Box<dyn Consumer> {
        self.connection.consumer(GROUP)
    }

    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        self.connection.dead_letters(GROUP)
    }

    async fn put_back(&self, delivery: &Delivery) {
        self.connection.publisher().publish(replay(delivery)).await.unwrap();
    }

    async fn restarted(self) -> Option<Self> {
        let Self { mut server, connection } = self;
        drop(connection);
        server.stop().await;
        server.restart().await;
        Some(Self::over(server).await)
    }
}
