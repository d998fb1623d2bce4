//! InfluxDB 2.x.

use std::time::Duration;

use integration_tests::strict_influxdb::request::Reply;
use integration_tests::strict_influxdb::store::Scripted;
use integration_tests::strict_influxdb::version2::{Bucket, Look};
use integration_tests::strict_influxdb::{Strict, Version2};
use serde_json::json;
use shared::timestamp::Timestamp;

use crate::events;
use crate::running::{BUCKET, start, start_as_stranger, strict2, version2};

const TEN_DAYS: Duration = Duration::from_hours(240);

fn stored(server: &Strict<Version2>) -> usize {
    server.with(|server| server.store(BUCKET).table.len())
}

fn with_bucket() -> Version2 {
    strict2().with_bucket(BUCKET, Bucket::default())
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"code": code, "message": message}))
}

#[tokio::test]
async fn the_bucket_is_made_with_its_expiry_and_everything_is_stored() {
    for (retention, expected) in [("10d", Some(TEN_DAYS)), ("INF", None)] {
        let server = Strict::start(strict2()).await;
        let writer = start(&server, &version2(retention));
        writer.ready().await;
        let asked = ["GET /api/v2/buckets", "GET /api/v2/orgs", "POST /api/v2/buckets"];
        server.with(|server| {
            assert_eq!(server.others, asked);
            let bucket = &server.buckets[BUCKET];
            assert_eq!((bucket.retention, &*bucket.description), (expected, "Qlik"));
        });
        writer.publish(events::one_of_each(Timestamp::now())).await;
        writer.all_acked().await;
        assert!(writer.dead_letters().await.is_empty());
        assert_eq!(u64::try_from(stored(&server)).unwrap(), writer.metrics.points_stored());
        writer.stop().await;
    }
}

