//! Lets MQTT clients subscribe to the embedded broker.
//!
//! Every committed event is shown to the subscribers that are there, and nothing of it is kept for
//! those who are not: the queue is the outbox alone. What this program itself announces is retained.
//! Of what a client publishes nothing is taken, but for Home Assistant's birth and will.

mod retained;
mod rights;

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use collector::announcing::OwnListener;
use rmqtt::codec::types::Publish as Packet;
use rmqtt::context::ServerContext;
use rmqtt::hook::Type;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use rmqtt::types::{From as Sender, Id, QoS};
use shared::outbox::Stored;
use shared::secret::Secret;
use thiserror::Error;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use retained::Retained;
use rights::Rights;

/// The largest packet: an event and its topic.
const MAX_PACKET_BYTES: u32 = 1 << 20;
/// Subscribers at once; each costs a connection and a queue.
const MAX_CLIENTS: usize = 1_000;
/// Events that wait for a slow subscriber; beyond that it misses some.
const WAITING_EVENTS: usize = 10_000;
/// Unconfirmed events on their way to one subscriber.
const IN_FLIGHT: NonZeroU16 = NonZeroU16::MAX;
/// How long an event may wait for a slow subscriber.
const EVENT_EXPIRY: Duration = Duration::from_mins(5);
const NODE: u64 = 1;
const LISTENER: u16 = 1;
const SENDER: &str = "footman";

/// Why MQTT clients cannot subscribe.
#[derive(Debug, Error)]
#[error("the MQTT listener cannot use {address} (broker.embedded.mqttListener): {why}")]
pub struct MqttListenerError {
    address: SocketAddr,
    why: String,
}

/// A listener that has its address and does not answer yet.
pub struct MqttListener {
    address: SocketAddr,
    listener: rmqtt::net::Listener,
    /// By which it knows this program among its clients.
    password: Secret,
    /// What clients may publish.
    birth: Option<String>,
}

impl std::fmt::Debug for MqttListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MqttListener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl MqttListener {
    /// Takes the address; port 0 takes any. Clients may publish to the topic `birth` alone.
    pub fn bind(wanted: SocketAddr, birth: Option<String>) -> Result<Self, MqttListenerError> {
        let failed =
            |error: rmqtt::Error| MqttListenerError { address: wanted, why: error.to_string() };
        let listener = Builder::new()
            .name("mqtt")
            .laddr(wanted)
            .max_connections(MAX_CLIENTS)
            .max_packet_size(MAX_PACKET_BYTES)
            .max_inflight(IN_FLIGHT)
            .max_mqueue_len(WAITING_EVENTS)
            .mqueue_rate_limit(NonZeroU32::MAX, Duration::from_secs(1))
            .message_expiry_interval(EVENT_EXPIRY)
            .bind()
            .and_then(rmqtt::net::Listener::tcp)
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let password = format!("{:032x}", rand::random::<u128>());
        Ok(Self { address, listener, password: Secret::new(password), birth })
    }

    /// The address taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What this program connects with, to announce.
    pub fn own(&self) -> OwnListener {
        OwnListener { address: self.address, password: self.password.clone() }
    }

    /// Shows every event of the tap until shutdown.
    pub async fn run(
        self,
        mut events: Receiver<Stored>,
        shutdown: CancellationToken,
    ) -> rmqtt::Result<()> {
        let context = ServerContext::new().build().await;
        let hooks = context.extends.hook_mgr().register();
        let rights = Rights::new(self.password, self.birth);
        hooks.add(Type::MessagePublish, Box::new(rights.clone())).await;
        hooks.add(Type::MessagePublishCheckAcl, Box::new(rights)).await;
        hooks.start().await;
        *context.extends.retain_mut().await = Box::new(Retained::default());
        let server = MqttServer::new(context.clone()).listener(self.listener).build();
        let sender = Sender::from_system(Id::new(NODE, LISTENER, None, None, SENDER.into(), None));
        let show = async {
            loop {
                match events.recv().await {
                    Ok(event) => show(&context, &sender, event).await,
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!(
                            missed,
                            "MQTT subscribers missed events: they came too fast."
                        );
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = show => Ok(()),
            ended = server.run() => ended,
        }
    }
}

async fn show(context: &ServerContext, sender: &Sender, event: Stored) {
    let packet = Packet {
        dup: false,
        retain: false,
        qos: QoS::AtLeastOnce,
        topic: event.subject.as_topic().into(),
        packet_id: None,
        payload: event.payload,
        properties: None,
    };
    let shown = context.extends.shared().await.forwards(None, sender.clone(), packet.into()).await;
    if let Err((_, missed)) = shown {
        tracing::debug!(subscribers = missed.len(), "MQTT subscribers missed an event.");
    }
}
