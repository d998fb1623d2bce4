//! Against a real InfluxDB 1.x, read back in InfluxQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use shared::broker::Outgoing;
use shared::config::{InfluxDb, Version};
use shared::secret::Secret;
use shared::timestamp::Timestamp;
use writer::destination::{Answer, Destination as _};
use writer::line_protocol::Lines;
use writer::point::{FieldValue, Point, Tags};

use crate::support::influxd::{Influxd, Options};
use crate::support::running::{Running, config, start, start_watched, v1};
use crate::support::{events, eventually, install_tls_provider};

const DATABASE: &str = "sense ops";

fn patient(influxd: &Influxd) -> InfluxDb {
    InfluxDb { timeout: Duration::from_secs(10), ..v1(&influxd.url(), None) }
}

fn writer(influxd: &Influxd) -> Running {
    start(config(Some(patient(influxd))))
}

fn apps(time: Timestamp, count: usize) -> impl Iterator<Item = Outgoing> {
    (0..count).map(move |number| events::app(time, &format!("app{number}"), "Sales"))
}

async fn count_apps(influxd: &Influxd) -> u64 {
    let rows = influxd.query(DATABASE, "SELECT count(\"name\") FROM app_names").await;
    rows.first().map_or(0, |row| row[1].as_u64().unwrap())
}

async fn field_types(influxd: &Influxd) -> BTreeMap<String, String> {
    let mut types = BTreeMap::new();
    for row in influxd.query(DATABASE, "SHOW MEASUREMENTS").await {
        let measurement = row[0].as_str().unwrap();
        let statement = format!("SHOW FIELD KEYS FROM \"{measurement}\"");
        for row in influxd.query(DATABASE, &statement).await {
            let field = format!("{measurement}.{}", row[0].as_str().unwrap());
            types.insert(field, row[1].as_str().unwrap().to_owned());
        }
    }
    types
}

fn one_of_each(time: Timestamp) -> Vec<Outgoing> {
    vec![
        events::health(time),
        events::sessions(time),
        events::failed_poll(time),
        events::heartbeat(time),
        events::app(time, "app-1", "Sales"),
    ]
}

#[tokio::test]
async fn every_kind_of_event_is_stored_with_its_types() {
    let influxd = Influxd::start(Options::default()).await;
    let writer = writer(&influxd);
    let time = Timestamp::now();
    writer.publish(one_of_each(time)).await;
    writer.all_acked().await;
    writer.ready().await;
    assert!(writer.dead_letters().await.is_empty());
    let policies = influxd.query("", &format!("SHOW RETENTION POLICIES ON \"{DATABASE}\"")).await;
    assert_eq!(
        policies,
        [[json!("10d"), json!("240h0m0s"), json!("24h0m0s"), json!(1), json!(true)]]
    );

    let types = field_types(&influxd).await;
    let found: Vec<String> = types.iter().map(|(field, kind)| format!("{field} {kind}")).collect();
    let expected = include_str!("fields_v1.txt");
    assert_eq!(found, expected.lines().collect::<Vec<_>>());

    let row = influxd
        .query(
            DATABASE,
            "SELECT active_docs_names, in_memory_docs_names, path, server_name, server_description, \
             host, qs_env, empty FROM apps",
        )
        .await;
    let expected = json!([
        time.nanos(),
        "\"Say \"hi\" at C:\\Apps\\\"",
        "\"Crabs 🦀\"",
        "C:\\Qlik",
        "sense 1, \"the\" first",
        "Central=node",
        "sense1.corp.com",
        "prod",
        null
    ]);
    assert_eq!(json!(row[0]), expected);
    let users = influxd
        .query(DATABASE, "SELECT session_user_id_list, user_session_host FROM user_session_summary")
        .await;
    assert_eq!(json!(users[0][1..]), json!(["CORP\\jane,CORP\\joe", "sense1.corp.com:4243"]));
    writer.stop().await.unwrap();
}

