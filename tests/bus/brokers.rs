//! The brokers of the stories.

use futures::TryStreamExt as _;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::nats_cluster::NatsCluster;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

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

    /// Publishes anything as somebody else; says whether the broker took it.
    async fn publish(&self, topic: &str, payload: &[u8]) -> bool;

    /// What taps have left: consumers or sessions that are not those of the group `influxdb`.
    async fn left_by_taps(&self) -> Vec<String>;
}

pub(crate) struct NatsBroker(NatsServer);

impl NatsBroker {
    /// One that takes messages of 8 MB.
    pub(crate) fn roomy() -> Self {
        Self(NatsServer::prepare("max_payload: 8MB"))
    }

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

    async fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        // One connection for each: the server ends those that it dislikes.
        publish_to(self.0.client().await, topic, payload).await
    }

    async fn left_by_taps(&self) -> Vec<String> {
        other_consumers(self.0.client().await).await
    }
}

/// Consumers of the streams, other than the group's.
async fn other_consumers(client: async_nats::Client) -> Vec<String> {
    let jetstream = async_nats::jetstream::new(client);
    let streams: Vec<String> = jetstream.stream_names().try_collect().await.unwrap();
    let mut others = Vec::new();
    for name in streams {
        let stream = jetstream.get_stream(&name).await.unwrap();
        let consumers: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
        others.extend(consumers.into_iter().filter(|name| name != "influxdb"));
    }
    others
}

async fn publish_to(client: async_nats::Client, topic: &str, payload: &[u8]) -> bool {
    let jetstream = async_nats::jetstream::new(client);
    let payload = bytes::Bytes::copy_from_slice(payload);
    match jetstream.publish(topic.replace('/', "."), payload).await {
        Ok(confirmation) => confirmation.await.is_ok(),
        Err(_refused) => false,
    }
}

pub(crate) struct ClusterBroker(NatsCluster);

impl SharedBroker for ClusterBroker {
    fn prepare() -> Self {
        Self(NatsCluster::prepare())
    }

    async fn restart(&mut self) {
        let is_first = !self.0.is_running();
        self.0.restart_all().await;
        if !is_first {
            // Another one may be killed next.
            self.0.is_whole(&self.0.client().await).await;
        }
    }

    /// Kills the server that leads the stream: the others go on.
    async fn fell(&mut self) {
        let leader = self.0.stream_leader(&self.0.client().await).await;
        self.0.kill(leader);
    }

    fn section(&self) -> String {
        let servers = self.0.config().servers;
        let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
        format!(
            "  broker:\n    type: nats\n    nats: {{servers: [{}], replicas: 3, maxBytes: 256MiB}}\n",
            servers.join(", ")
        )
    }

    async fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        publish_to(self.0.client().await, topic, payload).await
    }

    async fn left_by_taps(&self) -> Vec<String> {
        other_consumers(self.0.client().await).await
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

    async fn left_by_taps(&self) -> Vec<String> {
        let mut left = Vec::new();
        for id in self.0.clients_like("footman-tap") {
            // Whoever comes back with the same id finds the session, if there is one.
            let mut options = MqttOptions::new(&id, "127.0.0.1", self.0.port());
            options.set_clean_start(false);
            let (_client, mut events) = AsyncClient::new(options, 1);
            let answer = events.poll().await.unwrap();
            let Event::Incoming(Packet::ConnAck(connack)) = &answer else {
                unreachable!("the first answer is another one: {answer:?}")
            };
            if connack.session_present {
                left.push(id);
            }
        }
        left
    }
}
