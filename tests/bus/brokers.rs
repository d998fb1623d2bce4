//! The brokers of the stories.

use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;

/// A broker that programs share.
pub(crate) trait SharedBroker: Sized {
    /// Whether it takes messages of 5 MB, as it comes.
    const TAKES_HUGE: bool;

    /// A broker that is not started yet.
    fn prepare() -> Self;

    /// Starts it (again) over what it kept.
    async fn restart(&mut self);

    /// Kills it.
    async fn fell(&mut self);

    /// The section `broker` for it.
    fn section(&self) -> String;

    /// Publishes anything as somebody else; says whether the broker took it.
    async fn publish(&self, topic: &str, payload: &[u8]) -> bool;
}

pub(crate) struct NatsBroker(NatsServer);

impl NatsBroker {
    /// The section `broker` for a server.
    pub(crate) fn of(server: &NatsServer) -> String {
        format!(
            "  broker:\n    type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{}\"], maxBytes: \
             256MiB}}\n    deadLetters: {{maxBytes: 16MiB}}\n",
            server.port()
        )
    }
}

impl SharedBroker for NatsBroker {
    const TAKES_HUGE: bool = false;

    fn prepare() -> Self {
        Self(NatsServer::prepare(""))
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }

    async fn fell(&mut self) {
        self.0.kill();
    }

    fn section(&self) -> String {
        Self::of(&self.0)
    }

    async fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        // One connection for each: the server ends those that it dislikes.
        let jetstream = async_nats::jetstream::new(self.0.client().await);
        let payload = bytes::Bytes::copy_from_slice(payload);
        match jetstream.publish(topic.replace('/', "."), payload).await {
            Ok(confirmation) => confirmation.await.is_ok(),
            Err(_refused) => false,
        }
    }
}

pub(crate) struct MqttBroker(pub(crate) Mosquitto);

impl MqttBroker {
    /// The section `broker` for a server.
    pub(crate) fn of(server: &Mosquitto) -> String {
        format!(
            "  broker:\n    type: mqtt\n    mqtt: {{url: \"mqtt://127.0.0.1:{}\"}}\n",
            server.port()
        )
    }
}

impl SharedBroker for MqttBroker {
    const TAKES_HUGE: bool = true;

    fn prepare() -> Self {
        Self(Mosquitto::prepare(|_directory| String::new()))
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }

    /// Everything that it confirmed since its last snapshot is gone; here there never was one.
    async fn fell(&mut self) {
        self.0.kill();
    }

    fn section(&self) -> String {
        Self::of(&self.0)
    }

    async fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        self.0.publish(topic, payload, &[])
    }
}