#[tokio::test]
async fn a_redelivery_overwrites() {
    let influxd = Influxd::start(Options::default()).await;
    let writer = writer(&influxd);
    let events: Vec<Outgoing> = apps(Timestamp::now(), 50).collect();
    for _ in 0..3 {
        writer.publish(events.clone()).await;
        writer.all_acked().await;
    }
    assert_eq!(count_apps(&influxd).await, 50);
}

/// A database that the predecessor filled takes everything.
#[tokio::test]
async fn an_existing_database_raises_no_conflict_and_keeps_its_policies() {
    let influxd = Influxd::start(Options::default()).await;
    influxd
        .query("", &format!("CREATE DATABASE \"{DATABASE}\" WITH DURATION 3d NAME \"3d\""))
        .await;
    influxd
        .write(
            DATABASE,
            "sense_server,host=h,server_name=s version=\"v\",started=\"s\",uptime=\"u\"\n\
             mem,host=h comitted=1i,allocated=2i,free=3i\n\
             apps,host=h active_docs_count=1i,loaded_docs_count=1i,in_memory_docs_count=1i,\
             active_docs=\"\",loaded_docs=\"\",in_memory_docs=\"\",active_docs_names=\"\",\
             loaded_docs_names=\"\",in_memory_docs_names=\"\",active_session_docs_names=\"\",\
             loaded_session_docs_names=\"\",in_memory_session_docs_names=\"\",calls=1i,selections=1i\n\
             cpu,host=h total=12i\nsession,host=h active=1i,total=1i\nusers,host=h active=1i,total=1i\n\
             cache,host=h hits=1i,lookups=1i,added=1i,replaced=1i,bytes_added=1i\n\
             saturated,host=h saturated=true\n\
             user_session_summary,host=h session_count=1i,session_user_id_list=\"\"\n\
             user_session_list,host=h session_user_id_list=\"\"\n\
             user_session_details,host=h session_id=\"\",user_directory=\"\",user_id=\"\"\n\
             butlersos_memory_usage,version=1 heap_used=1.5,heap_total=1.5,external=1.5,process_memory=1.5\n\
             butler_sos_errors,server_name=s error_count=1,error_category=\"\",error_code=\"\",\
             http_status=403,request_url=\"\",request_timeout_ms=5000,remote_address=\"\",\
             remote_port=1,syscall=\"\"",
        )
        .await;
    let writer = writer(&influxd);
    writer.publish(one_of_each(Timestamp::now())).await;
    writer.all_acked().await;
    assert!(writer.dead_letters().await.is_empty());
    assert_eq!(writer.metrics.counters().failed_writes, Some(0));
    let policies = influxd.query("", &format!("SHOW RETENTION POLICIES ON \"{DATABASE}\"")).await;
    assert_eq!((policies.len(), &policies[0][0]), (1, &json!("3d")));
}

#[tokio::test]
async fn a_type_conflict_costs_its_lines_alone() {
    let influxd = Influxd::start(Options::default()).await;
    influxd.query("", &format!("CREATE DATABASE \"{DATABASE}\"")).await;
    let time = Timestamp::now();
    // Types are kept by shard: the conflict must lie in the same one.
    let foreign = format!("cpu,host=h total=1.5 {0}\nsession,host=h total=\"x\" {0}", time.nanos());
    influxd.write(DATABASE, &foreign).await;
    let writer = writer(&influxd);
    let healths = (1..=11).map(|poll| events::health(Timestamp::from_nanos(time.nanos() + poll)));
    writer.publish(healths).await;
    writer.all_acked().await;
    let letters = writer.dead_letters().await;
    assert_eq!(letters.len(), 11);
    for letter in &letters {
        assert_eq!(letter.lines.len(), 2, "{letter:?}");
        assert!(letter.reason.contains("field type conflict"), "{}", letter.reason);
        assert_eq!(letter.http_status, Some(400));
    }
    let users = influxd.query(DATABASE, "SELECT count(total) FROM \"users\"").await;
    assert_eq!(users[0][1], 11);
    assert_eq!(writer.metrics.points_stored(), 11 * 7);
}

