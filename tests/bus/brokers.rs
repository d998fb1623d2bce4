//! The brokers of the stories.

use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;

/// A broker that programs share.
pub(crate) trait SharedBroker: Sized {
    /// A broker that is not started yet.
    fn prepare() -> Self;

    /// Starts it (again) over what it kept.
    async fn restart(&mut self);

    /// Kills it.
    async fn fell(&mut self);

    /// The section `broker` for it.
    fn section(&self) -> String;
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
}

pub(crate) struct MqttBroker(Mosquitto);

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
}
