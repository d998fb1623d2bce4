//! Everything that is between the site and InfluxDB, with a place for a fault at every joint.
//!
//! ```text
//! site ── collector ── proxy ── broker ── proxy ── writers ── proxy ── door ── influxd
//! ```

use std::time::Duration;

use integration_tests::fault_proxy::FaultProxy;
use integration_tests::influxd::Influxd;
use integration_tests::influxdb_door::InfluxDbDoor;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{PATIENCE, eventually};
use integration_tests::programs::{House, Running};
use simulator::{ButlerSosOptions, Site, SiteConfig};
use tokio::time::Instant;

use crate::chance::Chance;

pub(crate) const DATABASE: &str = "senseops";
/// Time between two polls of an endpoint: short, so that many are under way at any moment.
pub(crate) const INTERVAL: Duration = Duration::from_millis(400);
const SERVERS: usize = 3;

/// The broker of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(non_camel_case_types, reason = "they name the tests' modules too")]
pub(crate) enum On {
    embedded,
    nats,
    mqtt,
}

/// A real server, where the broker is one.
pub(crate) enum Server {
    Embedded,
    Nats(NatsServer),
    Mqtt(Mosquitto),
}

pub(crate) struct Rig {
    pub(crate) on: On,
    started: Instant,
    pub(crate) chance: Chance,
    pub(crate) site: Site,
    pub(crate) broker: Server,
    /// Between collector and broker; none of it with the embedded broker.
    pub(crate) collector_side: FaultProxy,
    /// Between writers and broker.
    pub(crate) writer_side: FaultProxy,
    /// Between writers and InfluxDB.
    pub(crate) influxdb_side: FaultProxy,
    pub(crate) door: InfluxDbDoor,
    pub(crate) influxd: Influxd,
    pub(crate) house: House,
    /// `footman run`, with the embedded broker.
    pub(crate) collector: Running,
    /// None with the embedded broker.
    pub(crate) writers: Vec<Running>,
}

impl Rig {
    /// Everything started, with one writer, and ready.
    pub(crate) async fn start(on: On) -> Self {
        Self::start_with(on, "").await
    }

    /// The same with more text in the configuration, in sections that the rig does not write:
    /// `writer` has `batch` already.
    pub(crate) async fn start_with(on: On, more: &str) -> Self {
        let mut rig = Self::prepare(on, more).await;
        for writer in &mut rig.writers {
            writer.start().await;
        }
        rig.collector.start().await;
        rig.is_ready().await;
        rig
    }

    /// Servers started, programs not.
    pub(crate) async fn prepare(on: On, more: &str) -> Self {
        let chance = Chance::new();
        let site = SiteConfig { servers: SERVERS, ..SiteConfig::for_test().unwrap() };
        let site = Site::start(site).await.unwrap();
        let influxd = Influxd::start().await;
        let door = InfluxDbDoor::before(influxd.port()).await;
        let influxdb_side = FaultProxy::before(door.port()).await;
        let (broker, port) = match on {
            On::embedded => (Server::Embedded, 0),
            On::nats => {
                let server = NatsServer::start().await;
                let port = server.port();
                (Server::Nats(server), port)
            }
            On::mqtt => {
                let server = Mosquitto::start().await;
                let port = server.port();
                (Server::Mqtt(server), port)
            }
        };
        let collector_side = FaultProxy::before(port).await;
        let writer_side = FaultProxy::before(port).await;
        let house = house(on, &site, influxdb_side.port(), more);
        let (collector, writers) = match on {
            On::embedded => (house.footman(), Vec::new()),
            On::nats | On::mqtt => {
                let address = |proxy: &FaultProxy| broker_address(on, proxy.port());
                let collector = house.collector("c").with(address(&collector_side));
                let writer = house.writer("w").with(address(&writer_side));
                (collector, vec![writer])
            }
        };
        Self {
            on,
            started: Instant::now(),
            chance,
            site,
            broker,
            collector_side,
            writer_side,
            influxdb_side,
            door,
            influxd,
            house,
            collector,
            writers,
        }
    }

    /// A further writer, not started yet.
    pub(crate) fn writer(&self, name: &str) -> Running {
        self.house.writer(name).with(broker_address(self.on, self.writer_side.port()))
    }

    /// The program that stores: the writer, or `footman run`.
    pub(crate) fn storing(&mut self) -> &mut Running {
        self.writers.first_mut().unwrap_or(&mut self.collector)
    }

    /// Says what comes now: a test that is ended for its time shows where it was.
    pub(crate) fn says(&self, what: &str) {
        println!("{:6.1} s: {what}", self.started.elapsed().as_secs_f64());
    }

    /// Waits until every program is ready.
    pub(crate) async fn is_ready(&self) {
        self.says("until every program is ready");
        for writer in &self.writers {
            writer.ready().await;
        }
        self.collector.ready().await;
    }

