//! The broker of a phase: a new one each time, with a backlog.

use integration_tests::backlog::{self, Made};
use integration_tests::made_up::Mix;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::process::Process;
use integration_tests::programs::House;

use super::arguments::On;
use super::config::{FOLDER, room};

/// Sessions of a group over MQTT, as shipped.
pub(crate) const SLOTS: usize = 4;

/// A broker.
#[derive(Debug)]
pub(crate) enum Bus {
    Nats(NatsServer),
    Mqtt(Mosquitto),
    Embedded,
}

impl Bus {
    /// Starts one.
    pub(crate) async fn start(on: On) -> Self {
        match on {
            On::Nats => Self::Nats(NatsServer::start().await),
            On::Mqtt => Self::Mqtt(Mosquitto::start_quiet().await),
            On::Embedded => Self::Embedded,
        }
    }

    /// The section `broker` for it.
    pub(crate) fn section(&self, events: u64) -> String {
        let room = room(events);
        match self {
            Self::Nats(server) => format!(
                "type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{}\"], maxBytes: {room}}}",
                server.port()
            ),
            Self::Mqtt(server) => format!(
                "type: mqtt\n    mqtt: {{url: \"mqtt://127.0.0.1:{}\", consumerSlots: {SLOTS}}}",
                server.port()
            ),
            Self::Embedded => {
                format!("embedded: {{directory: \"{FOLDER}/queue\", maxBytes: {room}}}")
            }
        }
    }

    /// Its process; none when it is part of the program.
    pub(crate) fn id(&self) -> Option<u32> {
        match self {
            Self::Nats(server) => server.process().map(Process::id),
            Self::Mqtt(server) => server.process().map(Process::id),
            Self::Embedded => None,
        }
    }

    /// Lets a writer make what it needs there, a stream or sessions, and leave.
    pub(crate) async fn prepare(&self, house: &House) {
        if matches!(self, Self::Embedded) {
            return;
        }
        let mut writer = house.writer("first");
        writer.start().await;
        if let Self::Mqtt(server) = self {
            eventually("the sessions of all slots", || async {
                let name = |slot| format!("qliksense-influxdb-slot-{slot}");
                (0..SLOTS).all(|slot| server.connections_of(&name(slot)) > 0).then_some(())
            })
            .await;
        }
        writer.ready().await;
        writer.process().terminate().await;
    }

    /// Makes the backlog, of which nobody takes anything yet.
    pub(crate) async fn fill(&self, house: &House, mix: Mix, events: u64) -> Made {
        let room = room(events);
        match self {
            Self::Nats(server) => backlog::publish_to_nats(server, room, mix, events).await,
            Self::Mqtt(server) => backlog::publish_to_mqtt(server, mix, events).await,
            Self::Embedded => {
                backlog::append(&house.directory().join("queue"), room, mix, events).await
            }
        }
    }
}
