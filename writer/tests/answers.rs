//! Every answer that InfluxDB may give, from a strict scripted one: nothing is lost, nothing is
//! acked too early, and what is wrong is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::support::fake::{Fake, Reply, error};
use crate::support::running::{Running, config, start, start_watched, v1};
use crate::support::{self, events, eventually};
use bytes::Bytes;
use shared::broker::memory::MemoryBroker;
use shared::broker::{DeadLetters as _, Outgoing};
use shared::timestamp::Timestamp;

/// Events of one line each; the app's id is `app-N.`.
fn apps(count: usize) -> Vec<Outgoing> {
    let now = Timestamp::now();
    (0..count).map(|number| events::app(now, &format!("app-{number}."), "Sales")).collect()
}

fn writer(fake: &Fake) -> Running {
    start(config(Some(v1(&fake.url(), None))))
}

#[tokio::test]
async fn a_204_acks() {
    let fake = Fake::start([]).await;
    let writer = start(config(Some(v1(&fake.url(), Some(("me", "secret"))))));
    writer.publish(apps(250)).await;
    writer.all_acked().await;
    writer.ready().await;
    assert_eq!(fake.stored().len(), 250);
    assert!(fake.writes().iter().all(|lines| lines.len() <= 100));
    assert_eq!(fake.authorizations(), ["Basic bWU6c2VjcmV0"]);
    let statement = "CREATE DATABASE \"sense ops\" WITH DURATION 10d REPLICATION 1 NAME \"10d\"";
    assert_eq!(fake.queries(), ["SHOW DATABASES", statement]);
    let counters = writer.metrics.counters();
    assert_eq!((counters.delivered, counters.stored), (Some(250), Some(250)));
    assert_eq!((counters.failed_writes, counters.redelivered), (Some(0), Some(0)));
    assert_eq!(counters.oldest_unwritten_s, Some(0.0));
    assert_eq!(writer.metrics.honesty(), Ok(()));
    writer.stop().await.unwrap();
    assert!(fake.stored().iter().all(|line| line.starts_with("app_names,app_id=app-")));
}

/// Would fail if an ack moved before the write, or out of the order of receipt.
#[tokio::test]
async fn acks_come_after_204_and_in_order() {
    // The first batch is answered last.
    let fake = Fake::start([Reply::StoredAfter(Duration::from_millis(300))]).await;
    let is_stored = fake.has_stored();
    let may_ack = Arc::new(move |payload: &[u8]| {
        let payload: serde_json::Value = serde_json::from_slice(payload).unwrap();
        is_stored(payload["data"]["apps"][0]["id"].as_str().unwrap())
    });
    let writer =
        start_watched(config(Some(v1(&fake.url(), None))), MemoryBroker::default(), may_ack);
    writer.publish(apps(100)).await;
    eventually("the first write is there", async || (fake.writes().len() == 1).then_some(())).await;
    writer.publish(apps(150).into_iter().skip(100)).await;
    eventually("the second batch is stored", async || (fake.stored().len() == 50).then_some(()))
        .await;
    assert_eq!(writer.broker.held(), 150, "the second batch must wait for the first");
    assert!(writer.acked.lock().unwrap().is_empty());
    writer.all_acked().await;
    assert_eq!(*writer.acked.lock().unwrap(), (0..150).collect::<Vec<_>>());
    writer.stop().await.unwrap();
}

