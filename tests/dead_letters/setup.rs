//! A site, a broker, InfluxDB and the programs between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::programs::{House, Running};
use serde_json::Value;
use shared::broker::embedded::EmbeddedDeadLetters;
use shared::broker::{Broker as Connection, DeadLetters};
use shared::config::{self, Transport};
use shared::readiness::Readiness;
use simulator::{ButlerSosOptions, Endpoint, Fault, Site, SiteConfig};

const DATABASE: &str = "senseops";
const INTERVAL: Duration = Duration::from_millis(500);
/// The least that can be configured.
const LETTERS: &str = "1MiB";

/// A health answer: the server's name and the engine's count of calls.
type HealthId = (String, i64);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Nats,
    Mqtt,
}

/// A broker that is there as long as this is.
enum Broker {
    Embedded,
    Nats(NatsServer),
    Mqtt(Mosquitto),
}

/// Everything, in the order in which it ends.
pub(crate) struct Setup {
    /// What polls and publishes; with the embedded broker, what stores too.
    pub(crate) source: Running,
    writer: Option<Running>,
    pub(crate) house: House,
    pub(crate) influxd: Influxd,
    pub(crate) site: Site,
    _broker: Broker,
}

impl Setup {
    /// Everything is there, and no program runs.
    pub(crate) async fn new(kind: Kind) -> Self {
        let broker = match kind {
            Kind::Embedded => Broker::Embedded,
            Kind::Nats => Broker::Nats(NatsServer::start().await),
            Kind::Mqtt => Broker::Mqtt(Mosquitto::start().await),
        };
        let config = SiteConfig { servers: 2, ..SiteConfig::for_test().unwrap() };
        let (site, influxd) = (Site::start(config).await.unwrap(), Influxd::start().await);
        influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
        let house = house(&site, &influxd, |directory| broker.section(directory));
        let (source, writer) = match kind {
            Kind::Embedded => (house.footman(), None),
            Kind::Nats | Kind::Mqtt => (house.collector("c"), Some(house.writer("w"))),
        };
        Self { source, writer, house, influxd, site, _broker: broker }
    }

    /// Makes InfluxDB refuse every line of the measurement `apps`.
    pub(crate) async fn conflict(&self) {
        self.influxd.write(DATABASE, "apps,host=somebody calls=\"a text\"").await;
    }

    /// Mends that.
    pub(crate) async fn mend(&self) {
        self.influxd.execute(DATABASE, "DROP MEASUREMENT apps").await;
    }

    /// What stores.
    pub(crate) fn storer(&mut self) -> &mut Running {
        self.writer.as_mut().unwrap_or(&mut self.source)
    }

    /// A number of what stores.
    pub(crate) async fn writer_metric(&self, name: &str) -> Option<f64> {
        self.writer.as_ref().unwrap_or(&self.source).metric(name).await
    }

    /// Why what stores misses something.
    pub(crate) async fn writer_misses(&self, dependency: &str) -> Option<String> {
        self.writer.as_ref().unwrap_or(&self.source).missing(dependency).await
    }

