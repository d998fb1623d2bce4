//! The files that run Footman: images, the compose stack, systemd units, the Kubernetes example.
//!
//! No engine of containers runs here, so each file is read as strictly as the rules of the house
//! are, and what it starts is started by hand: the real programs, with the command lines, variables
//! and configurations of the file, its paths alone replaced.

mod compose;
mod demo;
mod docs;
mod images;
mod kubernetes;
mod starts;
mod systemd;
mod tokens;
mod yaml;

use std::path::{Path, PathBuf};

/// The files that `footman secrets` makes.
const SECRETS: [&str; 15] = [
    "influxdb-admin-password",
    "influxdb-admin-token",
    "influxdb-token",
    "influxdb1-password",
    "grafana-admin-password",
    "user-id-key",
    "broker-collector-password",
    "broker-writer-password",
    "broker-subscriber-password",
    "mosquitto-passwords",
    "mosquitto-security.json",
    "nats-users.conf",
    "broker-ca.pem",
    "broker-cert.pem",
    "broker-key.pem",
];

/// The programs that the workspace builds.
const PROGRAMS: [&str; 4] = ["collector", "writer", "footman", "simulator"];

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    let file = repository(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
