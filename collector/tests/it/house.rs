//! A simulated site, a collector over it, and what the collector put into the outbox.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::{CollectorContext, Latest, Metrics, RunError, run};
use shared::config::{Config, from_text};
use shared::envelope::{Envelope, Origin};
use shared::event::{Event, FailedPoll};
use shared::outbox::{OpenError, Outbox, OutboxReader, OutboxSettings};
use shared::readiness::Readiness;
use simulator::{ButlerSosOptions, Site, SiteConfig};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A site of `servers`.
pub(crate) async fn site(servers: usize) -> Site {
    let mut config = SiteConfig::for_test().unwrap();
    config.servers = servers;
    Site::start(config).await.unwrap()
}

/// A configuration that polls everything of the site each `interval`.
pub(crate) fn config(site: &Site, interval: Duration) -> Config {
    config_of(&text(site, interval, true))
}

/// The text of such a configuration.
pub(crate) fn text(site: &Site, interval: Duration, tls_server_names: bool) -> String {
    site.butler_sos_config(&ButlerSosOptions {
        polling_interval: interval,
        session_interval: interval,
        app_names_interval: interval,
        influxdb_enable: false,
        tls_server_names,
        ..ButlerSosOptions::default()
    })
}

/// A configuration that names the repository alone, which is asked for servers ten times a second;
/// `own` is the section `collector.servers`, and `exclude` that of discovery.
pub(crate) fn discovering(site: &Site, interval: Duration, own: &str, exclude: &str) -> Config {
    let files = site.certificate_files();
    let [client, key, root] =
        [&files.client, &files.client_key, &files.root].map(|path| path.display());
    let (ms, central) = (interval.as_millis(), site.server(0).unwrap().address());
    let mut config = config_of(&format!(
        "Butler-SOS:
  cert: {{clientCert: {client}, clientCertKey: {key}, clientCertCA: {root}}}
  appNames: {{enableAppNameExtract: true, extractInterval: {ms}, hostIP: {central}}}
  userSessions: {{enableSessionExtract: true, pollingInterval: {ms}, excludeUser: []}}
  serversToMonitor: {{pollingInterval: {ms}, serverTagsDefinition: [env], servers: []}}
  collector:
    servers: {own}
    discovery: {{enable: true, exclude: {exclude}, tags: {{env: prod}}}}
"
    ));
    config.collector.discovery.as_mut().unwrap().interval = SECOND / 10;
    config
}

pub(crate) fn config_of(text: &str) -> Config {
    from_text(text, Path::new("test.yaml"), []).unwrap().config
}

/// Opens an outbox, as soon as whoever had it before has let it go.
pub(crate) async fn open(directory: &Path, max_bytes: u64) -> Outbox {
    let settings = OutboxSettings {
        directory: directory.to_owned(),
        max_bytes,
        max_age: None,
        keep_settled: Duration::ZERO,
    };
    let opened = async {
        loop {
            match Outbox::open(&settings) {
                Err(OpenError::InUse { .. }) => tokio::time::sleep(BETWEEN_LOOKS).await,
                other => return other.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap()
}

/// Waits until something is so.
pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    tokio::time::timeout(PATIENCE, so).await.unwrap();
}

/// A running collector and its outbox.
pub(crate) struct Running {
    pub(crate) outbox: Outbox,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Readiness,
    pub(crate) latest: Arc<Latest>,
    pub(crate) directory: TempDir,
    reader: OutboxReader,
    position: i64,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    pub(crate) async fn start(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let outbox = open(directory.path(), 1 << 30).await;
        Self::over(config, outbox, directory)
    }

    pub(crate) fn over(config: Config, outbox: Outbox, directory: TempDir) -> Self {
        let (metrics, readiness) = (Arc::new(Metrics::default()), Readiness::default());
        let latest = Arc::new(Latest::default());
        let stop = CancellationToken::new();
        let context = CollectorContext {
            config: Arc::new(config),
            outbox: outbox.clone(),
            origin: Origin::new("collector", "test"),
            readiness: readiness.clone(),
            metrics: Arc::clone(&metrics),
            latest: Arc::clone(&latest),
        };
        let task = tokio::spawn(run(context, stop.clone()));
        let reader = outbox.reader().unwrap();
        Self { outbox, metrics, readiness, latest, directory, reader, position: 0, stop, task }
    }

    /// The next event that matches.
    pub(crate) async fn next(&mut self, matches: impl Fn(&Envelope) -> bool) -> Envelope {
        let found = async {
            loop {
                let stored = self.reader.read_after(self.position, 1).await.unwrap();
                for stored in stored {
                    self.position = stored.position;
                    let envelope = Envelope::decode(&stored.payload).unwrap();
                    if matches(&envelope) {
                        return envelope;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }

    /// The next failed poll that matches.
    pub(crate) async fn next_failed(
        &mut self,
        matches: impl Fn(&FailedPoll) -> bool,
    ) -> FailedPoll {
        let envelope = self.next(|envelope| failed(envelope).is_some_and(&matches)).await;
        failed(&envelope).unwrap().clone()
    }

    /// All events in the outbox from the first one on.
    pub(crate) async fn all(&mut self) -> Vec<Envelope> {
        self.outbox.flush().await;
        let (mut position, mut all) = (0, Vec::new());
        // It gives so many bytes at once, however many events are wanted.
        while !self.reader.is_at_end(position) {
            for stored in self.reader.read_after(position, 1_000).await.unwrap() {
                position = stored.position;
                all.push(Envelope::decode(&stored.payload).unwrap());
            }
        }
        all
    }

    /// Ends the collector as a signal would.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, &mut self.task).await;
        ended.unwrap().unwrap().unwrap();
    }

    /// Ends the collector as a kill would, as far as a process can do it to a part of itself.
    pub(crate) fn kill(self) -> TempDir {
        self.task.abort();
        self.directory
    }
}

pub(crate) fn failed(envelope: &Envelope) -> Option<&FailedPoll> {
    match &envelope.event {
        Event::FailedPoll(failed) => Some(failed),
        _ => None,
    }
}

pub(crate) fn is_health(envelope: &Envelope) -> bool {
    matches!(envelope.event, Event::Health(_))
}
