//! The broker killed, away, full, and a client's name taken by another.

use std::time::Duration;

use integration_tests::patience::eventually;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, MqttOptions};

use crate::books::{Known, balance};
use crate::chance::rounds;
use crate::rig::{On, Rig, Server};
use crate::table::conclude;

/// How long a broker is away in the checks; longer by hand.
const AWAY: Duration = Duration::from_secs(3);
const LONG_AWAY: Duration = Duration::from_mins(1);
/// From this many rounds on a run is a long one.
const LONG_RUN: u64 = 20;
/// The slots of a group, unless configured otherwise.
const SLOTS: u16 = 4;
/// Connections that another client makes under a name of ours.
const TAKEOVERS: u64 = 3;

impl Rig {
    /// Kills the broker with SIGKILL.
    fn kill_broker(&mut self) {
        match &mut self.broker {
            Server::Embedded => {}
            Server::Nats(server) => server.kill(),
            Server::Mqtt(server) => server.kill(),
        }
    }

    async fn restart_broker(&mut self) {
        match &mut self.broker {
            Server::Embedded => {}
            Server::Nats(server) => server.restart().await,
            Server::Mqtt(server) => server.restart().await,
        }
    }
}

fn away() -> Duration {
    if rounds() >= LONG_RUN { LONG_AWAY } else { AWAY }
}

async fn settled(mut rig: Rig, fault: &str) {
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    conclude(&rig, fault, rounds(), &books).await;
}

/// What is not yet on the broker's disk when it is killed is a matter of chance. Over MQTT somebody
/// else subscribes to everything, as Home Assistant and recorders do: what reaches them alone is
/// confirmed all the same.
pub(crate) async fn killed(on: On) {
    let mut rig = Rig::start(on).await;
    let _another = match &rig.broker {
        Server::Mqtt(server) => Some(server.subscriber("#").await),
        Server::Embedded | Server::Nats(_) => None,
    };
    for _ in 0..rounds() {
        rig.flows().await;
        rig.kill_broker();
        rig.flows().await;
        rig.restart_broker().await;
        rig.is_ready().await;
    }
    settled(rig, "broker killed with SIGKILL").await;
}

pub(crate) async fn is_away(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        for joint in [&rig.collector_side, &rig.writer_side] {
            joint.refuse(true);
            joint.cut();
        }
        tokio::time::sleep(away()).await;
        for joint in [&rig.collector_side, &rig.writer_side] {
            joint.refuse(false);
        }
        rig.is_ready().await;
    }
    settled(rig, "broker away").await;
}

/// Nobody consumes until the stream takes nothing more; then events wait in the outbox.
pub(crate) async fn stream_full(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    let small = [("FOOTMAN__BROKER__NATS__MAX_BYTES", "1MiB")];
    rig.collector.start_with(&small).await;
    eventually("a full stream", || async {
        let why = rig.collector.missing("broker").await?;
        why.contains("full").then_some(())
    })
    .await;
    rig.flows().await;
    rig.writers[0].start_with(&small).await;
    rig.settle_with(&small).await;
    let books = balance(&rig, Known::default()).await;
    conclude(&rig, "stream full", 1, &books).await;
}

/// Loses events that it has confirmed, without writers that could have them: mosquitto is killed
/// before it writes them to its database, a nats-server gets an older disk. What it knows afterwards
/// is what it knew before.
pub(crate) async fn back_in_time(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        let old_disk = match &mut rig.broker {
            Server::Embedded => None,
            Server::Mqtt(server) => {
                server.save().await;
                None
            }
            Server::Nats(server) => {
                server.stop().await;
                let copy = server.copy_disk();
                server.restart().await;
                Some(copy)
            }
        };
        confirms_without_writers(&mut rig).await;
        rig.kill_broker();
        if let (Server::Nats(server), Some(old_disk)) = (&rig.broker, old_disk) {
            server.go_back_to(&old_disk);
        }
        rig.restart_broker().await;
        rig.writers[0].start().await;
        rig.is_ready().await;
    }
    settled(rig, "broker went back in time").await;
}

/// Everything that waits at the broker is gone, and with it all that the broker knew of us: its disk
/// was lost, or it was killed and keeps nothing.
pub(crate) async fn everything_lost(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        confirms_without_writers(&mut rig).await;
        rig.kill_broker();
        match &rig.broker {
            Server::Embedded => {}
            Server::Nats(server) => server.lose_everything(),
            Server::Mqtt(server) => server.lose_everything(),
        }
        rig.restart_broker().await;
        rig.writers[0].start().await;
        rig.is_ready().await;
    }
    settled(rig, "broker lost everything").await;
}

