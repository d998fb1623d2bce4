//! Beats of a running program: in InfluxDB, and at the monitors of the whole and of its parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually;
use integration_tests::programs::FootmanRun;
use simulator::{ButlerSosOptions, Site};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::site::{self, DATABASE};

/// What Uptime Kuma wants to say, and nobody else minds.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}";

/// A monitor of every kind that remembers first lines and bodies.
#[derive(Clone, Default)]
struct Monitor {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Monitor {
    async fn start() -> (Self, u16) {
        let (monitor, listener) =
            (Self::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let port = listener.local_addr().unwrap().port();
        let listening = monitor.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                listening.clone().answer(connection).await;
            }
        });
        (monitor, port)
    }

    async fn answer(self, connection: TcpStream) {
        let mut connection = BufReader::new(connection);
        let (mut line, mut first, mut length) = (String::new(), None, 0);
        while connection.read_line(&mut line).await.unwrap() > 2 {
            let text = line.trim().to_ascii_lowercase();
            length = text.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
            first.get_or_insert_with(|| line.replace("HTTP/1.1", "").trim().to_owned());
            line.clear();
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await.unwrap();
        let asked = format!("{} {}", first.unwrap(), String::from_utf8(body).unwrap());
        self.asked.lock().unwrap().push(asked.trim().to_owned());
        connection.write_all(ANSWER).await.unwrap();
    }

    async fn is_asked(&self, wanted: &str) {
        eventually(wanted, || async {
            self.asked.lock().unwrap().iter().any(|line| line.starts_with(wanted)).then_some(())
        })
        .await;
    }
}

/// `footman run` with heartbeats of all kinds, as often as may be.
fn footman(site: &Site, influxd: &Influxd, monitor: u16) -> FootmanRun {
    let heartbeat = |path: &str| {
        let url = format!("http://127.0.0.1:{monitor}{path}");
        format!("heartbeat: {{enable: true, remoteURL: '{url}', frequency: every 1 second}}")
    };
    FootmanRun::prepare(|sections| {
        let text = site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxd.port(),
            database: DATABASE.to_owned(),
            polling_interval: Duration::from_secs(1),
            more: format!(
                "{sections}  collector: {{{}}}\n  writer: {{{}}}\n",
                heartbeat("/api/push/t0ken"),
                heartbeat("/alive/%7Bprocess%7D")
            ),
            ..ButlerSosOptions::default()
        });
        text.replace("heartbeat: {enable: false}", &heartbeat("/ping/k3y/%7Bprocess%7D"))
            .replace("every 15 minutes", "every 1 second")
    })
}

async fn field_types(influxd: &Influxd, measurement: &str) -> BTreeMap<String, String> {
    let rows = influxd.rows(DATABASE, &format!("SHOW FIELD KEYS FROM {measurement}")).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(&row["fieldKey"]), text(&row["fieldType"]))).collect()
}

fn types(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    let fields = |fields: &str, kind: &str| {
        let pair = |field: &str| (field.to_owned(), kind.to_owned());
        fields.split(' ').map(pair).collect::<Vec<_>>()
    };
    list.iter().flat_map(|(names, kind)| fields(names, kind)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beats_are_stored_with_the_right_types() {
    let (site, influxd) = (site::start(1).await, Influxd::start().await);
    let (_monitor, port) = Monitor::start().await;
    let mut footman = footman(&site, &influxd, port);
    footman.start().await;
    let beat = eventually("a heartbeat in InfluxDB", || async {
        let beats = "SELECT * FROM footman_heartbeat WHERE published > 0 AND stored > 0";
        influxd.rows(DATABASE, beats).await.pop()
    })
    .await;
    assert_eq!((&beat["process"], &beat["honest"]), (&"footman".into(), &true.into()));
    assert!(beat["resident_mb"].as_f64().unwrap() > 1.0, "{beat}");
    let expected = types(&[
        ("version", "string"),
        ("honest", "boolean"),
        ("uptime_s published confirmed delivered stored dead_lettered redelivered", "integer"),
        ("failed_writes outbox backlog lost", "integer"),
        ("oldest_unwritten_s resident_mb", "float"),
    ]);
    assert_eq!(field_types(&influxd, "footman_heartbeat").await, expected);

    let memory = eventually("the memory in InfluxDB", || async {
        influxd.rows(DATABASE, "SELECT * FROM butlersos_memory_usage").await.pop()
    })
    .await;
    assert_eq!(memory["butler_sos_instance"], "DEV");
    assert_eq!(memory["heap_total"], memory["heap_used"]);
    assert_eq!(memory["external"].as_f64(), Some(0.0));
    let [used, process] =
        ["heap_used", "process_memory"].map(|field| memory[field].as_f64().unwrap());
    assert!(used > 0.0 && process > used, "{memory}");
    let expected = types(&[("heap_used heap_total external process_memory", "float")]);
    assert_eq!(field_types(&influxd, "butlersos_memory_usage").await, expected);

    let ended = footman.process().terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", footman.printed());
    // The last beats were stored too.
    assert!(footman.printed().contains("Everything that was polled is stored"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitors_are_told_what_fails() {
    let (site, mut influxd) = (site::start(1).await, Influxd::start().await);
    let (monitor, port) = Monitor::start().await;
    let mut footman = footman(&site, &influxd, port);
    footman.start().await;
    monitor.is_asked("GET /ping/k3y/footman").await;
    monitor.is_asked("GET /api/push/t0ken?status=up&msg=OK&ping=").await;
    monitor.is_asked("GET /alive/writer").await;

    influxd.stop();
    eventually("the program to miss InfluxDB", || footman.missing("influxdb")).await;
    let before = monitor.asked.lock().unwrap().len();
    monitor.is_asked("POST /ping/k3y/footman/fail not ready: influxdb: ").await;
    eventually("the collector to be well all the same", || async {
        let asked = monitor.asked.lock().unwrap();
        let pushed = asked.iter().skip(before).find(|line| line.contains("/api/push/"));
        pushed.map(|line| assert!(line.contains("status=up"), "{line}"))
    })
    .await;
    let printed = footman.printed();
    assert!(!printed.contains("t0ken") && !printed.contains("k3y"), "{printed}");
}
