//! The programs over the shipped configurations: each as its own user, over TLS, into a real
//! InfluxDB.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::process::Process;
use integration_tests::programs::{House, Running};
use simulator::{ButlerSosOptions, Endpoint, Site, SiteConfig};

use super::mosquitto_roles::Client;
use super::nats_roles::Role;
use super::shipped::Shipped;

const DATABASE: &str = "senseops";
const INTERVAL: Duration = Duration::from_millis(500);

/// How the programs are told of the broker.
struct Section {
    kind: &'static str,
    /// The keys of an address.
    address: String,
    username: &'static str,
    password_file: &'static str,
}

fn nats(shipped: &Shipped) -> Section {
    Section {
        kind: "nats",
        address: format!("servers: [\"tls://localhost:{}\"], maxBytes: 256MiB", shipped.tls_port),
        username: "FOOTMAN__BROKER__NATS__USERNAME",
        password_file: "FOOTMAN__BROKER__NATS__PASSWORD_FILE",
    }
}

fn mqtt(shipped: &Shipped) -> Section {
    Section {
        kind: "mqtt",
        address: format!("url: \"mqtts://localhost:{}\", consumerSlots: 2", shipped.tls_port),
        username: "FOOTMAN__BROKER__MQTT__USERNAME",
        password_file: "FOOTMAN__BROKER__MQTT__PASSWORD_FILE",
    }
}

/// A configuration in which the user is the writer; others say so in their environment.
fn house(site: &Site, influxd: &Influxd, shipped: &Shipped, section: &Section) -> House {
    let Section { kind, address, .. } = section;
    let (password, ca) =
        (shipped.secret("broker-writer-password"), shipped.secret("broker-ca.pem"));
    House::new(|directory| {
        let more = format!(
            "  broker:\n    type: {kind}\n    {kind}: {{{address}, username: writer, passwordFile: \
             \"{}\", tls: {{ca: \"{}\"}}}}\n  collector:\n    outbox: {{directory: \"{}\"}}\n",
            password.display(),
            ca.display(),
            directory.join("outbox").display(),
        );
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: DATABASE.to_owned(),
            polling_interval: INTERVAL,
            session_interval: INTERVAL,
            app_names_interval: INTERVAL,
            more,
            ..ButlerSosOptions::default()
        })
    })
}

/// The program as a user of the broker.
fn as_user(program: Running, shipped: &Shipped, section: &Section, role: &str) -> Running {
    let password = shipped.secret(&format!("broker-{role}-password")).display().to_string();
    program.with((section.username, role.to_owned())).with((section.password_file, password))
}

async fn start_site() -> Site {
    Site::start(SiteConfig { servers: 2, ..SiteConfig::for_test().unwrap() }).await.unwrap()
}

/// Waits until the site has served more, and all that it served by then is stored.
async fn more_is_stored(site: &Site, influxd: &Influxd) {
    let served = site.ledger().count(0, Endpoint::Engine);
    site.ledger().wait_for_count(0, Endpoint::Engine, served + 2).await;
    let entries = site.ledger().entries();
    let calls = entries.iter().filter(|entry| entry.server == 0);
    let served: BTreeSet<i64> =
        calls.filter_map(|entry| Some(entry.facts.health()?.calls)).collect();
    let query = format!("SELECT calls FROM apps WHERE host = '{}'", site.servers()[0].address());
    eventually_equal("every answer in InfluxDB", BTreeSet::new(), || async {
        let rows = influxd.rows(DATABASE, &query).await;
        let stored: BTreeSet<i64> = rows.iter().filter_map(|row| row["calls"].as_i64()).collect();
        served.difference(&stored).copied().collect()
    })
    .await;
}

