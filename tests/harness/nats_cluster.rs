//! Three real nats-servers that keep streams together.

use async_nats::jetstream;
use async_nats::jetstream::stream::ClusterInfo;
use shared::config;

use crate::nats::NatsServer;
use crate::patience::eventually;
use crate::process::free_port;

const SERVERS: usize = 3;
const STREAM: &str = "QLIKSENSE";

/// A cluster; each server may be killed and started again.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// One of which no server is started yet.
    pub fn prepare() -> Self {
        let ports: Vec<u16> = (0..SERVERS).map(|_| free_port()).collect();
        let routes: Vec<String> =
            ports.iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        let servers = ports.iter().enumerate().map(|(index, port)| {
            NatsServer::prepare(&format!(
                "server_name: \"{}\"\ncluster {{ name: footman, listen: \"127.0.0.1:{port}\", \
                 routes: [{}] }}",
                name_of(index),
                routes.join(", ")
            ))
        });
        Self { servers: servers.collect() }
    }

    /// Starts all of them.
    pub async fn start() -> Self {
        let mut cluster = Self::prepare();
        cluster.restart_all().await;
        cluster
    }

    /// Starts those that are not running.
    pub async fn restart_all(&mut self) {
        for server in &mut self.servers {
            if server.process().is_none() {
                server.restart().await;
            }
        }
    }

    /// Whether any of them is running.
    pub fn is_running(&self) -> bool {
        self.servers.iter().any(|server| server.process().is_some())
    }

    /// Starts one (again) over the same data.
    pub async fn restart(&mut self, index: usize) {
        self.servers[index].restart().await;
    }

    /// Kills one at once; its data stay.
    pub fn kill(&mut self, index: usize) {
        self.servers[index].kill();
    }

    /// The section `broker.nats` for it: every server, and a stream that all of them keep.
    pub fn config(&self) -> config::Nats {
        let addresses = self.servers.iter().flat_map(|server| server.config().servers);
        config::Nats { servers: addresses.collect(), replicas: SERVERS, ..self.servers[0].config() }
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> async_nats::Client {
        let addresses: Vec<String> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        async_nats::connect(addresses).await.unwrap()
    }

    /// Waits until somebody leads the stream, and says who.
    pub async fn stream_leader(&self, client: &async_nats::Client) -> usize {
        leader("a leader of the stream", || async {
            jetstream::new(client.clone())
                .get_stream(STREAM)
                .await
                .ok()?
                .cached_info()
                .cluster
                .clone()
        })
        .await
    }

    /// Waits until somebody leads the consumer of a group, and says who.
    pub async fn consumer_leader(&self, client: &async_nats::Client, group: &str) -> usize {
        leader("a leader of the consumer", || async {
            let stream = jetstream::new(client.clone()).get_stream(STREAM).await.ok()?;
            stream.consumer_info(group).await.ok()?.cluster
        })
        .await
    }

    /// Waits until every server has all of the stream.
    pub async fn is_whole(&self, client: &async_nats::Client) {
        eventually("every replica to be current", || async {
            let stream = jetstream::new(client.clone()).get_stream(STREAM).await.ok()?;
            let cluster = stream.cached_info().cluster.clone()?;
            let is_current =
                cluster.replicas.iter().all(|replica| replica.current && !replica.offline);
            (cluster.replicas.len() == SERVERS - 1 && is_current).then_some(())
        })
        .await;
    }
}

fn name_of(index: usize) -> String {
    format!("server-{index}")
}

async fn leader<F>(what: &str, look: impl Fn() -> F) -> usize
where
    F: Future<Output = Option<ClusterInfo>>,
{
    eventually(what, || async {
        let leader = look().await?.leader?;
        (0..SERVERS).find(|index| name_of(*index) == leader)
    })
    .await
}
