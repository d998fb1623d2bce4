//! `userIds`: what leaves the collector when names must not, looked for in every byte that is kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use integration_tests::influxd::Influxd;
use integration_tests::mosquitto::Mosquitto;
use integration_tests::nats::NatsServer;
use integration_tests::patience::eventually;
use integration_tests::programs::House;
use serde_json::Value;
use simulator::{ButlerSosOptions, Endpoint, Site, SiteConfig};

use crate::topics::ear::Ear;

const DATABASE: &str = "senseops";
const INTERVAL: Duration = Duration::from_millis(500);
/// Shorter names may be a part of anything.
const SHORTEST: usize = 6;
/// Names that are looked for: as many as are on at once.
const MOST_NAMES: usize = 30;
/// What InfluxDB fills the room with that it keeps free, in megabytes.
const ZEROS: [u8; 4096] = [0; 4096];
/// The one place that names nobody in any case.
const PAGES: &str = "the pages of the program";
/// Queries that give everything that is stored of users.
const STORED: [&str; 4] = [
    "SELECT * FROM user_session_details",
    "SELECT * FROM user_session_summary",
    "SELECT * FROM user_session_list",
    "SHOW SERIES",
];

/// What a run left behind.
struct Left {
    /// Where a name may be: what it is called, and what is there in lower case.
    places: Vec<(&'static str, String)>,
    /// What is stored of each session.
    details: Vec<Value>,
    /// What the first event of sessions says.
    event: Value,
}

/// Runs collector and writer over NATS until sessions of both servers are stored.
async fn run(site: &Site, settings: &str) -> Left {
    let (server, influxd) = (NatsServer::start().await, Influxd::start().await);
    let mosquitto = Mosquitto::start().await;
    let mut ear = Ear::at(mosquitto.port());
    let subscriber = server.client().await;
    let mut events = subscriber.subscribe("qliksense.>").await.unwrap();
    subscriber.flush().await.unwrap();
    let predecessor = format!(
        "mqttConfig: {{enable: true, brokerHost: 127.0.0.1, brokerPort: {}, baseTopic: b/}}",
        mosquitto.port()
    );
    let house = House::new(|directory| {
        std::fs::write(directory.join("user-id-key"), "0123456789abcdef0123456789abcdef\n")
            .unwrap();
        let outbox = directory.join("outbox");
        let more = format!(
            "  broker: {{type: nats, nats: {{servers: [\"nats://127.0.0.1:{}\"]}}}}\n  collector:\n    \
             outbox: {{directory: \"{}\"}}\n    {settings}\n",
            server.port(),
            outbox.display()
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
        .replace("mqttConfig: {enable: false}", &predecessor)
    });
    let mut footman = house.footman();
    footman.start().await;
    let details = eventually("sessions of both servers", || async {
        let rows = influxd.rows(DATABASE, STORED[0]).await;
        let servers: BTreeSet<_> = rows.iter().map(|row| row["server_name"].to_string()).collect();
        (servers.len() == site.servers().len()).then_some(rows)
    })
    .await;
    hears_sessions(&mut ear, site).await;
    let mut published = Vec::new();
    let mut event = Value::Null;
    while let Ok(Some(message)) =
        tokio::time::timeout(Duration::from_millis(100), events.next()).await
    {
        if event.is_null() && message.subject.contains(".sessions.") {
            event = serde_json::from_slice(&message.payload).unwrap();
        }
        published.extend_from_slice(&message.payload);
    }
    let mut stored = String::new();
    for query in STORED {
        stored.extend(influxd.rows(DATABASE, query).await.iter().map(Value::to_string));
    }
    let mut pages = String::new();
    for path in ["/", "/metrics", "/readyz", "/api/state"] {
        pages.extend(footman.page(path).await.map(|(_, text)| text));
    }
    for gauge in [
        "collector_certificate_expiry_timestamp_seconds{certificate=\"client\",file=",
        "collector_certificate_expiry_timestamp_seconds{certificate=\"server\",server=",
    ] {
        assert!(pages.contains(gauge), "no {gauge} in {pages}");
    }
    footman.kill();
    // The configuration may name whom it likes; the key is not a name.
    std::fs::remove_file(house.directory().join("footman.yaml")).unwrap();
    let places = vec![
        ("the directory of the collector, with outbox and log", files(house.directory())),
        ("the disk of NATS", files(server.directory())),
        ("the disk of InfluxDB", files(influxd.directory())),
        ("the answers of InfluxDB", stored.to_lowercase()),
        ("what subscribers got", String::from_utf8_lossy(&published).to_lowercase()),
        ("the topics of the predecessor", ear.everything().to_lowercase()),
        (PAGES, pages.to_lowercase()),
    ];
    Left { places, details, event }
}

/// Waits until the sessions of every server were on the predecessor's topics.
async fn hears_sessions(ear: &mut Ear, site: &Site) {
    for server in site.servers() {
        let prefix = format!("b/{}/usersession", server.address());
        let has_sessions =
            |topic: &str, said: &[u8]| (topic.starts_with(&prefix) && said != b"[]").then_some(());
        ear.until("sessions on the predecessor's topics", has_sessions).await;
    }
}

/// What all files below a directory hold, in lower case, without the zeros of room kept free.
fn files(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&files(&path));
        } else {
            let bytes = std::fs::read(path).unwrap_or_default();
            let used = bytes.chunks(ZEROS.len()).filter(|piece| !ZEROS.starts_with(piece));
            let used: Vec<u8> = used.flatten().copied().collect();
            text.push_str(&String::from_utf8_lossy(&used).to_ascii_lowercase());
        }
    }
    text
}