/// Waits until a dead letter says these words, and puts it back; refused again, it stays.
async fn a_letter_is_listed_and_replayed(house: &House) {
    eventually("a dead letter", || async {
        let (code, printed) = house.dead_letters(&["list"]).await;
        (code == Some(0) && printed.contains("no CloudEvents event")).then_some(())
    })
    .await;
    let (code, printed) = house.dead_letters(&["replay", "--all"]).await;
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("no CloudEvents event"), "{printed}");
    let (code, printed) = house.dead_letters(&["delete", "--all", "--yes"]).await;
    assert_eq!(code, Some(0), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_nats() {
    let (shipped, site, influxd) = (Shipped::new(), start_site().await, Influxd::start().await);
    let _server = shipped.nats("nats.conf").await;
    let section = nats(&shipped);
    let house = house(&site, &influxd, &shipped, &section);
    let mut writer = house.writer("w");
    writer.start().await;
    // The writer may not make the streams, and says who can.
    let why = eventually("the writer to miss the stream", || async {
        writer.missing("broker").await.filter(|why| why.contains("may not create it"))
    });
    let why = why.await;
    assert!(why.contains("start the collector first"), "{why}");
    let mut collector = as_user(house.collector("c"), &shipped, &section, "collector");
    collector.start().await;
    collector.ready().await;
    writer.ready().await;
    more_is_stored(&site, &influxd).await;

    let poison = Role::of(&shipped, "collector").await;
    poison.client.publish("qliksense.v1.health.foreign", "no event".into()).await.unwrap();
    poison.client.flush().await.unwrap();
    a_letter_is_listed_and_replayed(&house).await;

    // Other users cannot consume, and are told which right they lack.
    for (role, wanted) in [
        ("collector", "may not publish on $JS.API.CONSUMER.MSG.NEXT.QLIKSENSE.influxdb"),
        ("subscriber", "may not subscribe to _INBOX.subscriber.>"),
    ] {
        let mut other = as_user(house.writer("o"), &shipped, &section, role);
        other.start().await;
        eventually(&format!("a writer as {role} to be refused"), || async {
            let why = other.missing("broker").await?;
            (why.contains("broker.nats.username") && why.contains(wanted)).then_some(())
        })
        .await;
        assert_eq!(other.process().terminate().await.code(), Some(0), "{}", other.printed());
    }
    ended(collector, writer).await;
}

/// What a client of MQTT that knows a user's password hears, retained messages first.
fn listens(shipped: &Shipped, role: &str, topics: &[&str]) -> Process {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-v", "-h", "127.0.0.1", "-p", &shipped.mqtt_port.to_string(), "-u", role]);
    command.args(["-P", shipped.password(role).expose()]);
    command.args(topics.iter().flat_map(|topic| ["-t", topic]));
    Process::start(&mut command, &shipped.path(&format!("heard-{role}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn home_assistant_at_the_mqtt_listener_of_nats() {
    let (shipped, site, influxd) = (Shipped::new(), start_site().await, Influxd::start().await);
    let _server = shipped.nats("nats.conf").await;
    let section = nats(&shipped);
    let house = house(&site, &influxd, &shipped, &section);
    let password = shipped.secret("broker-collector-password").display().to_string();
    let mut collector = as_user(house.collector("c"), &shipped, &section, "collector")
        .with(("FOOTMAN__COLLECTOR__HOME_ASSISTANT__ENABLE", "true".to_owned()))
        .with((
            "FOOTMAN__COLLECTOR__HOME_ASSISTANT__URL",
            format!("mqtt://127.0.0.1:{}", shipped.mqtt_port),
        ))
        .with(("FOOTMAN__COLLECTOR__HOME_ASSISTANT__USERNAME", "collector".to_owned()))
        .with(("FOOTMAN__COLLECTOR__HOME_ASSISTANT__PASSWORD_FILE", password));
    collector.start().await;
    // A filter that ends in # also means the level before it, which the user may not hear.
    let topics = ["homeassistant/device/#", "qliksense/v1/state/+", "qliksense/v1/status/+/+"];
    let subscriber = listens(&shipped, "subscriber", &topics);
    let status = format!("qliksense/v1/status/collector/{}", collector.instance());
    let says = |what: String| {
        let subscriber = &subscriber;
        async move {
            eventually(&what, || async { subscriber.printed().contains(&what).then_some(()) })
                .await;
        }
    };
    says(format!("{status} online")).await;
    says(format!("qliksense/v1/state/{} {{", site.servers()[0].name())).await;
    says("homeassistant/device/".to_owned()).await;
    let devices = || subscriber.printed().matches("homeassistant/device/").count();
    // Home Assistant, which is this user, starts: everything is told again.
    let before = devices();
    let mut birth = Command::new("mosquitto_pub");
    birth.args(["-h", "127.0.0.1", "-p", &shipped.mqtt_port.to_string(), "-u", "subscriber"]);
    birth.args(["-P", shipped.password("subscriber").expose()]);
    birth.args(["-t", "homeassistant/status", "-m", "online"]);
    assert!(birth.status().unwrap().success());
    eventually("the birth to be answered", || async { (devices() > before).then_some(()) }).await;
    collector.kill();
    says(format!("{status} offline")).await;
    assert!(!collector.printed().contains("homeAssistant.username"), "{}", collector.printed());
}

async fn over_mosquitto(file: &str) {
    let (shipped, site, influxd) = (Shipped::new(), start_site().await, Influxd::start().await);
    let _server = shipped.mosquitto(file).await;
    let section = mqtt(&shipped);
    let house = house(&site, &influxd, &shipped, &section);
    let mut collector = as_user(house.collector("c"), &shipped, &section, "collector");
    let mut writers = [house.writer("w1"), house.writer("w2")];
    collector.start().await;
    for writer in &mut writers {
        writer.start().await;
    }
    collector.ready().await;
    for writer in &writers {
        writer.ready().await;
    }
    // Of the latest of everything, too, the broker takes all and tells what is there.
    eventually("the state topics' broker", || async {
        let connected = collector.metric("collector_announcer_connected").await;
        let published = collector.metric("collector_announcer_published_total").await;
        (connected == Some(1.0) && published > Some(2.0)).then_some(())
    })
    .await;
    let mut state = Client::of(&shipped, "subscriber").await;
    assert!(state.subscribe("qliksense/v1/state/+").await);
    assert!(state.receive().await.starts_with("qliksense/v1/state/sense"));
    assert!(!collector.printed().contains("refuses a subscription"), "{}", collector.printed());
    let mut subscriber = Client::of(&shipped, "subscriber").await;
    assert!(subscriber.subscribe("qliksense/v1/health/+").await);
    assert!(subscriber.receive().await.starts_with("qliksense/v1/health/sense"));
    more_is_stored(&site, &influxd).await;

    let poison = Client::of(&shipped, "collector").await;
    assert!(poison.publish("qliksense/v1/health/foreign", "no event").await);
    a_letter_is_listed_and_replayed(&house).await;

    // Others are told that it is the user who lacks a right.
    let elsewhere = ("FOOTMAN__COLLECTOR__OUTBOX__DIRECTORY", "another-outbox".to_owned());
    for mut other in [
        as_user(house.collector("o").with(elsewhere), &shipped, &section, "subscriber"),
        as_user(house.writer("o"), &shipped, &section, "collector"),
    ] {
        other.start().await;
        eventually(&format!("the {} to be refused", other.name()), || async {
            let why = other.missing("broker").await?;
            why.contains("forbids the user of broker.mqtt.username").then_some(())
        })
        .await;
    }
    let [first, second] = writers;
    ended(collector, first).await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_mosquitto_with_an_access_list() {
    over_mosquitto("mosquitto.conf").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_strict_mosquitto() {
    over_mosquitto("mosquitto-strict.conf").await;
}

/// Both end in good order, and neither has shown a password.
async fn ended(mut collector: Running, mut writer: Running) {
    for program in [&mut collector, &mut writer] {
        let ended = program.process().terminate().await;
        assert_eq!(ended.code(), Some(0), "{}", program.printed());
    }
}