    /// Starts every program.
    pub(crate) async fn start(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.start().await;
        }
        self.source.start().await;
    }

    /// Lets the site answer some polls, and then none about health; waits until each answer has a
    /// dead letter.
    pub(crate) async fn some_letters(&mut self) {
        for server in 0..2 {
            self.site.ledger().wait_for_count(server, Endpoint::Engine, 2).await;
        }
        self.no_more_health().await;
        eventually("a letter for each answer", || async {
            (self.ids().await.len() == self.served().len()).then_some(())
        })
        .await;
    }

    /// Lets the site answer no more polls about health.
    pub(crate) async fn no_more_health(&self) {
        for server in 0..2 {
            let fault = Some(Fault::Status(503));
            self.site.set_fault(server, Endpoint::Engine, fault).await.unwrap();
        }
    }

    /// Runs `footman dead-letters`.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.house.dead_letters(arguments).await
    }

    /// The dead letters as `list --json` has them, the oldest first.
    pub(crate) async fn letters(&self) -> Vec<Value> {
        let (code, printed) = self.run(&["list", "--json"]).await;
        assert_eq!(code, Some(0), "{printed}");
        let lines = printed.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Their ids.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let letters = self.letters().await;
        letters.iter().map(|letter| letter["eventId"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until there are no dead letters.
    pub(crate) async fn no_letters(&self) {
        eventually_equal("no dead letters", Vec::<String>::new(), || self.ids()).await;
    }

    /// Each good health answer that the site gave.
    pub(crate) fn served(&self) -> BTreeSet<HealthId> {
        let names: Vec<&str> = self.site.servers().iter().map(simulator::Server::name).collect();
        let entries = self.site.ledger().entries();
        let good = entries.iter().filter(|entry| entry.fault.is_none());
        good.filter_map(|entry| Some((names[entry.server].to_owned(), entry.facts.health()?.calls)))
            .collect()
    }

    /// Each health answer in InfluxDB, with its times.
    pub(crate) async fn stored(&self) -> BTreeMap<HealthId, Vec<i64>> {
        let mut stored: BTreeMap<HealthId, Vec<i64>> = BTreeMap::new();
        for row in self.influxd.rows(DATABASE, "SELECT calls, server_name FROM apps").await {
            let calls = row["calls"].as_i64().unwrap();
            let id = (row["server_name"].as_str().unwrap().to_owned(), calls);
            stored.entry(id).or_default().push(row["time"].as_i64().unwrap());
        }
        stored
    }

    /// Waits until every answer is stored, each once.
    pub(crate) async fn everything_is_stored(&self) {
        let served: BTreeMap<HealthId, usize> =
            self.served().into_iter().map(|id| (id, 1)).collect();
        eventually_equal("every answer in InfluxDB, once", served, || async {
            self.stored().await.into_iter().map(|(id, times)| (id, times.len())).collect()
        })
        .await;
    }

    /// The dead letters as a program has them.
    pub(crate) async fn driver(&self) -> (Option<Connection>, Arc<dyn DeadLetters>) {
        let file = self.source.directory().join("footman.yaml");
        let broker = config::load(&file, BTreeMap::new()).unwrap().config.broker;
        if let Transport::Embedded(embedded) = &broker.transport {
            let limit = broker.dead_letters_max_bytes;
            let letters = EmbeddedDeadLetters::open(&embedded.directory, limit).unwrap();
            return (None, Arc::new(letters));
        }
        let readiness = Readiness::default();
        let connection = Connection::connect(&broker, "test", "test", &readiness).await.unwrap();
        eventually("a connection", || async { readiness.report().ready.then_some(()) }).await;
        let letters = connection.as_ref().unwrap().dead_letters("influxdb");
        (connection, letters)
    }
}

impl Broker {
    fn section(&self, directory: &Path) -> String {
        let which = match self {
            Self::Embedded => {
                format!("embedded: {{directory: \"{}\"}}", directory.join("queue").display())
            }
            Self::Nats(server) => format!(
                "type: nats\n    nats: {{servers: [\"nats://127.0.0.1:{}\"], maxBytes: 256MiB}}",
                server.port()
            ),
            Self::Mqtt(server) => format!(
                "type: mqtt\n    mqtt: {{url: \"mqtt://127.0.0.1:{}\", consumerSlots: 1}}",
                server.port()
            ),
        };
        format!("  broker:\n    {which}\n    deadLetters: {{maxBytes: {LETTERS}}}\n")
    }
}

/// A directory with a Butler SOS file of the site and the section `broker`.
pub(crate) fn house(site: &Site, influxd: &Influxd, broker: impl FnOnce(&Path) -> String) -> House {
    House::new(|directory| {
        let outbox = directory.join("outbox");
        let outbox = format!("  collector:\n    outbox: {{directory: \"{}\"}}\n", outbox.display());
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: DATABASE.to_owned(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more: format!("{}{outbox}", broker(directory)),
            ..ButlerSosOptions::default()
        })
    })
}
