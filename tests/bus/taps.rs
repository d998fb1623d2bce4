//! `footman tap` beside the programs, and alone with a broker.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::process::{Process, Resident, free_port};
use integration_tests::programs::{House, program};
use serde_json::Value;
use tempfile::TempDir;

use crate::brokers::SharedBroker;
use crate::site::{self, HealthId};

/// What a tap says once it hears.
const LISTENING: &str = "listening at";
/// An event that can be decoded.
const BEAT: &str = r#"{"specversion":"1.0","id":"1","source":"/footman/writer/w","type":"qliksense.heartbeats.v1","subject":"writer/w","time":"2026-11-21T08:15:30Z","data":{"process":"writer","instance":"w","version":"1","started":"2026-11-21T08:00:00Z","uptimeS":930,"honest":true,"memory":{}}}"#;
const BEATS: &str = "qliksense/v1/heartbeats/writer/w";

/// Taps that are fast, stand still, and are killed, while the programs do their work: every event
/// reaches InfluxDB, and none of them twice the writer.
pub(crate) async fn disturb_nobody<B: SharedBroker>() {
    let (mut broker, site, influxd) = (B::prepare(), site::start().await, Influxd::start().await);
    broker.restart().await;
    let house = site::house(&site, &influxd, &broker.section());
    let mut fast = tap(&house, "fast", &["--json", "--kind", "health"]).await;
    let (mut collector, mut writer) = (house.collector("c"), house.writer("w"));
    collector.start().await;
    // Nobody stores yet, and a tap is nobody: what is polled now has to wait for the writer.
    site::serves(&site, 3).await;
    writer.start().await;
    let mut still = tap(&house, "still", &[]).await;
    let mut killed = tap(&house, "killed", &["--json"]).await;
    site::serves(&site, 2).await;
    still.signal("STOP");
    site::serves(&site, 2).await;
    killed.kill();
    site::serves(&site, 2).await;
    let served = site::served_health(&site);
    site::everything_is_stored(&site, &influxd).await;
    assert_eq!(writer.metric("writer_redeliveries_total").await, Some(0.0));
    assert_eq!(writer.metric("writer_events_dead_lettered_total").await, Some(0.0));
    eventually_equal("every answer in the tap", BTreeSet::new(), || async {
        served.difference(&health_of(&fast.printed())).cloned().collect::<BTreeSet<_>>()
    })
    .await;
    assert!(!fast.printed().contains("skipped"), "{}", fast.printed());

    still.signal("CONT");
    let shown = still.printed().lines().count();
    eventually("the tap goes on", || async {
        (still.printed().lines().count() > shown + 4).then_some(())
    })
    .await;
    for tap in [&mut fast, &mut still] {
        assert_eq!(tap.terminate().await.code(), Some(0), "{}", tap.printed());
    }
    assert_eq!(broker.left_by_taps().await, Vec::<String>::new());
    let lines = still.printed();
    for words in ["  health        sense1", "  sessions      sense2"] {
        assert!(lines.contains(words), "{words} in {lines}");
    }
    assert!(!names_of_users(&killed.printed()).is_empty(), "{}", killed.printed());
    let named = names_of_users(&killed.printed());
    let named: Vec<_> = named.iter().filter(|name| lines.contains(name.as_str())).collect();
    assert!(named.is_empty(), "{named:?} in {lines}");
}

/// A tap in a house, which hears from now on.
async fn tap(house: &House, name: &str, arguments: &[&str]) -> Process {
    started(&mut house.tap(arguments), house.directory().join(format!("tap-{name}"))).await
}

async fn started(command: &mut Command, log: std::path::PathBuf) -> Process {
    let tap = Process::start(command, &log);
    eventually("the tap to listen", || async { tap.printed().contains(LISTENING).then_some(()) })
        .await;
    tap
}

fn events(printed: &str) -> Vec<Value> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn health_of(printed: &str) -> BTreeSet<HealthId> {
    let id = |event: &Value| {
        let data = &event["data"];
        // The ledger's addresses have no port.
        let (host, _port) = data["server"]["host"].as_str()?.rsplit_once(':')?;
        Some((host.to_owned(), data["health"]["apps"]["calls"].as_i64()?))
    };
    events(printed).iter().filter_map(id).collect()
}

fn names_of_users(printed: &str) -> BTreeSet<String> {
    let sessions = events(printed);
    let sessions = sessions.iter().filter_map(|event| event["data"]["sessions"].as_array());
    let ids = sessions.flatten().filter_map(|session| session["userId"].as_str());
    ids.map(str::to_owned).collect()
}

/// `footman tap` without a configuration.
fn tap_at(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program("footman"));
    command.args(["tap", "--url", url]).args(arguments).stdin(Stdio::null());
    command
}

