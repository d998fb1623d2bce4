//! What monitors of each kind are asked.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Part;
use super::fake::{Answer, Asked, Fake};
use crate::config::Heartbeat;
use crate::heartbeat::Monitored;
use crate::heartbeat::address::Address;
use crate::heartbeat::client::Client;
use crate::heartbeat::monitor::Monitor;
use crate::readiness::Readiness;
use crate::secret::Secret;

const UUID: &str = "5a8ef0c2-1f2e-4a3b-9c4d-0123456789ab";
/// Beats may follow each other sooner than in earnest, though not with each second's firing.
const APART: Duration = Duration::from_millis(2_500);
const OK: Answer = Answer::Text("OK");
const KUMA_OK: Answer = Answer::Text(r#"{"ok":true}"#);

fn address(url: &str) -> Address {
    Address::new(&Secret::new(url), "footman", "host1").unwrap()
}

/// Calls once for a program that is well, or is not for a reason.
async fn call(url: &str, state: Result<(), &str>) -> Result<(), String> {
    let address = address(url);
    let call = match state {
        Ok(()) => address.good(),
        Err(why) => address.failing(why).expect("the monitor has a word for it"),
    };
    Client::new().call(&call).await.map_err(|trouble| trouble.to_string())
}

fn asked(line: &str, body: &str) -> Asked {
    Asked { line: line.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn healthchecks_is_pinged_and_told_why() {
    let fake = Fake::start(OK).await;
    let check = fake.url(&format!("/ping/{UUID}"));
    assert_eq!(call(&check, Ok(())).await, Ok(()));
    assert_eq!(call(&check, Err("no poll has ended\nfor 121 s")).await, Ok(()));
    fake.answers([Answer::Status(201)]);
    let slug = fake.url("/ping/k3y/{process}-%7Binstance%7D/?create=1");
    assert_eq!(call(&slug, Ok(())).await, Ok(()));
    assert_eq!(call(&slug, Err("x")).await, Ok(()));
    assert_eq!(
        fake.asked(),
        [
            asked(&format!("GET /ping/{UUID}"), ""),
            asked(&format!("POST /ping/{UUID}/fail"), "no poll has ended\nfor 121 s"),
            asked("GET /ping/k3y/footman-host1/?create=1", ""),
            asked("POST /ping/k3y/footman-host1/fail?create=1", "x"),
        ]
    );
}

#[tokio::test]
async fn an_unknown_check_is_not_tried_again() {
    let fake = Fake::start(Answer::Status(404)).await;
    let check = fake.url(&format!("/ping/{UUID}"));
    assert_eq!(call(&check, Ok(())).await.unwrap_err(), "the answer is 404 Not Found");
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn uptime_kuma_is_judged_by_its_words() {
    let fake = Fake::start(KUMA_OK).await;
    let push = fake.url("/api/push/t0ken?status=up&msg=OK&ping=");
    assert_eq!(call(&push, Ok(())).await, Ok(()));
    assert_eq!(call(&push, Err("no write")).await, Ok(()));
    assert_eq!(
        fake.asked(),
        [
            asked("GET /api/push/t0ken?status=up&msg=OK&ping=", ""),
            asked("GET /api/push/t0ken?status=down&msg=no+write&ping=", ""),
        ]
    );
    fake.answers([Answer::Text(r#"{"ok":false,"msg":"t0ken"}"#), OK, Answer::Status(404)]);
    assert_eq!(call(&push, Ok(())).await.unwrap_err(), "the answer says ok: false");
    assert_eq!(call(&push, Ok(())).await.unwrap_err(), "the answer is not Uptime Kuma's");
    assert_eq!(call(&push, Ok(())).await.unwrap_err(), "the answer is 404 Not Found");
    assert_eq!(fake.asked().len(), 5);
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times() {
    let fake = Fake::start(OK).await;
    fake.answers([Answer::Status(503), Answer::Status(429)]);
    assert_eq!(call(&fake.url("/alive?a=b"), Ok(())).await, Ok(()));
    assert_eq!(fake.asked(), [(); 3].map(|()| asked("GET /alive?a=b", "")));
    fake.otherwise(Answer::Status(500));
    let ended = call(&fake.url("/alive"), Ok(())).await;
    assert_eq!(ended.unwrap_err(), "the answer is 500 Internal Server Error");
    assert_eq!(fake.asked().len(), 6);
}

#[tokio::test]
async fn redirects_are_followed_within_a_host() {
    let (fake, other) = (Fake::start(OK).await, Fake::start(OK).await);
    fake.answers([Answer::Redirect("/new/place".to_owned())]);
    assert_eq!(call(&fake.url("/old"), Ok(())).await, Ok(()));
    assert_eq!(fake.lines(2).await, ["GET /old", "GET /new/place"]);
    let elsewhere = format!("http://localhost:{}/ping", other.address.port());
    fake.answers([Answer::Redirect(elsewhere)]);
    let told = call(&fake.url("/old"), Ok(())).await.unwrap_err();
    assert!(told.contains("307") && told.contains("redirect"), "{told}");
    assert_eq!(other.asked(), []);
    fake.otherwise(Answer::Redirect("/again".to_owned()));
    let told = call(&fake.url("/again"), Ok(())).await.unwrap_err();
    assert!(told.contains("circle"), "{told}");
    assert_eq!(fake.asked().len(), 3 + 6);
}

/// A monitor of `url` that beats each second, as far as beats may.
fn beating(
    url: &str,
    part: &Arc<Part>,
    readiness: &Readiness,
    failures: bool,
) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    beating_each(APART, url, part, readiness, failures)
}

/// A monitor of `url` whose beats are `apart`.
fn beating_each(
    apart: Duration,
    url: &str,
    part: &Arc<Part>,
    readiness: &Readiness,
    failures: bool,
) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let monitored = Monitored {
        process: "footman",
        heartbeat: Heartbeat {
            url: Secret::new(url),
            frequency: "every 1 second".parse().unwrap(),
        },
        readiness: readiness.clone(),
        needs: |name| name != "none of ours",
        vital: Arc::clone(part) as Arc<dyn crate::heartbeat::Vital>,
        failures,
    };
    let stop = CancellationToken::new();
    let mut monitor = Monitor::new(monitored, "host1", Client::new()).unwrap();
    monitor.apart = apart;
    (stop.clone(), tokio::spawn(monitor.run(stop)))
}

#[tokio::test]
async fn a_program_that_is_not_ready_says_so_where_it_can() {
    let (part, readiness) = (Part::new(), Readiness::default());
    let influxdb = readiness.dependency("influxdb");
    influxdb.down("connection refused");
    readiness.dependency("none of ours").down("who cares");
    let [check, other, quiet] =
        [Fake::start(OK).await, Fake::start(OK).await, Fake::start(OK).await];
    let path = format!("/ping/{UUID}");
    let running = [
        beating(&check.url(&path), &part, &readiness, true),
        beating(&other.url("/alive"), &part, &readiness, true),
        beating(&quiet.url(&path), &part, &readiness, false),
    ];
    assert_eq!(check.lines(1).await, [format!("POST {path}/fail")]);
    assert_eq!(check.asked()[0].body, "not ready: influxdb: connection refused");
    assert!(other.asked().is_empty() && quiet.asked().is_empty());
    influxdb.up();
    // The others were never beaten, so their first beat follows at once.
    assert_eq!(other.lines(1).await, ["GET /alive"]);
    assert_eq!(quiet.lines(1).await, [format!("GET {path}")]);
    for (stop, running) in running {
        stop.cancel();
        running.await.unwrap();
    }
}

#[tokio::test]
async fn beats_keep_their_distance_and_tell_of_dishonesty() {
    let (part, readiness) = (Part::new(), Readiness::default());
    let fake = Fake::start(KUMA_OK).await;
    let begun = std::time::Instant::now();
    let (stop, running) = beating(&fake.url("/api/push/t0ken"), &part, &readiness, true);
    assert_eq!(fake.lines(1).await, ["GET /api/push/t0ken?status=up&msg=OK&ping="]);
    part.set(Some("no poll"));
    let lines = fake.lines(2).await;
    assert_eq!(lines[1], "GET /api/push/t0ken?status=down&msg=no+poll&ping=");
    assert!(begun.elapsed() >= APART, "{:?}", begun.elapsed());
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn the_first_good_beat_follows_readiness_whatever_was_before() {
    let (part, readiness) = (Part::new(), Readiness::default());
    let broker = readiness.dependency("broker");
    let fake = Fake::start(OK).await;
    let (url, apart) = (fake.url("/ping/k3y/footman"), Duration::from_hours(1));
    let (stop, running) = beating_each(apart, &url, &part, &readiness, true);
    assert_eq!(fake.lines(1).await, ["POST /ping/k3y/footman/fail"]);
    broker.up();
    let begun = std::time::Instant::now();
    assert_eq!(fake.lines(2).await[1], "GET /ping/k3y/footman");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    stop.cancel();
    running.await.unwrap();
}
