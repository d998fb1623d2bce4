//! The page over HTTP: what is served, to whom, with which headers, and how streams end.

use std::time::Duration;

use base64::Engine as _;
use reqwest::{Client, Response};
use shared::config::CollectorHttp;
use shared::event::Counters;
use shared::heartbeat::Heard;
use shared::readiness::Readiness;
use shared::secret::Secret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::live::LISTENERS;
use super::*;
use crate::latest::Latest;
use crate::latest::tests::endpoint;
use crate::metrics::Metrics;

struct NoPart;

impl Vital for NoPart {
    fn honest(&self) -> Result<(), String> {
        Ok(())
    }

    fn counters(&self) -> Counters {
        Counters { stored: Some(1_234_567), ..Counters::default() }
    }
}

/// A served page.
struct Served {
    address: String,
    latest: Arc<Latest>,
    heard: Arc<Heard>,
    client: Client,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    following: tokio::task::JoinHandle<Result<(), std::convert::Infallible>>,
}

async fn serve(password_hash: Option<Secret>) -> Served {
    shared::lifecycle::install_crypto();
    let (latest, heard) = (Arc::new(Latest::default()), Arc::new(Heard::default()));
    latest.polls(&[endpoint("health/sense1")]);
    let site = Arc::new(Site {
        latest: Arc::clone(&latest),
        heard: Arc::clone(&heard),
        metrics: Arc::new(Metrics::default()),
        readiness: Readiness::default(),
        vital: Arc::new(NoPart),
        program: ProgramName {
            process: "collector".to_owned(),
            instance: "host1".to_owned(),
            version: "0.1.0".to_owned(),
        },
        show_users: false,
        history: History::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap();
    let http = CollectorHttp { listen: local, password_hash, show_users: false };
    let live = Arc::new(Live::default());
    let page = router(Arc::clone(&site), Arc::clone(&live), Door::new(&http));
    let open = Router::new().route("/healthz", get(|| async { "ok\n" }));
    let stop = CancellationToken::new();
    Served {
        address: format!("http://{local}"),
        latest,
        heard,
        client: Client::new(),
        following: tokio::spawn(live::follow(site, live, stop.child_token())),
        serving: tokio::spawn(shared::status::serve(listener, open.merge(page), stop.clone())),
        stop,
    }
}

impl Served {
    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.address)).send().await.unwrap()
    }

    async fn get_with(&self, path: &str, password: &str) -> Response {
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("any:{password}"));
        let request = self.client.get(format!("{}{path}", self.address));
        request.header("authorization", format!("Basic {encoded}")).send().await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        self.following.await.unwrap().unwrap();
    }
}

/// The next update of a stream.
async fn update(stream: &mut Response) -> serde_json::Value {
    let mut text = String::new();
    loop {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        if let Some((event, _)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_served_and_with_which_headers() {
    let served = serve(None).await;
    let assets = assets::ASSETS.map(|(path, kind, _)| (path, kind));
    let pages = [("/", "text/html; charset=utf-8"), ("/api/state", "application/json")];
    let mut bytes = 0;
    for (path, kind) in pages.into_iter().chain(assets) {
        let answer = served.get(path).await;
        assert_eq!((answer.status().as_u16(), path), (200, path));
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), kind);
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        let text = answer.text().await.unwrap();
        bytes += text.len();
        assert!(!text.contains("https://"), "{path} names another place");
        assert!(!text.contains(" style="), "{path} has what the policy forbids");
    }
    assert!(bytes < 40_000, "the page has {bytes} bytes");
    let state: serde_json::Value = served.get("/api/state").await.json().await.unwrap();
    assert_eq!(state["servers"][0]["name"], "sense1");
    assert_eq!(state["pipeline"]["stored"], 1_234_567);
    assert!(served.get("/").await.text().await.unwrap().contains("1,234,567"));
    served.end().await;
}

#[tokio::test]
async fn only_names_of_this_machine_without_a_password() {
    let served = serve(None).await;
    let asked_as = |host: &'static str| {
        served.client.get(format!("{}/api/state", served.address)).header("host", host).send()
    };
    let answer = asked_as("evil.example:9701").await.unwrap();
    assert_eq!(answer.status().as_u16(), 421);
    let text = answer.text().await.unwrap();
    assert!(text.contains("passwordHash") && !text.contains("sense1"), "{text}");
    assert_eq!(asked_as("localhost:9701").await.unwrap().status().as_u16(), 200);
    served.end().await;
}

#[tokio::test]
async fn everything_of_the_page_is_behind_the_password_and_nothing_else() {
    let params = argon2::Params::new(64, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash: argon2::PasswordHash =
        argon2::PasswordHasher::hash_password(&argon2, b"open sesame 1").unwrap();
    let served = serve(Some(Secret::new(hash.to_string()))).await;
    for path in ["/", "/api/state", "/events", "/assets/page.js", "/assets/bad.svg"] {
        let refused = served.get(path).await;
        assert_eq!((refused.status().as_u16(), path), (401, path));
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        assert!(refused.headers().contains_key("content-security-policy"));
        assert!(!refused.text().await.unwrap().contains("sense1"));
        assert_eq!(served.get_with(path, "open sesame 2").await.status().as_u16(), 401);
        let let_in = served.get_with(path, "open sesame 1").await;
        assert_eq!((let_in.status().as_u16(), path), (200, path));
    }
    assert_eq!(served.get("/healthz").await.status().as_u16(), 200);
    served.end().await;
}

#[tokio::test]
async fn a_stream_begins_with_everything_and_tells_changes() {
    let served = serve(None).await;
    let mut stream = served.get("/events").await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = update(&mut stream).await;
    assert_eq!(first["order"], serde_json::json!(["server-sense1"]));
    let parts = first["parts"].as_object().unwrap();
    let names: Vec<&str> = parts.keys().map(String::as_str).collect();
    assert_eq!(names, ["flow", "needs", "programs", "server-sense1", "summary"]);
    served.latest.polls(&[endpoint("health/sense1"), endpoint("health/sense2")]);
    state::tests::note_beat(&served.heard, "w1");
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let next = update(&mut stream).await;
        if next["parts"].get("server-sense2").is_some() {
            assert_eq!(next["order"], serde_json::json!(["server-sense1", "server-sense2"]));
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "no update told of the new server");
    }
    served.end().await;
}

#[tokio::test]
async fn streams_are_bounded_and_end_with_the_program() {
    let served = serve(None).await;
    let mut streams = Vec::new();
    for _ in 0..LISTENERS {
        let stream = served.get("/events").await;
        assert_eq!(stream.status().as_u16(), 200);
        streams.push(stream);
    }
    let refused = served.get("/events").await;
    assert_eq!(refused.status().as_u16(), 503);
    assert!(refused.text().await.unwrap().contains("close some"));
    // A page that is closed makes room.
    drop(streams.pop());
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while served.get("/events").await.status().as_u16() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "no place became free");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // With all these open, the end is not held up.
    tokio::time::timeout(Duration::from_secs(20), served.end()).await.unwrap();
    let mut last = streams.pop().unwrap();
    while let Ok(Some(_rest)) = last.chunk().await {}
}
