//! InfluxDB 3.x.

use std::time::Duration;

use integration_tests::strict_influxdb::request::Reply;
use integration_tests::strict_influxdb::{Strict, Version3};
use serde_json::json;
use shared::timestamp::Timestamp;

use crate::events;
use crate::running::{DATABASE, TOKEN, start, start_as_stranger, strict3, version3};

const CREATE: &str = "POST /api/v3/configure/database";
const WRITE: &str = "POST /api/v3/write_lp";
const WRITE_AS_2: &str = "POST /api/v2/write";

fn stored(server: &Strict<Version3>) -> usize {
    server.with(|server| server.store(DATABASE).table.len())
}

/// How many lines came, repetitions included.
fn lines_sent(server: &Strict<Version3>) -> usize {
    server.with(|server| server.store(DATABASE).writes.iter().map(|(_, lines)| lines).sum())
}

/// Lines that a database refuses whose `name` is an integer.
const CONFLICTING: &str = "app_names,app_id=other name=1i";

#[tokio::test]
async fn the_database_is_made_with_its_retention_before_the_first_write() {
    let server = Strict::start(strict3()).await;
    let writer = start(&server, &version3("90d"));
    writer.publish(events::one_of_each(Timestamp::now())).await;
    writer.all_acked().await;
    writer.ready().await;
    server.with(|server| {
        assert_eq!(server.asked[0], CREATE);
        assert_eq!(server.databases[DATABASE].retention.as_deref(), Some("90d"));
    });
    assert!(writer.dead_letters().await.is_empty());
    assert_eq!(u64::try_from(stored(&server)).unwrap(), writer.metrics.points_stored());
    writer.stop().await;

    // It is there: nothing changes.
    let next = start(&server, &version3("10d"));
    next.publish(events::apps(Timestamp::now(), 5)).await;
    next.all_acked().await;
    server.with(|server| {
        assert_eq!(server.databases[DATABASE].retention.as_deref(), Some("90d"));
    });
}