#[tokio::test]
async fn busy_answers_are_waited_for() {
    let busy = |status, headers| Reply::Answer(status, headers, r#"{"error":"busy"}"#.to_owned());
    let fake = Fake::start([
        busy(503, "Retry-After: 1\r\n"),
        busy(429, ""),
        busy(408, ""),
        busy(500, ""),
        busy(504, "Retry-After: soon\r\n"),
    ])
    .await;
    let writer = writer(&fake);
    writer.publish(apps(3)).await;
    let why = writer.why_not_ready("503").await;
    assert!(why.contains("busy") && why.contains(&fake.url()), "{why}");
    assert_eq!(writer.broker.held(), 3);
    writer.all_acked().await;
    let times = fake.times();
    assert_eq!(times.len(), 6);
    assert!(times[1].duration_since(times[0]) >= Duration::from_secs(1));
    assert!(times[5].duration_since(times[1]) < Duration::from_secs(1));
    assert_eq!(writer.metrics.counters().failed_writes, Some(5));
    writer.ready().await;
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn wrong_configuration_keeps_everything_and_says_which() {
    for (status, expected) in [
        (401, "influxdbConfig.v1Config.auth"),
        (403, "influxdbConfig.v1Config.auth"),
        (200, "204 is expected"),
        (302, "204 is expected"),
    ] {
        let headers = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
        let reply = Reply::Answer(status, headers, r#"{"error":"no"}"#.to_owned());
        let fake = Fake::start([reply.clone(), reply]).await;
        let writer = writer(&fake);
        writer.publish(apps(3)).await;
        let why = writer.why_not_ready(expected).await;
        assert!(why.contains(&format!("answers {status}")), "{why}");
        assert_eq!(writer.broker.held(), 3);
        writer.all_acked().await;
        writer.ready().await;
        let times = fake.times();
        assert!(times[1].duration_since(times[0]) >= Duration::from_millis(60), "not slowly");
        assert_eq!(fake.stored().len(), 3);
    }
}

#[tokio::test]
async fn a_missing_database_is_made() {
    let fake = Fake::start([error(404, "database not found: \"sense ops\"")]).await;
    let writer = writer(&fake);
    eventually("the start has made it", async || (fake.queries().len() == 2).then_some(())).await;
    writer.publish(apps(1)).await;
    writer.all_acked().await;
    assert_eq!(fake.queries().len(), 4);
    assert_eq!(fake.writes().len(), 2);
}

#[tokio::test]
async fn without_the_right_to_make_it_the_command_is_said() {
    let fake =
        Fake::start([error(404, "database not found"), error(404, "database not found")]).await;
    fake.answer_queries(std::iter::repeat_n(error(403, "requires admin privilege"), 3));
    let writer = writer(&fake);
    writer.publish(apps(1)).await;
    let why = writer.why_not_ready("CREATE DATABASE").await;
    assert!(
        why.contains("CREATE DATABASE \"sense ops\" WITH DURATION 10d REPLICATION 1 NAME \"10d\""),
        "{why}"
    );
    assert!(why.contains("requires admin privilege"), "{why}");
    writer.all_acked().await;
    writer.ready().await;
}

#[tokio::test]
async fn too_large_is_halved_and_a_line_too_large_is_a_dead_letter() {
    let fake = Fake::start([]).await;
    fake.rule(|lines| {
        let bytes: usize = lines.iter().map(String::len).sum();
        if bytes > 1000 {
            Reply::Answer(413, "", r#"{"error":"Request Entity Too Large"}"#.to_owned())
        } else {
            Reply::Stored
        }
    });
    let writer = writer(&fake);
    let large = events::app(Timestamp::now(), "large", &"x".repeat(2000));
    writer.publish(apps(40).into_iter().chain([large])).await;
    writer.all_acked().await;
    assert_eq!(fake.stored().len(), 40);
    let letters = writer.dead_letters().await;
    assert_eq!((letters.len(), letters[0].http_status), (1, Some(413)));
    assert!(letters[0].lines[0].contains("app_id=large"));
}

#[tokio::test]
async fn one_bad_line_among_good_ones() {
    let fake = Fake::start([]).await;
    fake.rule(|lines| {
        let (bad, good): (Vec<String>, Vec<String>) =
            lines.iter().cloned().partition(|line| line.contains("app-37."));
        if bad.is_empty() {
            return Reply::Stored;
        }
        // As 1.x answers: good lines are stored, malformed ones are not counted as dropped.
        Reply::Partly(good, format!("partial write: unable to parse '{}' dropped=0", bad[0]))
    });
    let writer = writer(&fake);
    writer.publish(apps(100)).await;
    writer.all_acked().await;
    assert_eq!(fake.stored().len(), 99);
    let letters = writer.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].lines.len(), 1);
    assert!(letters[0].reason.contains("unable to parse"));
    let kept: serde_json::Value = serde_json::from_slice(&letters[0].payload().unwrap()).unwrap();
    assert_eq!(kept["data"]["apps"][0]["id"], "app-37.");
    let counters = writer.metrics.counters();
    assert_eq!((counters.stored, counters.dead_lettered), (Some(99), Some(1)));
    writer.ready().await;
}

#[tokio::test]
async fn a_measurement_in_conflict_is_settled_at_once() {
    let fake = Fake::start([]).await;
    fake.rule(|lines| {
        let (bad, good): (Vec<String>, Vec<String>) =
            lines.iter().cloned().partition(|line| line.starts_with("cpu,"));
        if bad.is_empty() {
            return Reply::Stored;
        }
        Reply::Partly(good, format!("partial write: field type conflict: dropped={}", bad.len()))
    });
    let writer = writer(&fake);
    let now = Timestamp::now().nanos();
    writer.publish((0..11).map(|poll| events::health(Timestamp::from_nanos(now + poll)))).await;
    writer.all_acked().await;
    let letters = writer.dead_letters().await;
    assert_eq!(letters.len(), 11);
    assert!(letters.iter().all(|letter| letter.lines.len() == 1));
    assert_eq!(fake.stored().len(), 11 * 8);
    // One batch: itself, and one request for each of its nine measurements.
    assert_eq!(fake.writes().len(), 10);
}

#[tokio::test]
async fn points_beyond_the_retention_policy_are_counted_and_not_kept() {
    let fake = Fake::start([]).await;
    fake.rule(|lines| {
        let (bad, good): (Vec<String>, Vec<String>) =
            lines.iter().cloned().partition(|line| line.ends_with(" 1000"));
        if bad.is_empty() {
            return Reply::Stored;
        }
        let dropped = bad.len();
        Reply::Partly(
            good,
            format!("partial write: points beyond retention policy dropped={dropped}"),
        )
    });
    let writer = writer(&fake);
    let old = events::app(Timestamp::from_nanos(1000), "old", "Old");
    writer.publish(apps(9).into_iter().chain([old])).await;
    writer.all_acked().await;
    assert_eq!(fake.stored().len(), 9);
    assert!(writer.dead_letters().await.is_empty());
    assert_eq!(writer.metrics.points_stored(), 9);
}

#[tokio::test]
async fn a_cardinality_limit_holds_and_names_its_setting() {
    let words = "partial write: max-series-per-database limit exceeded: (5) dropped=3";
    let fake = Fake::start([error(400, words), error(400, words)]).await;
    let writer = writer(&fake);
    writer.publish(apps(3)).await;
    let why = writer.why_not_ready("max-series-per-database").await;
    assert!(why.contains("raise `max-series-per-database`"), "{why}");
    assert_eq!(writer.broker.held(), 3);
    writer.all_acked().await;
    writer.ready().await;
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn half_answers_are_no_answers() {
    for reply in [Reply::Hang, Reply::HalfHead, Reply::HalfBody, Reply::HangUp] {
        let fake = Fake::start([reply.clone(), reply.clone()]).await;
        let writer = writer(&fake);
        writer.publish(apps(3)).await;
        let why = writer.why_not_ready("answer").await;
        if matches!(reply, Reply::Hang) {
            assert!(why.contains("within 0.5 s"), "{why}");
        }
        writer.all_acked().await;
        writer.ready().await;
        assert_eq!(fake.stored().len(), 3, "{reply:?}");
        assert!(writer.dead_letters().await.is_empty());
    }
}

#[tokio::test]
async fn an_influxdb_that_comes_later_gets_everything() {
    let port = support::free_port();
    let url = format!("http://user:secret@127.0.0.1:{port}");
    let writer = start(config(Some(v1(&url, None))));
    writer.publish(apps(3)).await;
    let why = writer.why_not_ready("no connection to").await;
    assert!(why.contains("refused") && !why.contains("secret"), "{why}");
    assert!(writer.metrics.counters().oldest_unwritten_s.is_some());
    let fake = Fake::start_on(port, []).await;
    writer.all_acked().await;
    writer.ready().await;
    assert_eq!(fake.stored().len(), 3);
}

#[tokio::test]
async fn what_is_no_event_becomes_a_dead_letter() {
    let fake = Fake::start([]).await;
    let writer = writer(&fake);
    let bytes =
        |text: &'static [u8]| events::outgoing("health", "x".to_owned(), Bytes::from_static(text));
    let unknown = br#"{"specversion":"1.0","id":"u1","source":"s","type":"qliksense.health.v9","time":"2026-11-21T08:15:30Z","data":{}}"#;
    writer.publish([bytes(b"\xff\xfe"), bytes(unknown)].into_iter().chain(apps(1))).await;
    writer.all_acked().await;
    let letters = writer.dead_letters().await;
    assert_eq!(letters.len(), 2);
    let unknown = letters.iter().find(|letter| letter.event.is_some()).unwrap();
    assert!(unknown.reason.contains("qliksense.health.v9"), "{}", unknown.reason);
    let binary = letters.iter().find(|letter| letter.event_base64.is_some()).unwrap();
    assert_eq!(binary.payload().unwrap(), b"\xff\xfe");
    assert_eq!(fake.stored().len(), 1);
}

/// Would fail if the ack of a replay moved before the removal of its letter: a crash in between
/// would leave a letter of what is stored.
#[tokio::test]
async fn a_letter_goes_before_the_ack_of_its_replay() {
    let fake = Fake::start([]).await;
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    fake.rule(move |_lines| {
        if mended.load(Ordering::Relaxed) {
            return Reply::Stored;
        }
        Reply::Partly(vec![], "partial write: field type conflict: dropped=1".to_owned())
    });
    let (broker, mended) = (MemoryBroker::default(), Arc::clone(&is_mended));
    let letters = broker.clone();
    let may_ack = Arc::new(move |_payload: &[u8]| {
        // It lies in memory, so that nothing is waited for.
        let mut headers = letters.headers();
        let headers = headers.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(headers)) = headers else { panic!("{headers:?}") };
        headers.is_empty() == mended.load(Ordering::Relaxed)
    });
    let writer = start_watched(config(Some(v1(&fake.url(), None))), broker, may_ack);
    let event = apps(1).remove(0);
    writer.publish([event.clone()]).await;
    writer.all_acked().await;
    assert_eq!(writer.dead_letters().await.len(), 1);
    is_mended.store(true, Ordering::Relaxed);
    let subject = event.subject.for_replay().unwrap();
    writer.publish([Outgoing { subject, ..event }]).await;
    writer.all_acked().await;
    assert!(writer.dead_letters().await.is_empty());
    assert_eq!(fake.stored().len(), 1);
    writer.stop().await.unwrap();
}

#[tokio::test]
async fn a_full_window_flushes_at_once() {
    let fake = Fake::start([]).await;
    let mut config = config(Some(v1(&fake.url(), None)));
    config.batch.max_age = Duration::from_hours(1);
    config.batch.max_points = 10;
    config.session_details = false;
    let writer = start(config);
    // Parts without lines never fill a batch: 10 x (2 + 1) of them fill the window.
    let now = Timestamp::now();
    let mut parts: Vec<Outgoing> = (0..30)
        .map(|_| {
            let event = events::sessions(now);
            let text = String::from_utf8(event.payload.to_vec()).unwrap();
            let text = text.replace(r#""part":1,"parts":1"#, r#""part":2,"parts":2"#);
            Outgoing { payload: Bytes::from(text), ..event }
        })
        .collect();
    let last = parts.pop();
    writer.publish(parts).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(writer.broker.held(), 29);
    writer.publish(last).await;
    writer.all_acked().await;
}

#[tokio::test]
async fn a_drain_flushes_what_is_in_hand() {
    let fake = Fake::start([]).await;
    let mut config = config(Some(v1(&fake.url(), None)));
    config.batch.max_age = Duration::from_hours(1);
    let writer = start(config);
    writer.publish(apps(5)).await;
    eventually("everything is received", async || {
        (writer.metrics.counters().delivered == Some(5)).then_some(())
    })
    .await;
    let broker = writer.broker.clone();
    writer.stop().await.unwrap();
    assert_eq!((fake.stored().len(), broker.held()), (5, 0));
}

#[tokio::test]
async fn a_drain_does_not_wait_for_an_influxdb_that_is_away() {
    let url = format!("http://127.0.0.1:{}", support::free_port());
    let writer = start(config(Some(v1(&url, None))));
    writer.publish(apps(500)).await;
    writer.why_not_ready("no connection to").await;
    let (broker, started) = (writer.broker.clone(), std::time::Instant::now());
    writer.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(broker.held(), 500);
}

#[tokio::test]
async fn a_drain_has_an_end_when_influxdb_hangs() {
    let fake = Fake::start([]).await;
    fake.rule(|_| Reply::Hang);
    let mut influxdb = v1(&fake.url(), None);
    influxdb.timeout = Duration::from_mins(1);
    let writer = start(config(Some(influxdb)));
    writer.publish(apps(5)).await;
    eventually("a write hangs", async || (fake.writes().len() == 1).then_some(())).await;
    let (broker, started) = (writer.broker.clone(), std::time::Instant::now());
    writer.stop().await.unwrap();
    let took = started.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?} with a grace of 2 s");
    assert_eq!(broker.held(), 5);
}

#[tokio::test]
async fn a_writer_that_dies_leaves_its_deliveries_to_the_next() {
    let fake = Fake::start([]).await;
    fake.rule(|_| Reply::Hang);
    let first = writer(&fake);
    first.publish(apps(5)).await;
    eventually("a write hangs", async || (fake.writes().len() == 1).then_some(())).await;
    let broker = first.broker.clone();
    first.kill().await;
    assert_eq!(broker.held(), 5);
    fake.rule(|_| Reply::Stored);
    let second = start_watched(config(Some(v1(&fake.url(), None))), broker, Arc::new(|_| true));
    second.all_acked().await;
    assert_eq!(fake.stored().len(), 5);
    assert_eq!(second.metrics.counters().redelivered, Some(5));
}

#[tokio::test]
async fn lines_go_to_a_file_where_influxdb_is_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("points.lp");
    let mut config = config(None);
    config.line_protocol_file = Some(path.clone());
    let writer = start(config);
    writer.publish(apps(250)).await;
    writer.all_acked().await;
    writer.ready().await;
    writer.stop().await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 250);
}

#[tokio::test]
async fn points_need_a_place_to_go() {
    let error = start(config(None)).stop().await.unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, writer::RunError::NoDestination));
    assert!(words.contains("influxdbConfig.enable") && words.contains("writer.lineProtocolFile"));
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_named() {
    let mut influxdb = v1("https://127.0.0.1:1", None);
    influxdb.ca = Some("missing.pem".into());
    let error = start(config(Some(influxdb))).stop().await.unwrap_err();
    assert!(matches!(error, writer::RunError::Connect(_)), "{error}");
}
