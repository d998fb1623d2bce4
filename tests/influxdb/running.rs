//! A writer that runs in this process, over a broker in memory, as a configuration file says.

use std::sync::Arc;
use std::time::Duration;

use integration_tests::patience::eventually;
use integration_tests::strict_influxdb::{Serves, Strict, Version2, Version3};
use prometheus_client::registry::Registry;
use shared::broker::memory::MemoryBroker;
use shared::broker::{DeadLetter, DeadLetters as _, Outgoing, Publisher as _};
use shared::config;
use shared::readiness::Readiness;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use writer::{Metrics, Pace, RunError, WriterContext};

pub(crate) const ORG: &str = "sense & co";
pub(crate) const BUCKET: &str = "sense ops";
pub(crate) const DATABASE: &str = "senseops";
pub(crate) const TOKEN: &str = "t0ken==";

/// A site that nobody polls here.
const SITE: &str = "\
Butler-SOS:
  cert: {clientCert: none.pem, clientCertKey: none.pem, clientCertCA: none.pem}
  appNames: {enableAppNameExtract: true, hostIP: sense1.example, extractInterval: 60000}
  uptimeMonitor:
    enable: true
    frequency: every 15 minutes
    storeInInfluxdb: {butlerSOSMemoryUsage: true, instanceTag: DEV}
  serversToMonitor:
    servers: [{host: \"sense1.example:4747\", serverName: sense1}]
";

/// `influxdbConfig` of 2.x, with a bucket that keeps points for `retention`.
pub(crate) fn version2(retention: &str) -> String {
    format!(
        "    version: 2\n    v2Config: {{org: \"{ORG}\", bucket: \"{BUCKET}\", description: Qlik, \
         retentionDuration: {retention}, token: \"{TOKEN}\"}}\n"
    )
}

/// `influxdbConfig` of 3.x, with a database that keeps points for `retention`.
pub(crate) fn version3(retention: &str) -> String {
    format!(
        "    version: 3\n    v3Config: {{database: \"{DATABASE}\", description: Qlik, \
         retentionDuration: {retention}, token: \"{TOKEN}\", writeTimeout: 5000}}\n"
    )
}

/// InfluxDB 2.x without a bucket.
pub(crate) fn strict2() -> Version2 {
    Version2::new(ORG, TOKEN)
}

/// InfluxDB 3.x without a database.
pub(crate) fn strict3() -> Version3 {
    Version3::new(TOKEN)
}

/// A running writer.
pub(crate) struct Running {
    broker: MemoryBroker,
    readiness: Readiness,
    pub(crate) metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

/// Starts a writer for `influxdb`, which is what `influxdbConfig` says after host and port.
pub(crate) fn start<V: Serves>(server: &Strict<V>, influxdb: &str) -> Running {
    let authority = server.authority().map(|path| format!(", tls: {{ca: {}}}", path.display()));
    start_with(&server.url(), &authority.unwrap_or_default(), influxdb)
}

/// Starts a writer that does not know the server's authority.
pub(crate) fn start_as_stranger<V: Serves>(server: &Strict<V>, influxdb: &str) -> Running {
    start_with(&server.url(), "", influxdb)
}

fn start_with(url: &str, authority: &str, influxdb: &str) -> Running {
    let text = format!(
        "{SITE}  influxdbConfig:\n    enable: true\n{influxdb}    includeFields: {{activeDocs: true, \
         loadedDocs: true, inMemoryDocs: true}}\n  writer:\n    influxdb: {{url: \"{url}\"{authority}}}\n    \
         batch: {{maxPoints: 200, maxAge: 20ms}}\n"
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("none.pem"), "no certificate").unwrap();
    let loaded = config::from_text(&text, &directory.path().join("footman.yaml"), []);
    let config = loaded.unwrap_or_else(|error| panic!("{error}\n{text}")).config.writer;
    let (broker, readiness) = (MemoryBroker::default(), Readiness::default());
    let metrics = Metrics::register(&mut Registry::default());
    let shutdown = CancellationToken::new();
    let context = WriterContext {
        config,
        shutdown_grace: Duration::from_secs(2),
        consumer: broker.consumer(),
        dead_letters: Arc::new(broker.clone()),
        readiness: readiness.clone(),
        metrics: Arc::clone(&metrics),
        pace: Pace {
            first_backoff: Duration::from_millis(5),
            longest_backoff: Duration::from_millis(40),
            slow: Duration::from_millis(60),
            ..Pace::default()
        },
    };
    let task = tokio::spawn(writer::run(context, shutdown.clone()));
    Running { broker, readiness, metrics, shutdown, task }
}

impl Running {
    /// Publishes events for the writer.
    pub(crate) async fn publish(&self, events: impl IntoIterator<Item = Outgoing>) {
        for event in events {
            self.broker.publish(event).await.unwrap();
        }
    }

    /// How many events are not acked.
    pub(crate) fn held(&self) -> usize {
        self.broker.held()
    }

    /// Waits until every event is acked.
    pub(crate) async fn all_acked(&self) {
        eventually("every event is acked", async || (self.held() == 0).then_some(())).await;
    }

    /// The dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.broker.list().await.unwrap()
    }

    /// Waits until the writer is not ready for a reason with `word` in it.
    pub(crate) async fn why_not_ready(&self, word: &str) -> String {
        eventually(&format!("readiness says {word:?}"), async || {
            let dependencies = self.readiness.report().dependencies;
            let mut whys = dependencies.values().filter_map(|dependency| dependency.why.clone());
            whys.find(|why| why.contains(word))
        })
        .await
    }

    /// Waits until the writer is ready; before it runs, it depends on nothing.
    pub(crate) async fn ready(&self) {
        eventually("the writer is ready", async || {
            let report = self.readiness.report();
            (report.ready && report.dependencies.contains_key("influxdb")).then_some(())
        })
        .await;
    }

    /// Ends the writer.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}