#[tokio::test]
async fn a_bucket_that_is_deleted_is_made_again() {
    let server = Strict::start(with_bucket()).await;
    let writer = start(&server, &version2("10d"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    writer.all_acked().await;
    assert_eq!(server.with(|server| server.buckets[BUCKET].retention), None, "it keeps its rules");
    server.with(|server| server.buckets.clear());
    writer.publish(events::apps(Timestamp::now(), 7)).await;
    writer.all_acked().await;
    assert_eq!(stored(&server), 7);
    assert_eq!(server.with(|server| server.buckets[BUCKET].retention), Some(TEN_DAYS));
}

#[tokio::test]
async fn a_token_that_may_only_write_writes() {
    for look in [Look::Nothing, Look::Refused(401), Look::Refused(403), Look::Refused(404)] {
        let server = Version2 { look, may_create: false, ..with_bucket() };
        let server = Strict::start(server).await;
        let writer = start(&server, &version2("10d"));
        writer.ready().await;
        writer.publish(events::apps(Timestamp::now(), 5)).await;
        writer.all_acked().await;
        writer.ready().await;
        assert_eq!(stored(&server), 5, "{look:?}");
        assert_eq!(writer.metrics.counters().failed_writes, Some(0));
    }
}

#[tokio::test]
async fn without_the_right_to_make_the_bucket_the_command_is_said() {
    for look in [Look::All, Look::Nothing, Look::Refused(401)] {
        let server = Strict::start(Version2 { look, may_create: false, ..strict2() }).await;
        let writer = start(&server, &version2("10d"));
        writer.publish(events::apps(Timestamp::now(), 5)).await;
        let why = writer.why_not_ready("influx bucket create").await;
        let command = "influx bucket create --org 'sense & co' --name 'sense ops' --retention \
                       864000s --description 'Qlik'";
        assert!(why.contains(command), "{why}");
        assert_eq!(writer.held(), 5);
        // Somebody runs it.
        server.with(|server| server.buckets.insert(BUCKET.to_owned(), Bucket::default()));
        writer.all_acked().await;
        writer.ready().await;
        assert_eq!(stored(&server), 5);
    }
}

#[tokio::test]
async fn what_a_token_lacks_is_said_and_nothing_is_lost() {
    for (change, expected) in [
        ((|server| server.token = "another".to_owned()) as fn(&mut Version2), "answers 401"),
        (|server| server.may_write = false, "answers 403"),
    ] {
        let server = Strict::start(with_bucket()).await;
        server.with(change);
        let writer = start(&server, &version2("10d"));
        writer.publish(events::apps(Timestamp::now(), 5)).await;
        let why = writer.why_not_ready(expected).await;
        assert!(why.contains("`influxdbConfig.v2Config.token`"), "{why}");
        assert!(!why.contains("t0ken"), "{why}");
        assert_eq!(writer.held(), 5);
        server.with(|server| *server = with_bucket());
        writer.all_acked().await;
        assert_eq!(stored(&server), 5);
    }
}

#[tokio::test]
async fn a_wrong_organisation_is_said() {
    let mut server = with_bucket();
    server.org = "another".to_owned();
    let server = Strict::start(server).await;
    let writer = start(&server, &version2("10d"));
    writer.publish(events::apps(Timestamp::now(), 1)).await;
    let why = writer.why_not_ready("organisation").await;
    assert!(why.contains("`influxdbConfig.v2Config.org`"), "{why}");
    assert_eq!(writer.held(), 1);
}

#[tokio::test]
async fn a_type_conflict_costs_its_lines_alone() {
    let server = Strict::start(with_bucket()).await;
    crate::predecessor::fill(&server, "cpu,host=h total=12i");
    let writer = start(&server, &version2("INF"));
    let now = Timestamp::now().nanos();
    let healths = (0..11).map(|poll| events::health(Timestamp::from_nanos(now + poll)));
    writer.publish(healths).await;
    writer.all_acked().await;
    let letters = writer.dead_letters().await;
    assert_eq!(letters.len(), 11);
    for letter in &letters {
        assert_eq!((letter.lines.len(), letter.http_status), (1, Some(422)));
        assert!(letter.lines[0].starts_with("cpu,") && letter.reason.contains("type conflict"));
    }
    assert_eq!(writer.metrics.points_stored(), 11 * 8);
}

#[tokio::test]
async fn one_malformed_line_costs_no_other() {
    let server = Strict::start(with_bucket()).await;
    server.with(|server| server.store(BUCKET).malformed = Some("app-37.".to_owned()));
    let writer = start(&server, &version2("INF"));
    writer.publish(events::apps(Timestamp::now(), 100)).await;
    writer.all_acked().await;
    assert_eq!(stored(&server), 99);
    let letters = writer.dead_letters().await;
    assert_eq!((letters.len(), letters[0].http_status), (1, Some(400)));
    assert!(letters[0].lines[0].contains("app-37."));
}

#[tokio::test]
async fn points_older_than_the_bucket_keeps_do_not_hold() {
    let server = Strict::start(strict2()).await;
    let writer = start(&server, &version2("10d"));
    writer.ready().await;
    let now = Timestamp::now();
    let old = Timestamp::from_nanos(now.nanos() - 30 * 86_400 * 1_000_000_000);
    writer.publish(events::apps(old, 37).into_iter().chain(events::apps(now, 50))).await;
    writer.all_acked().await;
    assert_eq!(stored(&server), 50);
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn busy_answers_are_waited_for_and_an_answer_that_got_lost_doubles_nothing() {
    let server = Strict::start(with_bucket()).await;
    server.with(|server| {
        let store = server.store(BUCKET);
        store.answer(error(503, "unavailable", "not yet").with("retry-after", "1"));
        store.answer(error(429, "too many requests", "slowly"));
        let reply = error(500, "internal error", "unexpected error writing points to database");
        store.script.push_back(Scripted { reply, stores: true });
    });
    let writer = start(&server, &version2("INF"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    let why = writer.why_not_ready("503").await;
    assert!(why.contains("not yet"), "{why}");
    assert_eq!(writer.held(), 5);
    writer.all_acked().await;
    writer.ready().await;
    assert_eq!(stored(&server), 5);
    let times = server.with(|server| server.store(BUCKET).writes.clone());
    assert!(times[1].0.duration_since(times[0].0) >= Duration::from_secs(1));
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved() {
    let server = Strict::start(with_bucket()).await;
    server.with(|server| server.store(BUCKET).max_bytes = 2000);
    let writer = start(&server, &version2("INF"));
    writer.publish(events::apps(Timestamp::now(), 100)).await;
    writer.all_acked().await;
    assert_eq!(stored(&server), 100);
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn https_with_an_authority_of_ones_own() {
    let server = Strict::start_with_tls(with_bucket()).await;
    let stranger = start_as_stranger(&server, &version2("10d"));
    stranger.why_not_ready("no connection to").await;
    stranger.stop().await;
    let friend = start(&server, &version2("10d"));
    friend.publish(events::apps(Timestamp::now(), 5)).await;
    friend.all_acked().await;
    friend.ready().await;
    assert_eq!(stored(&server), 5);
}
