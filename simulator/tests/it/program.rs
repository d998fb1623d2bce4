//! The program, started as a user starts it.

#![expect(clippy::disallowed_types, reason = "tests start the program")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use reqwest::Client;
use serde_json::Value;
use simulator::SiteConfig;

/// Ends the program, and its folder, with the test.
struct Running {
    child: Child,
    directory: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

#[test]
fn servers_of_one_address_have_ports_of_their_own_and_health_tells_when_all_are_up() {
    let SiteConfig { first_address, directory, .. } = SiteConfig::for_test().unwrap();
    let control = free_port();
    let simulator = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_simulator"));
        command.args(["--control", &format!("127.0.0.1:{control}")]);
        command
    };
    let is_up = || simulator().arg("--health").stderr(Stdio::null()).status().unwrap().success();
    assert!(!is_up(), "nothing runs yet");

    let child = simulator()
        .args(["--servers", "3", "--one-address", "--first-address", &first_address.to_string()])
        .arg("--directory")
        .arg(&directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running { child, directory };
    let mut output = BufReader::new(running.child.stdout.take().unwrap()).lines();
    let lines: Vec<String> = output.by_ref().map_while(Result::ok).take(4).collect();
    assert!(lines[1].contains(&format!("engine {first_address}:4747")), "{lines:?}");
    assert!(lines[3].contains(&format!("engine {first_address}:4767")), "{lines:?}");
    assert!(lines[3].contains(&format!("proxy {first_address}:4263")), "{lines:?}");
    assert!(is_up());
}

/// A port of the loopback interface that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn the_program_serves_a_site_and_says_where() {
    // Another test of the process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let SiteConfig { first_address, directory, .. } = SiteConfig::for_test().unwrap();
    fs::create_dir_all(&directory).unwrap();
    let configuration = directory.join("butler-sos.yaml");

    let child = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--servers", "2", "--seed", "7", "--control", "127.0.0.1:0"])
        .args(["--first-address", &first_address.to_string()])
        .arg("--directory")
        .arg(&directory)
        .arg("--butler-sos-config")
        .arg(&configuration)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running { child, directory };
    let output = BufReader::new(running.child.stdout.take().unwrap());
    let steered = "It is steered at ";
    let mut lines = Vec::new();
    for line in output.lines().map_while(Result::ok) {
        lines.push(line);
        if lines.last().unwrap().starts_with(steered) {
            break;
        }
    }
    assert_eq!(lines[0], "A Qlik Sense site of 2 servers is up.");
    let engine = format!("engine {first_address}:4747");
    assert!(lines[1].contains(&engine), "{lines:?}");

    let url = lines.last().unwrap().strip_prefix(steered).unwrap().trim_end_matches('.');
    let control = Client::builder().no_proxy().build().unwrap();
    let state: Value = control.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(state["seed"], 7);
    assert_eq!(state["servers"].as_array().unwrap().len(), 2);
    let text = fs::read_to_string(&configuration).unwrap();
    assert!(text.contains(&format!("host: \"{first_address}:4747\"")));
    assert!(running.directory.join("client.pem").exists());
}
