//! A real nats-server with JetStream.

use std::path::Path;
use std::process::Command;

use shared::config;
use shared::config::Tls;
use shared::secret::Secret;
use tempfile::TempDir;

use crate::process::{Process, free_port};

/// Room for a test's events.
const MAX_BYTES: u64 = 256 << 20;
/// What a server may promise to its streams. Without it that is three quarters of the disk that is
/// free when it starts, and a test would depend on the machine.
const MAX_FILE_STORE: &str = "max_file_store: 64GB";
const MAX_AGE: std::time::Duration = std::time::Duration::from_hours(1);

/// A nats-server with a directory of its own.
#[derive(Debug)]
pub struct NatsServer {
    directory: TempDir,
    port: u16,
    process: Option<Process>,
}

impl NatsServer {
    /// Starts one and waits until it listens.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts one with more text in its configuration.
    pub async fn start_with(configuration: &str) -> Self {
        let mut server = Self::prepare(configuration);
        server.restart().await;
        server
    }

    /// Prepares one that is not started yet.
    pub fn prepare(configuration: &str) -> Self {
        shared::lifecycle::install_crypto();
        let server =
            Self { directory: tempfile::tempdir().unwrap(), port: free_port(), process: None };
        server.configure(configuration);
        server
    }

    /// Writes its configuration, for its next start.
    pub fn configure(&self, configuration: &str) {
        self.write_configuration(MAX_FILE_STORE, configuration);
    }

    /// Writes it with more text in the section `jetstream`, for its next start.
    pub fn configure_jetstream(&self, limits: &str) {
        self.write_configuration(limits, "");
    }

    fn write_configuration(&self, limits: &str, configuration: &str) {
        let store = self.directory.path().join("store");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\njetstream {{ store_dir: {:?}, {limits} }}\n{configuration}\n",
            self.port,
            store.display().to_string(),
        );
        std::fs::write(self.directory.path().join("nats.conf"), text).unwrap();
    }

    /// Starts it (again) over the same data; one that runs is killed first.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(self.directory.path().join("nats.conf"));
        let mut process = Process::start(&mut command, &self.directory.path().join("log"));
        process.listens(self.port).await;
        self.process = Some(process);
    }

    /// Kills it at once; its data stay.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Lets it end in good order; its data stay.
    pub async fn stop(&mut self) {
        if let Some(process) = &mut self.process {
            process.terminate().await;
        }
        self.kill();
    }

    /// Takes its disk away, as long as it is not running.
    pub fn lose_everything(&self) {
        assert!(self.process.is_none(), "it is running");
        std::fs::remove_dir_all(self.directory.path().join("store")).unwrap();
    }

    /// Copies its disk, as long as it is not running.
    pub fn copy_disk(&self) -> TempDir {
        assert!(self.process.is_none(), "it is running");
        let copy = tempfile::tempdir().unwrap();
        copy_all(&self.directory.path().join("store"), &copy.path().join("store"));
        copy
    }

    /// Puts a copy in the place of its disk, as long as it is not running.
    pub fn go_back_to(&self, copy: &TempDir) {
        self.lose_everything();
        copy_all(&copy.path().join("store"), &self.directory.path().join("store"));
    }

    /// The process, to be stopped and continued.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The section `broker.nats` for it.
    pub fn config(&self) -> config::Nats {
        config::Nats {
            servers: vec![format!("nats://127.0.0.1:{}", self.port).parse().unwrap()],
            stream: "QLIKSENSE".to_owned(),
            replicas: 1,
            max_age: MAX_AGE,
            max_bytes: MAX_BYTES,
            username: None,
            password: None,
            credentials_file: None,
            tls: Tls::default(),
        }
    }

    /// The same as a user with a password.
    pub fn config_of(&self, username: &str, password: &str) -> config::Nats {
        config::Nats {
            username: Some(username.to_owned()),
            password: Some(Secret::new(password)),
            ..self.config()
        }
    }

    /// A connection of the test's own, to look at the server and to do what Footman does not.
    pub async fn client(&self) -> async_nats::Client {
        async_nats::connect(format!("127.0.0.1:{}", self.port)).await.unwrap()
    }
}

fn copy_all(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    assert!(command.arg("-a").args([from, to]).status().unwrap().success(), "cp");
}
