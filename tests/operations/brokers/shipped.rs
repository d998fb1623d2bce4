//! The shipped configurations in a place of the test's own: what is edited is what their heads say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration_tests::process::{Process, free_port};
use integration_tests::programs::program;
use shared::config::Tls;
use shared::secret::Secret;
use tempfile::TempDir;

/// Where Debian puts mosquitto, which is not on everybody's path, and its plugin.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";
const PLUGIN: &str = "/usr/lib/mosquitto_dynamic_security.so";
const DEBIAN_PLUGINS: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
    "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
];

/// A directory with `etc/footman`, `run/secrets` and `data`.
#[derive(Debug)]
pub(crate) struct Shipped {
    directory: TempDir,
    pub(crate) tls_port: u16,
    pub(crate) mqtt_port: u16,
    pub(crate) cluster_port: u16,
}

impl Shipped {
    pub(crate) fn new() -> Self {
        Self::edited(|_name, text| text)
    }

    /// With further changes to the files.
    pub(crate) fn edited(edit: impl Fn(&str, String) -> String) -> Self {
        shared::lifecycle::install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let shipped = Self {
            directory,
            tls_port: free_port(),
            mqtt_port: free_port(),
            cluster_port: free_port(),
        };
        let made = Command::new(program("footman"))
            .args(["secrets", "--out"])
            .arg(shipped.path("run/secrets"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for wanted in ["etc/footman", "data"] {
            fs::create_dir_all(shipped.path(wanted)).unwrap();
        }
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/brokers");
        for file in fs::read_dir(files).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let text = edit(&name, fs::read_to_string(file.path()).unwrap());
            fs::write(shipped.path("etc/footman").join(name), shipped.placed(&text)).unwrap();
        }
        shipped
    }

    /// The text with the paths and ports of this place.
    fn placed(&self, text: &str) -> String {
        let root = self.directory.path().display();
        let plugin = DEBIAN_PLUGINS.into_iter().find(|path| Path::new(path).exists());
        let changes = [
            ("\"/run/secrets/", format!("\"{root}/run/secrets/")),
            (" /run/secrets/", format!(" {root}/run/secrets/")),
            (" /etc/footman/", format!(" {root}/etc/footman/")),
            (" /mosquitto/data/", format!(" {root}/data/")),
            ("\"/data\"", format!("\"{root}/data\"")),
            (PLUGIN, plugin.unwrap_or(PLUGIN).to_owned()),
            ("listener 8883", format!("listener {} 127.0.0.1", self.tls_port)),
            ("listener 1883 ", format!("listener {} ", self.mqtt_port)),
            ("\"0.0.0.0:4222\"", format!("\"127.0.0.1:{}\"", self.tls_port)),
            ("port: 1883", format!("port: {}", self.mqtt_port)),
            ("127.0.0.1:8222", format!("127.0.0.1:{}", free_port())),
            ("\"0.0.0.0:6222\"", format!("\"127.0.0.1:{}\"", self.cluster_port)),
        ];
        let text = text.to_owned();
        changes.iter().fold(text, |text, (shipped, here)| text.replace(shipped, here))
    }

    /// Starts mosquitto with one of the files, and waits until it listens.
    pub(crate) async fn mosquitto(&self, file: &str) -> Process {
        let configuration = self.path("etc/footman").join(file);
        // Started as root it would change to a user who may not read this place.
        let text = fs::read_to_string(&configuration).unwrap() + "user root\n";
        fs::write(&configuration, text).unwrap();
        let path = if Path::new(MOSQUITTO).exists() { MOSQUITTO } else { "mosquitto" };
        let mut command = Command::new(path);
        command.arg("-c").arg(configuration);
        self.listening(command).await
    }

    /// Starts nats-server with one of the files, and waits until it listens.
    pub(crate) async fn nats(&self, file: &str) -> Process {
        self.listening(self.nats_command(file)).await
    }

    pub(crate) fn nats_command(&self, file: &str) -> Command {
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(self.path("etc/footman").join(file));
        command
    }

    async fn listening(&self, mut command: Command) -> Process {
        let mut process = Process::start(&mut command, &self.path("log"));
        for port in [self.tls_port, self.mqtt_port] {
            process.listens(port).await;
        }
        process
    }

    /// What trusts the broker.
    pub(crate) fn tls(&self) -> Tls {
        Tls { ca: Some(self.secret("broker-ca.pem")), client: None }
    }

    pub(crate) fn password(&self, role: &str) -> Secret {
        let file = self.secret(&format!("broker-{role}-password"));
        Secret::new(fs::read_to_string(file).unwrap())
    }

    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.path("run/secrets").join(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