    /// Waits until the site has served `more` further answers.
    pub(crate) async fn serves(&self, more: u64) {
        let ledger = self.site.ledger();
        let served = ledger.wait_for(ledger.recorded() + more);
        let in_time = tokio::time::timeout(PATIENCE, served).await.is_ok();
        assert!(in_time, "the collector polls no more:\n{}", self.collector.printed());
    }

    /// Lets polls flow for a number of answers that chance chooses.
    pub(crate) async fn flows(&mut self) {
        let more = self.chance.number(9, 27);
        self.serves(more).await;
    }

    /// How many dead letters there are, as the drivers read them.
    pub(crate) async fn dead_letters(&self) -> u64 {
        use shared::broker::DeadLetters as _;
        use shared::broker::embedded::EmbeddedDeadLetters;
        use shared::broker::mqtt::{MqttDeadLetters, MqttSettings};
        use shared::broker::nats::{Nats, NatsSettings, Timing};
        const GROUP: &str = "influxdb";
        const MAX_BYTES: u64 = 16 << 20;
        let letters = match &self.broker {
            Server::Embedded => {
                let queue = self.house.directory().join("queue");
                EmbeddedDeadLetters::open(&queue, MAX_BYTES).unwrap().list().await
            }
            Server::Nats(server) => {
                let settings = NatsSettings {
                    name: "test".to_owned(),
                    topic_prefix: "qliksense".to_owned(),
                    dead_letters_max_bytes: MAX_BYTES,
                    timing: Timing::default(),
                };
                let dependency = shared::readiness::Readiness::default().dependency("broker");
                let nats = Nats::connect(&server.config(), &settings, dependency).await.unwrap();
                eventually("the dead letters of NATS", || async {
                    nats.dead_letters(GROUP).list().await.ok()
                })
                .await;
                nats.dead_letters(GROUP).list().await
            }
            Server::Mqtt(server) => {
                let settings = MqttSettings {
                    topic_prefix: "qliksense".to_owned(),
                    broker: server.settings(),
                    process: "test".to_owned(),
                    instance: "test".to_owned(),
                };
                MqttDeadLetters::start(&settings, GROUP, MAX_BYTES).list().await
            }
        };
        letters.unwrap().len() as u64
    }

    /// Ends the collector in good order, and waits until everything it polled has left the
    /// outbox and the broker.
    pub(crate) async fn settle(&mut self) {
        self.settle_with(&[]).await;
    }

    /// The same for a collector that was started with further variables.
    pub(crate) async fn settle_with(&mut self, variables: &[(&'static str, &str)]) {
        self.is_ready().await;
        self.serves(9).await;
        self.says("until the collector has ended");
        let ended = self.collector.process().terminate().await;
        assert_eq!(ended.code(), Some(0), "{}", self.collector.printed());
        // What the drain left in the outbox is published by one more start, which polls nothing.
        let nothing = [
            ("FOOTMAN__SERVERS_TO_MONITOR__SERVERS", "[]"),
            ("FOOTMAN__APP_NAMES__ENABLE_APP_NAME_EXTRACT", "false"),
        ];
        let variables: Vec<_> = nothing.iter().chain(variables).copied().collect();
        self.collector.start_with(&variables).await;
        self.says("until the outbox is empty");
        eventually("an empty outbox", || async {
            self.collector.metric("collector_outbox_events").await.filter(|waiting| *waiting == 0.0)
        })
        .await;
        let ended = self.collector.process().terminate().await;
        assert_eq!(ended.code(), Some(0), "{}", self.collector.printed());
    }
}

/// The variable that names the broker's address.
fn broker_address(on: On, port: u16) -> (&'static str, String) {
    match on {
        On::embedded => ("FOOTMAN__BROKER__TYPE", "embedded".to_owned()),
        On::nats => ("FOOTMAN__BROKER__NATS__SERVERS", format!("[\"nats://127.0.0.1:{port}\"]")),
        On::mqtt => ("FOOTMAN__BROKER__MQTT__URL", format!("mqtt://127.0.0.1:{port}")),
    }
}

fn house(on: On, site: &Site, influxdb: u16, more: &str) -> House {
    House::new(|directory| {
        let directory = directory.display();
        let broker = match on {
            On::embedded => {
                format!("type: embedded\n    embedded: {{directory: \"{directory}/queue\"}}")
            }
            On::nats => {
                "type: nats\n    nats: {maxBytes: 256MiB}\n    deadLetters: {maxBytes: 16MiB}"
                    .to_owned()
            }
            On::mqtt => "type: mqtt".to_owned(),
        };
        let more = format!(
            "  broker:\n    {broker}\n  \
             collector:\n    outbox: {{directory: \"{directory}/outbox\"}}\n  \
             writer:\n    batch: {{maxAge: 100ms}}\n{more}"
        );
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxdb,
            database: DATABASE.to_owned(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    })
}

/// Where the collector's outbox, or the queue, lies in a house.
pub(crate) fn outbox_of(rig: &Rig) -> std::path::PathBuf {
    let directory = if rig.on == On::embedded { "queue" } else { "outbox" };
    rig.house.directory().join(directory).join("outbox.sqlite")
}