/// Every user whom the site has named, in lower case, as far as the name is one that can be found.
fn names(site: &Site) -> BTreeSet<String> {
    let entries = site.ledger().entries();
    let sessions = entries.iter().filter_map(|entry| entry.facts.sessions()).flatten();
    let names = sessions.map(|session| session.user_id.to_lowercase());
    let plain = |name: &String| {
        name.len() >= SHORTEST && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    };
    names.filter(plain).take(MOST_NAMES).collect()
}

/// The places where one of the names is.
fn found(left: &Left, names: &BTreeSet<String>) -> Vec<String> {
    let all = left.places.iter().flat_map(|place| names.iter().map(move |name| (place, name)));
    all.filter(|((_, text), name)| text.contains(name.as_str()))
        .map(|((place, _), name)| format!("{name} in {place}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_nowhere_when_they_must_not_be() {
    let config = SiteConfig { servers: 2, ..SiteConfig::for_test().unwrap() };
    let site = Site::start(config).await.unwrap();

    // That names are found at all where they may be.
    let clear = run(&site, "userIds: clear").await;
    for (place, _) in clear.places.iter().filter(|(place, _)| *place != PAGES) {
        let told = found(&clear, &names(&site));
        assert!(told.iter().any(|told| told.ends_with(place)), "nothing in {place}: {told:?}");
    }

    let hashed = run(&site, "userIds: hmac\n    userIdKeyFile: user-id-key").await;
    assert_eq!(found(&hashed, &names(&site)), Vec::<String>::new());
    assert_eq!(hashed.event["data"]["userIdKey"].as_str().map(str::len), Some(8));
    let of = |server: usize| -> BTreeSet<String> {
        let name = site.servers()[server].name();
        let rows = hashed.details.iter().filter(|row| row["server_name"] == name);
        rows.map(|row| row["user_session_user_id"].as_str().unwrap().to_owned()).collect()
    };
    let is_hash = |id: &String| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(of(0).iter().chain(&of(1)).all(is_hash), "{:?}", of(0));

    let dropped = run(&site, "userIds: drop").await;
    assert_eq!(found(&dropped, &names(&site)), Vec::<String>::new());
    assert!(dropped.event["data"]["userCount"].as_u64().unwrap() > 0);
    assert!(dropped.details.iter().all(|row| row["user_session_user_id"].is_null()));
    assert!(site.ledger().count(0, Endpoint::Proxy) > 0);
}
