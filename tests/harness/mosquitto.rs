//! A real mosquitto, configured to keep what it is given.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shared::config::{Mqtt, Tls};
use shared::secret::Secret;
use tempfile::TempDir;
use url::Url;

use crate::patience::eventually;
use crate::process::{Process, free_port};

/// Anybody may connect and do anything.
const OPEN: &str = "allow_anonymous true\n";
/// What tests look for in its log.
const EVERYTHING: &str = "all";
/// Connections, and what goes wrong: a line for each packet would cost more than the packet.
const LITTLE: &str = "notice";
/// Where Debian puts it, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin/mosquitto";

/// A mosquitto with a directory of its own.
#[derive(Debug)]
pub struct Mosquitto {
    directory: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Mosquitto {
    /// Starts one that is open to everybody.
    pub async fn start() -> Self {
        Self::start_with(|_| OPEN.to_owned()).await
    }

    /// Starts one with further lines of configuration, which may name files that `extra` writes to
    /// the broker's directory.
    pub async fn start_with(extra: impl FnOnce(&Path) -> String) -> Self {
        let mut mosquitto = Self::prepare(extra);
        mosquitto.restart().await;
        mosquitto
    }

    /// Starts one that is open to everybody and logs little, as an operator's does: for benches.
    pub async fn start_quiet() -> Self {
        let mut mosquitto = Self::prepare_logging(LITTLE, |_| OPEN.to_owned());
        mosquitto.restart().await;
        mosquitto
    }

    /// One that is not started yet.
    pub fn prepare(extra: impl FnOnce(&Path) -> String) -> Self {
        Self::prepare_logging(EVERYTHING, extra)
    }

    fn prepare_logging(log: &str, extra: impl FnOnce(&Path) -> String) -> Self {
        shared::lifecycle::install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let extra = extra(directory.path());
        let access = if extra.contains("allow_anonymous") { "" } else { OPEN };
        // `user` keeps it from changing to a user who may not read this directory.
        let text = format!(
            "listener {port} 127.0.0.1\n{extra}{access}persistence true\npersistence_location {}/\n\
             autosave_interval 60\nmax_queued_messages 0\nuser root\nlog_dest stderr\nlog_type {log}\n\
             connection_messages true\n",
            directory.path().display()
        );
        std::fs::write(directory.path().join("mosquitto.conf"), text).unwrap();
        Self { directory, port, process: None }
    }

    /// Starts it (again) over the same data.
    pub async fn restart(&mut self) {
        drop(self.process.take());
        let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "mosquitto" };
        let mut command = Command::new(program);
        command.arg("-c").arg(self.directory.path().join("mosquitto.conf"));
        let mut process = Process::start(&mut command, &self.log());
        process.listens(self.port).await;
        self.process = Some(process);
    }

