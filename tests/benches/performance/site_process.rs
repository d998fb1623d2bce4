//! A simulated site in a process of its own, so that its work is not counted as the collector's.

use std::path::PathBuf;
use std::process::Command;

use integration_tests::patience::PATIENCE;
use integration_tests::process::{Process, free_port};
use integration_tests::programs::program;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Duration, Instant, sleep};

/// How large a site is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) servers: usize,
    /// Apps that the repository knows.
    pub(crate) apps: usize,
    /// Sessions of each virtual proxy at the busiest time, about.
    pub(crate) sessions: usize,
    /// Time between two polls of an endpoint.
    pub(crate) interval: Duration,
}

impl Default for Size {
    fn default() -> Self {
        Self { servers: 20, apps: 120, sessions: 40, interval: Duration::from_secs(30) }
    }
}

/// The running simulator.
#[derive(Debug)]
pub(crate) struct SiteProcess {
    directory: TempDir,
    control: String,
    client: reqwest::Client,
    process: Process,
    size: Size,
}

/// What all endpoints of the site saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) handshakes: u64,
    pub(crate) requests: u64,
}

impl SiteProcess {
    /// Starts one, on the cores of `pinned` if there are any named, and waits until it answers.
    pub(crate) async fn start(size: Size, pinned: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let control = format!("127.0.0.1:{}", free_port());
        let mut command = on_cores(pinned, program("simulator"));
        command
            .current_dir(directory.path())
            .args(["--servers", &size.servers.to_string()])
            .args(["--apps", &size.apps.to_string()])
            .args(["--sessions", &size.sessions.to_string()])
            .args(["--directory", "certificates", "--control", &control])
            // Eight in the morning for hours: as many sessions at the end as at the beginning.
            .args(["--day", "86000", "--first-address", "127.91.0.1"])
            .args(["--butler-sos-config", "site.yaml"])
            .args(["--polling-interval", &size.interval.as_millis().to_string()]);
        let process = Process::start(&mut command, &directory.path().join("log"));
        let site = Self { directory, control, client: reqwest::Client::new(), process, size };
        let deadline = Instant::now() + PATIENCE * 3;
        while site.state().await.is_none() || !site.config_path().exists() {
            let is_there = site.process.resident().now > 0 && Instant::now() < deadline;
            assert!(is_there, "no site:\n{}", site.process.printed());
            sleep(Duration::from_millis(100)).await;
        }
        site
    }

    /// The configuration of Butler SOS that monitors it, with more text under its root.
    pub(crate) fn configuration(&self, more: &str) -> String {
        let text = std::fs::read_to_string(self.config_path()).unwrap();
        format!("{text}{more}")
    }

    /// How large it is.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// What it saw up to now.
    pub(crate) async fn seen(&self) -> Seen {
        let state = self.state().await.unwrap();
        let servers = state["servers"].as_array().unwrap();
        let endpoints = servers.iter().flat_map(|one| one["endpoints"].as_object().unwrap());
        endpoints.fold(Seen::default(), |seen, (_name, endpoint)| {
            let count = |what: &str| endpoint["traffic"][what].as_u64().unwrap_or_default();
            Seen {
                handshakes: seen.handshakes + count("handshakes"),
                requests: seen.requests + count("requests"),
            }
        })
    }

    fn config_path(&self) -> PathBuf {
        self.directory.path().join("site.yaml")
    }

    async fn state(&self) -> Option<Value> {
        let url = format!("http://{}/state", self.control);
        self.client.get(url).send().await.ok()?.json().await.ok()
    }
}

/// A command that starts a program on these cores, or on any.
pub(crate) fn on_cores(cores: Option<&str>, program: PathBuf) -> Command {
    match cores {
        None => Command::new(program),
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cores]).arg(program);
            command
        }
    }
}