#[tokio::test]
async fn a_database_that_keeps_everything_is_made_by_its_first_write() {
    let server = Strict::start(strict3()).await;
    let writer = start(&server, &version3("INF"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    writer.all_acked().await;
    assert_eq!(stored(&server), 5);
    server.with(|server| assert!(server.asked.iter().all(|asked| asked == WRITE)));
}

#[tokio::test]
async fn a_token_that_may_only_write_writes() {
    let server = Strict::start(Version3 { is_admin: false, ..strict3() }).await;
    let writer = start(&server, &version3("10d"));
    writer.ready().await;
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    writer.all_acked().await;
    writer.ready().await;
    assert_eq!(stored(&server), 5);
}

#[tokio::test]
async fn named_lines_are_settled_with_one_request() {
    let server = Strict::start(strict3()).await;
    crate::predecessor::fill(&server, "cpu,host=h total=1.5\nsession,host=h total=\"x\"");
    let writer = start(&server, &version3("10d"));
    let now = Timestamp::now().nanos();
    let healths = (0..11).map(|poll| events::health(Timestamp::from_nanos(now + poll)));
    writer.publish(healths).await;
    writer.all_acked().await;
    let letters = writer.dead_letters().await;
    assert_eq!(letters.len(), 11);
    for letter in &letters {
        assert_eq!((letter.lines.len(), letter.http_status), (2, Some(400)));
        assert!(letter.reason.contains("invalid column type"), "{}", letter.reason);
    }
    assert_eq!(writer.metrics.points_stored(), 11 * 7);
    assert_eq!(lines_sent(&server), 11 * 9, "no line is sent twice");
}

/// The answer names a hundred of them.
#[tokio::test]
async fn lines_that_an_answer_has_no_room_for_are_not_taken_for_stored() {
    let server = Strict::start(strict3()).await;
    let writer = start(&server, &version3("10d"));
    writer.ready().await;
    server.with(|server| server.store(DATABASE).malformed = Some("app-1".to_owned()));
    writer.publish(events::apps(Timestamp::now(), 200)).await;
    writer.all_acked().await;
    // 1, 10 to 19, 100 to 199.
    assert_eq!(writer.dead_letters().await.len(), 111);
    assert_eq!(stored(&server), 89);
}

#[tokio::test]
async fn without_partial_writes_the_good_lines_are_sent_again() {
    let server = Strict::start(strict3()).await;
    let line = json!({"original_line": "app_names", "line_number": 2, "error_message": "no"});
    let body = json!({"error": "parsing failed for write_lp endpoint", "data": line});
    server.with(|server| server.store(DATABASE).answer(Reply::json(400, &body)));
    let writer = start(&server, &version3("10d"));
    writer.publish(events::apps(Timestamp::now(), 20)).await;
    writer.all_acked().await;
    assert_eq!((stored(&server), writer.dead_letters().await.len()), (19, 1));
}

#[tokio::test]
async fn a_server_that_does_not_know_the_path_gets_the_form_of_2_and_keeps_getting_it() {
    for status in [404, 405] {
        let server = Strict::start(Version3 { unknown_path: Some(status), ..strict3() }).await;
        let writer = start(&server, &version3("10d"));
        writer.publish(events::apps(Timestamp::now(), 5)).await;
        writer.all_acked().await;
        writer.publish(events::apps(Timestamp::now(), 5)).await;
        writer.all_acked().await;
        writer.ready().await;
        assert_eq!(stored(&server), 10);
        let asked = server.with(|server| server.asked.clone());
        let wrote: Vec<&str> =
            asked.iter().map(String::as_str).filter(|asked| *asked != CREATE).collect();
        // Requests in flight at the first time may each find it out.
        assert_eq!(wrote[0], WRITE);
        assert!(wrote.iter().filter(|asked| **asked == WRITE).count() <= 4, "{wrote:?}");
        assert_eq!(wrote.last(), Some(&WRITE_AS_2));
        assert_eq!(writer.metrics.counters().failed_writes, Some(0));

        // It learned the path, and forgot the other: nothing is lost.
        server.with(|server| server.unknown_path = None);
        writer.publish(events::apps(Timestamp::now(), 5)).await;
        writer.all_acked().await;
        assert_eq!(stored(&server), 15);
    }
}

#[tokio::test]
async fn conflicts_are_named_in_the_form_of_2_as_well() {
    let server = Strict::start(Version3 { unknown_path: Some(404), ..strict3() }).await;
    crate::predecessor::fill(&server, CONFLICTING);
    let writer = start(&server, &version3("10d"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    writer.all_acked().await;
    assert_eq!(writer.dead_letters().await.len(), 5);
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved() {
    let server = Strict::start(strict3()).await;
    server.with(|server| server.store(DATABASE).max_bytes = 2000);
    let writer = start(&server, &version3("INF"));
    writer.publish(events::apps(Timestamp::now(), 100)).await;
    writer.all_acked().await;
    assert_eq!(stored(&server), 100);
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn limits_and_busy_answers_hold() {
    let limit = "Update to schema would exceed number of tables per database limit of 2000 tables";
    let line = json!({"original_line": "m", "line_number": 1, "error_message": limit});
    let partial = json!({"error": "partial write of line protocol occurred", "data": [line]});
    let server = Strict::start(strict3()).await;
    server.with(|server| {
        let store = server.store(DATABASE);
        store.answer(Reply::json(422, &partial));
        store.answer(Reply::json(422, &json!({"error": limit, "data": null})));
        store.answer(Reply::text(503, "overloaded").with("retry-after", "1"));
    });
    let writer = start(&server, &version3("10d"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    writer.why_not_ready("has reached a limit").await;
    writer.why_not_ready("answers 503").await;
    assert_eq!(writer.held(), 5);
    writer.all_acked().await;
    writer.ready().await;
    assert_eq!(stored(&server), 5);
    let times = server.with(|server| server.store(DATABASE).writes.clone());
    assert!(times[3].0.duration_since(times[2].0) >= Duration::from_secs(1));
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_wrong_token_or_name_keeps_everything() {
    let server = Strict::start(Version3::new("another")).await;
    let writer = start(&server, &version3("10d"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    let why = writer.why_not_ready("answers 401").await;
    assert!(why.contains("`influxdbConfig.v3Config.token`") && !why.contains(TOKEN), "{why}");
    assert_eq!(writer.held(), 5);
    server.with(|server| *server = strict3());
    writer.all_acked().await;
    assert_eq!(stored(&server), 5);

    let writer = start(&server, &version3("INF").replace("senseops", "_senseops"));
    writer.publish(events::apps(Timestamp::now(), 5)).await;
    writer.why_not_ready("`influxdbConfig.v3Config.database`").await;
    assert_eq!(writer.held(), 5);
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn https_with_an_authority_of_ones_own() {
    let server = Strict::start_with_tls(strict3()).await;
    let stranger = start_as_stranger(&server, &version3("10d"));
    stranger.why_not_ready("no connection to").await;
    stranger.stop().await;
    let friend = start(&server, &version3("10d"));
    friend.publish(events::apps(Timestamp::now(), 5)).await;
    friend.all_acked().await;
    friend.ready().await;
    assert_eq!(stored(&server), 5);
}
