//! rumqttc alone: persistent sessions that share the subscriptions of a group, manual acks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use integration_tests::backlog;
use integration_tests::made_up::Mix;
use integration_tests::mosquitto::Mosquitto;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing};
use shared::event::Kind;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Consumed;
use crate::writer::figures::Watched;

/// Longer than a bench.
const SESSION_SECONDS: u32 = 86_400;
const KEEP_ALIVE: Duration = Duration::from_mins(1);
/// As large as an event with its envelope may be, and more.
const MAX_PACKET_BYTES: u32 = 2 << 20;
/// More than any backlog's acks that may wait for the connection, so that none waits for room: with
/// as many as there are packet ids it happened.
const REQUESTS: usize = 1 << 20;

/// Makes the backlog in so many sessions, and consumes it over as many connections.
pub(super) async fn consume(
    server: &Mosquitto,
    mix: Mix,
    events: u64,
    connections: usize,
    watched: &Watched,
) -> Consumed {
    for session in 0..connections {
        subscribe(connect(server, session)).await;
    }
    backlog::publish_to_sessions(server, mix, events).await;
    let (left, done) = (Arc::new(AtomicU64::new(events)), Arc::new(Notify::new()));
    let (begun, before) = (Instant::now(), watched.used());
    let mut consuming = JoinSet::new();
    for session in 0..connections {
        let acking = ack_all(connect(server, session), Arc::clone(&left), Arc::clone(&done));
        consuming.spawn(acking);
    }
    tokio::select! {
        () = done.notified() => {}
        Some(ended) = consuming.join_next() => ended.unwrap(),
    }
    Consumed { took: begun.elapsed(), used: watched.used().since(before) }
}

fn connect(server: &Mosquitto, session: usize) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(format!("bare-{session}"), "127.0.0.1", server.port());
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_SECONDS))
        .set_receive_maximum(Some(u16::MAX))
        .set_max_packet_size(Some(MAX_PACKET_BYTES))
        .set_manual_acks(true);
    AsyncClient::new(options, REQUESTS)
}

/// Leaves a session that keeps what is published.
async fn subscribe((client, mut connection): (AsyncClient, EventLoop)) {
    let topic = |kind: Kind| format!("$share/bare/qliksense/v1/{}/#", kind.name());
    let filters = Kind::ALL.map(|kind| Filter::new(topic(kind), QoS::AtLeastOnce));
    client.subscribe_many(filters).await.unwrap();
    loop {
        match connection.poll().await.unwrap() {
            Event::Incoming(Packet::SubAck(_)) => client.disconnect().await.unwrap(),
            Event::Outgoing(Outgoing::Disconnect) => return,
            _ => {}
        }
    }
}

/// Acks each message as it comes, until all connections together have.
async fn ack_all(
    (client, mut connection): (AsyncClient, EventLoop),
    left: Arc<AtomicU64>,
    done: Arc<Notify>,
) {
    loop {
        match connection.poll().await.unwrap() {
            Event::Incoming(Packet::Publish(message)) => client.try_ack(&message).unwrap(),
            Event::Outgoing(Outgoing::PubAck(_)) if left.fetch_sub(1, Ordering::Relaxed) == 1 => {
                done.notify_one();
            }
            _ => {}
        }
    }
}