/// Kills the writer, and lets the broker confirm what it has then for nobody.
async fn confirms_without_writers(rig: &mut Rig) {
    rig.writers[0].kill();
    rig.flows().await;
    everything_is_confirmed(rig).await;
}

async fn everything_is_confirmed(rig: &Rig) {
    eventually("everything confirmed", || async {
        rig.collector.metric("collector_outbox_events").await.filter(|waiting| *waiting == 0.0)
    })
    .await;
}

/// mosquitto 2.0 forgets shared subscriptions when it restarts, until their sessions come back. With
/// another subscriber it confirms all the same what it keeps for nobody.
pub(crate) async fn forgets_subscriptions(on: On) {
    let mut rig = Rig::start(on).await;
    let Server::Mqtt(server) = &rig.broker else { return };
    let _another = server.subscriber("#").await;
    for _ in 0..rounds() {
        rig.flows().await;
        rig.writers[0].kill();
        let Server::Mqtt(server) = &rig.broker else { return };
        // Else it would not know that there are sessions, and collectors would wait for one.
        server.save().await;
        rig.kill_broker();
        rig.restart_broker().await;
        rig.flows().await;
        // By the other subscriber alone.
        everything_is_confirmed(&rig).await;
        rig.writers[0].start().await;
        rig.is_ready().await;
    }
    settled(rig, "broker forgets subscriptions, and another subscriber is there").await;
}

/// Somebody deletes the sessions of all slots, and with them everything that waits there.
pub(crate) async fn session_lost(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        confirms_without_writers(&mut rig).await;
        let Server::Mqtt(server) = &rig.broker else { return };
        for slot in 0..SLOTS {
            delete_session(&format!("qliksense-influxdb-slot-{slot}"), server.port()).await;
        }
        rig.writers[0].start().await;
        rig.is_ready().await;
    }
    settled(rig, "sessions deleted").await;
}

async fn delete_session(client_id: &str, port: u16) {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
    options.set_clean_start(true).set_session_expiry_interval(Some(0));
    let (_client, mut event_loop) = AsyncClient::new(options, 10);
    // The first event is the broker's answer: the old session is gone by then, and the new one ends
    // with this connection.
    event_loop.poll().await.unwrap();
}

/// Another client connects under the names of our clients, which drives ours off the broker.
pub(crate) async fn taken_over(on: On) {
    let mut rig = Rig::start(on).await;
    let Server::Mqtt(server) = &rig.broker else { return };
    let port = server.port();
    let collector = format!("qliksense-collector-{}", rig.collector.instance());
    for _ in 0..rounds() {
        for _ in 0..TAKEOVERS {
            connect_as(&collector, port).await;
        }
        for _ in 0..TAKEOVERS {
            let slot = rig.chance.number(0, 3);
            connect_as(&format!("qliksense-influxdb-slot-{slot}"), port).await;
        }
        rig.flows().await;
    }
    settled(rig, "another client takes our clients' ids").await;
}

/// Connects with a session that stays, says something, and is gone without a goodbye.
async fn connect_as(client_id: &str, port: u16) {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
    options.set_clean_start(false).set_session_expiry_interval(Some(3_600));
    options.set_max_packet_size(Some(1 << 20)).set_manual_acks(true);
    let (client, mut event_loop) = AsyncClient::new(options, 10);
    client.publish("somewhere/else", QoS::AtLeastOnce, false, "hello").await.unwrap();
    for _ in 0..4 {
        if event_loop.poll().await.is_err() {
            return;
        }
    }
}

crate::on! {
    nats:
        super::killed => broker_killed,
        super::is_away => broker_away,
        super::back_in_time => broker_goes_back_in_time,
        super::everything_lost => broker_loses_everything,
        super::stream_full => stream_is_full;
    mqtt:
        super::killed => broker_killed,
        super::is_away => broker_away,
        super::back_in_time => broker_goes_back_in_time,
        super::everything_lost => broker_loses_everything,
        super::forgets_subscriptions => broker_forgets_subscriptions,
        super::session_lost => sessions_are_lost,
        super::taken_over => clients_are_taken_over;
}