async fn output(mut command: Command) -> (Output, String) {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

fn log(directory: &TempDir, name: &str) -> std::path::PathBuf {
    directory.path().join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_outlives_brokers_and_nonsense_and_ends_as_it_was_told() {
    let (mut mosquitto, directory) = (Mosquitto::start().await, tempfile::tempdir().unwrap());
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port());
    let mut tap = started(&mut tap_at(&url, &[]), log(&directory, "tap")).await;
    for payload in ["\u{1b}[2J no event", "{\"a\":1}"] {
        assert!(mosquitto.publish("qliksense/v1/health/x", payload.as_bytes(), &[]));
    }
    assert!(mosquitto.publish(BEATS, BEAT.as_bytes(), &[]));
    eventually("a line for each", || async {
        let printed = tap.printed();
        let undecodable = printed.matches("undecodable   qliksense/v1/health/x").count();
        (undecodable == 2 && printed.contains("writer/w  honest")).then_some(())
    })
    .await;
    assert!(!tap.printed().contains('\u{1b}'), "{}", tap.printed());

    mosquitto.kill();
    let away = || async { tap.printed().contains("; trying on").then_some(()) };
    eventually("a word about the broker", away).await;
    mosquitto.restart().await;
    let again = || async { tap.printed().contains("listening at 127.0.0.1").then_some(()) };
    eventually("a word about its return", again).await;
    eventually("an event after that", || async {
        mosquitto.publish(BEATS, BEAT.as_bytes(), &[]);
        (tap.printed().matches("writer/w  honest").count() > 1).then_some(())
    })
    .await;
    tap.signal("INT");
    assert_eq!(tap.ended().await.code(), Some(0), "{}", tap.printed());

    // A pipe whose reader goes: at once, although nothing more is published.
    let pipe = format!("{} tap --url {url} | head -1", program("footman").display());
    let mut piped = Command::new("bash");
    piped.args(["-c", &format!("set -o pipefail; {pipe}")]);
    let mut piped = started(&mut piped, log(&directory, "piped")).await;
    assert!(mosquitto.publish(BEATS, BEAT.as_bytes(), &[]));
    assert_eq!(piped.ended().await.code(), Some(0), "{}", piped.printed());

    let ends = [
        (vec!["--for", "1s"], Some(0), LISTENING),
        (vec!["--for", "1s", "--count", "1"], Some(1), "fewer events"),
        (vec!["--for", "1s", "--kind", "nothing"], Some(64), "failed-polls"),
    ];
    for (arguments, code, words) in ends {
        let (output, said) = output(tap_at(&url, &arguments)).await;
        assert_eq!(output.status.code(), code, "{said}");
        assert!(said.contains(words), "{words} in {said}");
    }
    let nowhere = format!("mqtt://127.0.0.1:{}", free_port());
    let (ended, said) = output(tap_at(&nowhere, &["--for", "1s"])).await;
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("does not answer") && said.contains("never reached"), "{said}");
    let (ended, said) = output(tap_at("mqtt://user:MARKER@broker", &[])).await;
    assert_eq!(ended.status.code(), Some(64), "{said}");
    assert!(said.contains("--password-file") && !said.contains("MARKER"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_over_nats_outlives_the_server_and_leaves_nothing() {
    let (mut server, directory) = (NatsServer::start().await, tempfile::tempdir().unwrap());
    let url = format!("nats://127.0.0.1:{}", server.port());
    let arguments = ["--json", "--server", "WRITER/W"];
    let mut tap = started(&mut tap_at(&url, &arguments), log(&directory, "tap")).await;
    hears_once_more(&server, &tap).await;
    // A tap makes no stream, so nothing of it is kept.
    let jetstream = async_nats::jetstream::new(server.client().await);
    assert!(jetstream.get_stream("QLIKSENSE").await.is_err());

    server.kill();
    eventually("a word about the server", || async {
        tap.printed().contains("; trying on").then_some(())
    })
    .await;
    server.restart().await;
    hears_once_more(&server, &tap).await;
    assert!(tap.printed().contains("listening at 127.0.0.1"), "{}", tap.printed());
    assert!(!tap.printed().contains("undecodable"), "{}", tap.printed());
    assert_eq!(tap.terminate().await.code(), Some(0), "{}", tap.printed());
}

/// Publishes, what the tap wants and what it does not, until it has heard one more.
async fn hears_once_more(server: &NatsServer, tap: &Process) {
    let (heard, client) = (events(&tap.printed()).len(), server.client().await);
    eventually("an event", || async {
        for (subject, payload) in
            [("qliksense.v1.health.other", "{}"), ("qliksense.v1.heartbeats.writer.w", BEAT)]
        {
            client.publish(subject, payload.into()).await.unwrap();
        }
        client.flush().await.unwrap();
        (events(&tap.printed()).len() > heard).then_some(())
    })
    .await;
}

/// Hardly anybody reads what a tap prints, and much more comes than it may keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_that_is_read_slowly_skips_events_and_says_how_many() {
    const EVENTS: usize = 40_000;
    let (mosquitto, directory) = (Mosquitto::start().await, tempfile::tempdir().unwrap());
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port());
    let said = log(&directory, "said");
    let mut command = tap_at(&url, &["--json", "--count", "10000"]);
    let mut tap = command
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(&said).unwrap();
    eventually("the tap to listen", || async { said().contains(LISTENING).then_some(()) }).await;
    let line = format!("{}\n", "x".repeat(2_000));
    let lines = line.repeat(EVENTS);
    assert!(mosquitto.publish("qliksense/v1/health/x", lines.as_bytes(), &["-l"]));
    let resident = Resident::of(tap.id());
    assert!(resident.own_peak() < 128 << 20, "{resident:?}");

    let mut output = BufReader::new(tap.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        let is_line = output.read_line(&mut line).unwrap() > 0;
        assert!(!is_line || line.contains("undecodable"), "{line}");
        is_line
    };
    let mut shown = 0;
    while !said().contains("skipped") {
        assert!(next(), "{}", said());
        shown += 1;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    while next() {
        shown += 1;
    }
    assert_eq!((shown, tap.wait().unwrap().code()), (10_000, Some(0)), "{}", said());
    let skipped = said();
    let skipped = skipped.lines().filter_map(|line| line.split_once(" events were skipped"));
    let counts = skipped.filter_map(|(words, _)| words.rsplit(' ').next()?.parse::<usize>().ok());
    let skipped: usize = counts.sum();
    assert!((1..=EVENTS - 10_000).contains(&skipped), "{}", said());
}