    /// Asks it to end, which makes it save everything.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate().await;
        }
    }

    /// Kills it: what it has not saved is gone.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Lets it write what it has to its database, and waits until it has: a kill forgets what comes
    /// later.
    pub async fn save(&self) {
        let process = self.process.as_ref().expect("it was started");
        let database = self.directory.path().join("mosquitto.db");
        let written = || {
            let file = std::fs::metadata(&database).ok()?;
            Some((file.ino(), file.modified().ok()?))
        };
        let before = written();
        process.signal("USR1");
        eventually("mosquitto to save", || async { (written() != before).then_some(()) }).await;
    }

    /// Forgets all that it saved, as long as it is not running: killed without persistence, it
    /// would have saved nothing.
    pub fn lose_everything(&self) {
        assert!(self.process.is_none(), "it is running");
        let database = self.directory.path().join("mosquitto.db");
        if database.exists() {
            std::fs::remove_file(database).unwrap();
        }
    }

    /// The process, to be looked at.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The section `broker.mqtt` for it, with one slot.
    pub fn settings(&self) -> Mqtt {
        Mqtt {
            url: Url::parse(&format!("mqtt://127.0.0.1:{}", self.port)).unwrap(),
            username: None,
            password: None,
            tls: Tls::default(),
            groups: vec!["influxdb".to_owned()],
            consumer_slots: 1,
            session_expiry: std::time::Duration::from_hours(1),
        }
    }

    /// How often a client with this id has connected.
    pub fn connections_of(&self, client_id: &str) -> usize {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let connected = format!(" as {client_id} (");
        log.lines().filter(|line| line.contains(&connected)).count()
    }

    /// The ids of clients that have connected and whose id holds this text.
    pub fn clients_like(&self, text: &str) -> BTreeSet<String> {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let ids = log.lines().filter_map(|line| {
            let (_, rest) = line.split_once("New client connected from ")?;
            rest.split_once(" as ")?.1.split_once(" (").map(|(id, _)| id.to_owned())
        });
        ids.filter(|id| id.contains(text)).collect()
    }

    /// Subscribes with a client of the broker's own, and waits until it stands.
    pub async fn subscriber(&self, topic: &str) -> MqttSubscriber {
        let name = format!("subscriber-{}", free_port());
        let port = self.port.to_string();
        let mut command = Command::new("mosquitto_sub");
        command.args(["-V", "mqttv5", "-p", &port, "-i", &name, "-q", "1", "-t", topic]);
        command.args(["-F", "%t %p"]);
        let process = Process::start(&mut command, &self.directory.path().join(&name));
        let answered = format!("Sending SUBACK to {name}");
        eventually("the subscription of mosquitto_sub", || async {
            std::fs::read_to_string(self.log()).ok()?.contains(&answered).then_some(())
        })
        .await;
        MqttSubscriber { process }
    }

    /// Retains a message with a client of the broker's own.
    pub fn publish_retained(&self, topic: &str, payload: &str) {
        assert!(self.publish(topic, payload.as_bytes(), &["-r"]), "mosquitto_pub");
    }

    /// Publishes anything with a client of the broker's own, given further arguments; says whether
    /// the broker took it.
    pub fn publish(&self, topic: &str, payload: &[u8], further: &[&str]) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new("mosquitto_pub");
        command.args(["-V", "mqttv5", "-p", &port, "-q", "1", "-t", topic]).args(further);
        // With -l each line is a message.
        if !further.contains(&"-l") {
            command.arg(if payload.is_empty() { "-n" } else { "-s" });
        }
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(payload).unwrap();
        child.wait().unwrap().success()
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

/// Makes a password file for mosquitto.
pub fn password_file(path: &Path, username: &str, password: &Secret) {
    let mut command = Command::new("mosquitto_passwd");
    command.args(["-b", "-c"]).arg(path).args([username, password.expose()]);
    assert!(command.status().unwrap().success(), "mosquitto_passwd");
}

/// A running `mosquitto_sub`.
#[derive(Debug)]
pub struct MqttSubscriber {
    process: Process,
}

impl MqttSubscriber {
    /// What has come on a topic.
    pub fn received(&self, topic: &str) -> Vec<String> {
        let printed = self.process.printed();
        let lines = printed.lines().filter_map(|line| line.strip_prefix(topic)?.strip_prefix(' '));
        lines.map(str::to_owned).collect()
    }

    /// All that has come, with its topics. What takes back something retained is empty.
    pub fn everything(&self) -> Vec<(String, String)> {
        let printed = self.process.printed();
        // The last line may not be whole.
        let whole = printed.rsplit_once('\n').map_or("", |(whole, _rest)| whole);
        let pairs = whole.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(topic, payload)| (topic.to_owned(), payload.to_owned())).collect()
    }

    /// Waits until something has come on a topic and it ends with `wanted`.
    pub async fn receives(&self, topic: &str, wanted: &str) {
        eventually(&format!("{wanted} on {topic}"), || async {
            self.received(topic).last().is_some_and(|last| last == wanted).then_some(())
        })
        .await;
    }
}
