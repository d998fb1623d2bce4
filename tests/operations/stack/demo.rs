//! The demo profile, started by hand: simulator, NATS over TLS with a user each, collector, writer,
//! and in the place of InfluxDB 2 its strict stand-in with a token that may only write.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use integration_tests::nats::NatsServer;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::process::{Process, free_port};
use integration_tests::programs::{House, Running, program};
use integration_tests::strict_influxdb::version2::{Bucket, Look};
use integration_tests::strict_influxdb::{Strict, Version2};
use simulator::SiteConfig;

use super::starts::{Places, secret_text};
use super::yaml::{document, texts};
use super::{compose, images, text};

/// Where the stack's simulator is steered.
const CONTROL: &str = "127.0.0.1:9790";
const ORG: &str = "footman";
const BUCKET: &str = "qliksense";
const SERVERS: [&str; 3] = ["sense1", "sense2", "sense3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_profile_carries_a_simulated_site_into_the_database() {
    let mut places = Places::new();
    let site = SiteConfig::for_test().unwrap().first_address;
    let _simulator = simulator(&mut places, site).await;

    let (nats, subscribers) = nats(&places.path("secrets")).await;
    let influxdb = influxdb(&places).await;
    places.replace("tls://nats:4222", &format!("tls://localhost:{}", nats.port()));
    places.replace("http://influxdb:8086", &influxdb.url());
    // Sooner, for a test.
    places.replace("pollingInterval: 10000", "pollingInterval: 1000");
    for server in SERVERS {
        // The names of a network of containers do not resolve here.
        places.replace(&format!("host: {server}.corp.example"), &format!("host: {site}"));
        places.replace(&format!("hostIP: {server}.corp.example"), &format!("hostIP: {site}"));
    }
    let house = House::new(|_| places.here(&text("config/compose/demo.yaml")));
    let verified = SERVERS.map(|s| format!("{s:?}:{{\"tlsServerName\":\"{s}.corp.example\"}}"));
    let verified = format!("{{{}}}", verified.join(","));
    let mut collector =
        told(house.collector("demo"), &places).with(("FOOTMAN__COLLECTOR__SERVERS", verified));
    // Scaled, as `--scale writer=2` does it.
    let mut writers = [told(house.writer("first"), &places), told(house.writer("second"), &places)];
    collector.start().await;
    for writer in &mut writers {
        writer.start().await;
    }

    collector.ready().await;
    for writer in &writers {
        writer.ready().await;
    }
    let stored = || async {
        influxdb.with(|influxdb| {
            let health = influxdb.store(BUCKET).table.points("cpu");
            let mut names: Vec<String> =
                health.map(|(point, _)| point.tags["server_name"].clone()).collect();
            names.sort();
            names.dedup();
            names
        })
    };
    eventually_equal("health of every server", SERVERS.map(str::to_owned).to_vec(), stored).await;
    let shown = subscribed(&places.path("secrets"), subscribers).await;
    assert!(shown.contains("\"type\":\"qliksense.health.v1\""), "{shown}");
    for running in writers.iter().chain([&collector]) {
        let asked = running.command(&["--health"]).status().unwrap();
        assert!(asked.success(), "the health check of {}", running.name());
        assert!(!running.printed().contains("the text of"), "a password was printed");
    }
}

/// A program with the variables of its service.
fn told(running: Running, places: &Places) -> Running {
    let variables = places.variables(running.name());
    variables
        .into_iter()
        .fold(running, |running, (name, value)| running.with((String::leak(name), value)))
}

/// The simulator with the command of its service, once it is healthy as its image finds out.
async fn simulator(places: &mut Places, first: Ipv4Addr) -> Process {
    let control = format!("127.0.0.1:{}", free_port());
    let certificates = places.path("demo-certificates").display().to_string();
    let here = |text: &str| {
        let text = text.replace("0.0.0.0", &first.to_string()).replace(CONTROL, &control);
        text.replace("/certificates", &certificates)
    };
    let file = document(compose::FILE);
    let arguments = texts(&file["services"]["simulator"]["command"]);
    let mut command = Command::new(program("simulator"));
    command.args(arguments.into_iter().map(here));
    let process = Process::start(&mut command, &places.path("simulator.log"));
    let health = images::Dockerfile::read().stage("simulator").health();
    let health: Vec<String> = health.iter().map(|word| here(word)).collect();
    eventually("the simulator to be healthy", || async {
        let asked = Command::new(program(&health[0])).args(&health[1..]).output().unwrap();
        asked.status.success().then_some(())
    })
    .await;
    assert!(places.path("demo-certificates").join("client_key.pem").exists(), "then it has them");
    process
}

/// A NATS server that speaks TLS and knows the users of the stack by the passwords in the files,
/// with what `config/compose/nats.conf` adds for subscribers; returned with their port.
async fn nats(secrets: &Path) -> (NatsServer, u16) {
    let file = |name: &str| secrets.join(name).display().to_string();
    let users = ["collector", "writer", "subscriber"]
        .map(|user| (user, secret_text(&format!("broker-{user}-password"))))
        .map(|(user, password)| format!("{{user: {user}, password: {password:?}}}"));
    let base = format!(
        "server_name: footman\ntls {{ cert_file: {:?}, key_file: {:?}, timeout: 5 }}\n\
         mqtt {{ host: \"127.0.0.1\", port: 1 }}\nauthorization {{ users: [{}] }}\n",
        file("broker-cert.pem"),
        file("broker-key.pem"),
        users.join(", "),
    );
    let port = free_port();
    let stack = text("config/compose/nats.conf")
        .replace("include \"nats.conf\"", &base)
        .replace("/run/secrets", &secrets.display().to_string())
        .replace("0.0.0.0", "127.0.0.1")
        .replace("port: 8883", &format!("port: {port}"));
    (NatsServer::start_with(&stack).await, port)
}

/// One message that `mosquitto_sub` of the guide receives as the subscriber, over TLS.
async fn subscribed(secrets: &Path, port: u16) -> String {
    let mut command = Command::new("mosquitto_sub");
    command
        .args(["-h", "localhost", "-p", &port.to_string(), "--cafile"])
        .arg(secrets.join("broker-ca.pem"))
        .args(["-u", "subscriber", "-P", &secret_text("broker-subscriber-password")])
        .args(["-V", "mqttv311"])
        .args(["-t", "qliksense/v1/health/+", "-C", "1", "-W", "30"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// InfluxDB 2 with the stack's organisation and bucket, and the token that its script makes.
async fn influxdb(places: &Places) -> Strict<Version2> {
    let token = std::fs::read_to_string(places.path("influxdb").join("writer-token")).unwrap();
    let version2 = Version2::new(ORG, &token).with_bucket(BUCKET, Bucket::default());
    Strict::start(Version2 { may_create: false, look: Look::Nothing, ..version2 }).await
}