#[tokio::test]
async fn points_beyond_the_retention_policy_do_not_hold() {
    let influxd = Influxd::start(Options::default()).await;
    let writer = writer(&influxd);
    let now = Timestamp::now();
    let old = Timestamp::from_nanos(now.nanos() - 30 * 86_400 * 1_000_000_000);
    // Old and new in one batch.
    writer.publish(apps(old, 37).chain(apps(now, 50))).await;
    writer.all_acked().await;
    assert_eq!(count_apps(&influxd).await, 50);
    assert!(writer.dead_letters().await.is_empty());
    assert_eq!(writer.metrics.points_stored(), 50);
}

#[tokio::test]
async fn a_cardinality_limit_holds_until_it_is_raised() {
    let options = Options { max_series: Some(20), ..Options::default() };
    let mut influxd = Influxd::start(options).await;
    let writer = writer(&influxd);
    writer.publish(apps(Timestamp::now(), 50)).await;
    let why = writer.why_not_ready("max-series-per-database").await;
    assert!(why.contains("raise"), "{why}");
    assert_eq!(writer.broker.held(), 50);
    influxd.restart(Options::default()).await;
    writer.all_acked().await;
    writer.ready().await;
    assert_eq!(count_apps(&influxd).await, 50);
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_limit_on_values_holds_too() {
    let options = Options { max_values_per_tag: Some(10), ..Options::default() };
    let influxd = Influxd::start(options).await;
    let writer = writer(&influxd);
    let now = Timestamp::now();
    writer.publish(apps(now, 10)).await;
    writer.all_acked().await;
    writer.publish(apps(now, 11)).await;
    let why = writer.why_not_ready("max-values-per-tag").await;
    assert!(why.contains("tag=\"app_id\"") && !why.contains("app10"), "{why}");
}

#[tokio::test]
async fn nothing_is_lost_when_influxdb_is_killed() {
    let mut influxd = Influxd::start(Options::default()).await;
    let writer = writer(&influxd);
    let now = Timestamp::now();
    let events: Vec<Outgoing> = apps(now, 6000).collect();
    writer.publish(events[..3000].to_vec()).await;
    eventually("some of it is stored", async || {
        (writer.metrics.points_stored() > 500).then_some(())
    })
    .await;
    influxd.kill();
    writer.publish(events[3000..].to_vec()).await;
    writer.why_not_ready("no").await;
    influxd.restart(Options::default()).await;
    writer.all_acked().await;
    assert_eq!(count_apps(&influxd).await, 6000);
    assert!(writer.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_database_that_is_dropped_is_made_again() {
    let influxd = Influxd::start(Options::default()).await;
    let writer = writer(&influxd);
    let now = Timestamp::now();
    writer.publish(apps(now, 5)).await;
    writer.all_acked().await;
    influxd.query("", &format!("DROP DATABASE \"{DATABASE}\"")).await;
    writer.publish(apps(now, 7)).await;
    writer.all_acked().await;
    assert_eq!(count_apps(&influxd).await, 7);
}

#[tokio::test]
async fn without_rights_the_command_is_said_and_helps() {
    let options = Options { auth: true, ..Options::default() };
    let influxd = Influxd::start(options).await;
    let admin = Some(("admin", "adm in"));
    influxd.query("", "CREATE USER admin WITH PASSWORD 'adm in' WITH ALL PRIVILEGES").await;
    influxd.query_as(admin, "", "CREATE USER w WITH PASSWORD 'right'").await;

    // InfluxDB takes its time to check a password.
    let mut influxdb = v1(&influxd.url(), Some(("w", "wrong")));
    influxdb.timeout = Duration::from_secs(10);
    let wrong = start(config(Some(influxdb)));
    wrong.publish(apps(Timestamp::now(), 1)).await;
    let why = wrong.why_not_ready("401").await;
    assert!(why.contains("authorization failed") && !why.contains("wrong"), "{why}");
    assert_eq!(wrong.broker.held(), 1);
    wrong.stop().await.unwrap();

    let mut influxdb = v1(&influxd.url(), Some(("w", "right")));
    influxdb.timeout = Duration::from_secs(10);
    let writer = start(config(Some(influxdb)));
    writer.publish(apps(Timestamp::now(), 5)).await;
    let why = writer.why_not_ready("CREATE DATABASE").await;
    let (_, statement) = why.split_once("the right to write: ").unwrap();
    influxd.query_as(admin, "", statement).await;
    influxd.query_as(admin, "", &format!("GRANT WRITE ON \"{DATABASE}\" TO w")).await;
    writer.all_acked().await;
    writer.ready().await;
    let rows = influxd.query_as(admin, DATABASE, "SELECT count(\"name\") FROM app_names").await;
    assert_eq!(rows[0][1], 5);
    writer.stop().await.unwrap();

    // The right to write is enough to find the database at the start.
    let mut influxdb = v1(&influxd.url(), Some(("w", "right")));
    influxdb.timeout = Duration::from_secs(10);
    let next = start(config(Some(influxdb)));
    next.ready().await;
}

#[tokio::test]
async fn a_password_that_is_exchanged_while_events_flow() {
    let influxd = Influxd::start(Options { auth: true, ..Options::default() }).await;
    let admin = Some(("admin", "adm in"));
    influxd.query("", "CREATE USER admin WITH PASSWORD 'adm in' WITH ALL PRIVILEGES").await;
    influxd.query_as(admin, "", "CREATE USER w WITH PASSWORD 'one' WITH ALL PRIVILEGES").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "one\n").unwrap();
    let mut influxdb = v1(&influxd.url(), Some(("w", "")));
    influxdb.timeout = Duration::from_secs(10);
    if let Version::V1 { credentials: Some((_, password)), .. } = &mut influxdb.version {
        *password = Secret::from_file(&file).unwrap();
    }
    let writer = start(config(Some(influxdb)));
    let now = Timestamp::now();
    let mut published = 0;
    let mut publish = async |count: usize| {
        let more = (published..published + count)
            .map(|number| events::app(now, &format!("app{number}"), "Sales"));
        writer.publish(more).await;
        published += count;
        published
    };
    publish(20).await;
    writer.all_acked().await;
    // InfluxDB first: what is refused waits, and the next try has the new password.
    influxd.query_as(admin, "", "SET PASSWORD FOR w = 'two'").await;
    publish(20).await;
    writer.why_not_ready("401").await;
    std::fs::write(&file, "two\n").unwrap();
    writer.all_acked().await;
    // The file last seen is the old one when the first request is refused: it is looked at at once.
    influxd.query_as(admin, "", "SET PASSWORD FOR w = 'three'").await;
    std::fs::write(&file, "three\n").unwrap();
    let all = publish(20).await;
    writer.all_acked().await;
    writer.ready().await;
    assert!(writer.dead_letters().await.is_empty());
    let rows = influxd.query_as(admin, DATABASE, "SELECT count(\"name\") FROM app_names").await;
    assert_eq!(rows[0][1], all);
    writer.stop().await.unwrap();
}

#[tokio::test]
async fn https_with_an_authority_of_ones_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = parameters.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&parameters, &ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let (authority, certificate) =
        (directory.path().join("ca.pem"), directory.path().join("influxd.pem"));
    std::fs::write(&authority, ca.pem()).unwrap();
    std::fs::write(&certificate, format!("{}{}", leaf.pem(), key.serialize_pem())).unwrap();
    let options = Options { certificate: Some(certificate), ..Options::default() };
    let influxd = Influxd::start(options).await;

    let stranger = writer(&influxd);
    let why = stranger.why_not_ready("no connection to").await;
    assert!(why.contains("https://"), "{why}");
    stranger.stop().await.unwrap();

    let mut influxdb = patient(&influxd);
    influxdb.ca = Some(authority);
    let friend = start(config(Some(influxdb)));
    friend.publish(apps(Timestamp::now(), 5)).await;
    friend.all_acked().await;
    friend.ready().await;
    assert_eq!(count_apps(&influxd).await, 5);
}

/// What line protocol makes of a tag value.
fn expected_tag(value: &str) -> Value {
    let mut expected = String::new();
    let mut backslashes = 0;
    for character in value.trim_end_matches('\\').chars() {
        if [',', '=', ' '].contains(&character) && backslashes % 2 == 1 {
            expected.push('\\');
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        match character {
            '\n' => expected.push_str("\\n"),
            '\r' => expected.push_str("\\r"),
            '\t' => expected.push_str("\\t"),
            character => expected.push(character),
        }
    }
    if expected.is_empty() { Value::Null } else { json!(expected) }
}

/// Texts of what line protocol, JSON, Windows and people hold ready.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just(",".to_owned()),
        Just("=".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\t".to_owned()),
        Just("#".to_owned()),
        Just("🦀".to_owned()),
        Just("C:\\Qlik\\".to_owned()),
        "[a-zäß0-9_.:/-]{1,4}",
        "\\PC{1,3}",
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

#[tokio::test]
async fn nasty_texts_come_back() {
    const POINTS: i64 = 2000;
    install_tls_provider();
    let influxd = Influxd::start(Options::default()).await;
    let client = writer::influxdb::InfluxDb::new(&patient(&influxd)).unwrap();
    client.prepare().await.unwrap();
    let mut runner = TestRunner::default();
    let strategy = (nasty(), nasty(), nasty(), any::<i64>(), any::<f64>());
    let start = Timestamp::now().nanos();
    let mut lines = Lines::default();
    let mut expected = Vec::new();
    for point in 0..POINTS {
        let (tag, name, text, integer, float) = strategy.new_tree(&mut runner).unwrap().current();
        let name = format!("x{name}");
        let tags = Tags::new().with("tag", &tag).with(&name, "named").encode();
        let time = Timestamp::from_nanos(start + point);
        lines.push(
            &Point::new("nasty, =measurement", &tags, time)
                .with("text", Some(FieldValue::text(&*text)))
                .with("integer", Some(FieldValue::Int(integer)))
                .with("float", Some(FieldValue::Float(float))),
        );
        expected.push((time, tag, name, text, integer, float));
    }
    assert_eq!(client.write(lines.body()).await, Answer::Stored);

    let statement = "SELECT text, integer, float, \"tag\" FROM \"nasty, =measurement\"";
    let rows = influxd.query(DATABASE, statement).await;
    assert_eq!(rows.len(), expected.len());
    for (row, (time, tag, _, text, integer, float)) in rows.iter().zip(&expected) {
        assert_eq!(row[0], time.nanos());
        assert_eq!(row[1], json!(text));
        assert_eq!(row[2], *integer);
        match row[3].as_f64() {
            // Reading JSON may cost the last bit.
            Some(read) => {
                let last_bit = (float.abs() * 1e-15).max(f64::MIN_POSITIVE);
                assert!((read - float).abs() <= last_bit, "{read} {float}");
            }
            None => assert!(!float.is_finite(), "{float}"),
        }
        assert_eq!(row[4], expected_tag(tag), "{tag:?}");
    }
    let keys = influxd.query(DATABASE, "SHOW TAG KEYS").await;
    let keys: std::collections::HashSet<Value> =
        keys.into_iter().map(|row| row[0].clone()).collect();
    for (_, _, name, ..) in &expected {
        assert!(keys.contains(&expected_tag(name)), "{name:?}");
    }
}

#[tokio::test]
async fn texts_of_the_largest_size_are_accepted() {
    let influxd = Influxd::start(Options::default()).await;
    let writer = writer(&influxd);
    writer.publish([events::app(Timestamp::now(), "large", &"é\\".repeat(40_000))]).await;
    writer.all_acked().await;
    assert!(writer.dead_letters().await.is_empty());
    let rows = influxd.query(DATABASE, "SELECT \"name\" FROM app_names").await;
    assert_eq!(rows[0][1].as_str().unwrap().len(), 65_535);
}

/// Two writers of one group share the work; here they share a broker that repeats everything.
#[tokio::test]
async fn two_writers_make_one_database() {
    let influxd = Influxd::start(Options::default()).await;
    let first = writer(&influxd);
    let config = config(Some(patient(&influxd)));
    let second = start_watched(config, first.broker.clone(), Arc::new(|_| true));
    first.publish(apps(Timestamp::now(), 500)).await;
    first.all_acked().await;
    assert_eq!(count_apps(&influxd).await, 500);
    second.ready().await;
}
