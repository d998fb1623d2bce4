//! InfluxDB: a real 1.x with and without rights, and stand-ins for 2.x and 3.x over TLS.

use integration_tests::influxd::Influxd;
use integration_tests::strict_influxdb::version2::Bucket;
use integration_tests::strict_influxdb::version3::Database;
use integration_tests::strict_influxdb::{Strict, Version2, Version3};

use super::{Looked, doctor};

const DATABASE: &str = "senseops";
/// The passwords and the names of users, which stand nowhere.
const MARKERS: [&str; 4] = ["PASSWORD-MARKER", "WRONG-MARKER", "influx-writer", "TOKEN-MARKER"];

/// A configuration with an InfluxDB and nothing else.
fn config(influxdb: &str, writer: &str) -> String {
    format!(
        "Butler-SOS:\n  influxdbConfig: {influxdb}\n  collector: {{http: {{listen: \"127.0.0.1:0\"}}}}\n  \
         writer: {{{writer}}}\n"
    )
}

fn version1(port: u16, database: &str, auth: &str) -> String {
    let influxdb = format!(
        "{{enable: true, host: 127.0.0.1, port: {port}, version: 1, v1Config: {{auth: {auth}, dbName: \
         {database}, retentionPolicy: {{name: 10d, duration: 10d}}}}}}"
    );
    config(&influxdb, "")
}

fn auth(user: &str, password: &str) -> String {
    format!("{{enable: true, username: {user}, password: {password}}}")
}

async fn as_user(influxd: &Influxd, user: &str, password: &str) -> Looked {
    let looked = doctor(&version1(influxd.port(), DATABASE, &auth(user, password))).await;
    looked.hides(&MARKERS);
    looked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_in_1x_are_told_without_a_point() {
    let mut influxd = Influxd::start().await;
    let open = "{enable: false, username: \"\", password: \"\"}";
    let looked = doctor(&version1(influxd.port(), DATABASE, open)).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.has(["influxdb", "1.x", "server", "ok"], &["InfluxDB 1."]);
    looked.has(["influxdb", "1.x", "clock", "ok"], &[]);
    looked.has(["influxdb", "1.x", "place", "note"], &["is not there"]);
    looked.has(["influxdb", "1.x", "rights", "warning"], &["auth-enabled is false"]);
    assert!(influxd.rows("", "SHOW DATABASES").await.is_empty(), "a database was made");

    influxd.execute("", "CREATE DATABASE senseops WITH DURATION 240h NAME \"10d\"").await;
    influxd
        .execute("", "CREATE USER root_user WITH PASSWORD 'PASSWORD-MARKER' WITH ALL PRIVILEGES")
        .await;
    for (user, right) in
        [("influx-writer", "WRITE"), ("influx-writer2", "READ"), ("influx-writer3", "ALL")]
    {
        let created = format!("CREATE USER \"{user}\" WITH PASSWORD 'PASSWORD-MARKER'");
        influxd.execute("", &created).await;
        influxd.execute("", &format!("GRANT {right} ON senseops TO \"{user}\"")).await;
    }
    influxd.configure_http("auth-enabled = true");
    influxd.restart().await;

    let writes = as_user(&influxd, "influx-writer", "PASSWORD-MARKER").await;
    assert_eq!(writes.code, Some(0), "{}", writes.printed);
    writes.has(["influxdb", "1.x", "write", "ok"], &["without a point"]);
    writes.has(["influxdb", "1.x", "rights", "ok"], &["no admin"]);
    writes.has(["influxdb", "1.x", "place", "ok"], &["is there", "not seen"]);
    let all = as_user(&influxd, "influx-writer3", "PASSWORD-MARKER").await;
    all.has(["influxdb", "1.x", "place", "ok"], &["240h (policy \"10d\")"]);
    let reads = as_user(&influxd, "influx-writer2", "PASSWORD-MARKER").await;
    assert_eq!(reads.code, Some(1), "{}", reads.printed);
    reads.has(["influxdb", "1.x", "write", "fault"], &["may not write", "GRANT WRITE"]);
    let admin = as_user(&influxd, "root_user", "PASSWORD-MARKER").await;
    assert_eq!(admin.code, Some(0), "{}", admin.printed);
    admin.has(["influxdb", "1.x", "rights", "warning"], &["admin of the whole server"]);
    let wrong = as_user(&influxd, "influx-writer", "WRONG-MARKER").await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.printed);
    wrong.has(["influxdb", "1.x", "write", "fault"], &["401", "v1Config.auth"]);
    let nobody = doctor(&version1(influxd.port(), DATABASE, open)).await;
    nobody.has(["influxdb", "1.x", "write", "fault"], &["none are configured"]);

    let as_admin =
        [("u", "root_user"), ("p", "PASSWORD-MARKER"), ("q", "SHOW MEASUREMENTS ON senseops")];
    let url = format!("http://127.0.0.1:{}/query", influxd.port());
    let answer = reqwest::Client::new().get(url).query(&as_admin).send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(text.contains("results") && !text.contains("series"), "a point was written: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_2x_are_told_over_tls() {
    let version = Version2::new("footman", "TOKEN-MARKER").with_bucket(DATABASE, Bucket::default());
    let influxdb = Strict::start_with_tls(version).await;
    let ca = influxdb.authority().unwrap().display().to_string();
    let text = |trusted: &str, bucket: &str| {
        let v2 = format!(
            "{{enable: true, host: ignored, port: 1, version: 2, v2Config: {{org: footman, bucket: {bucket}, \
             token: TOKEN-MARKER, description: \"\", retentionDuration: 10d}}}}"
        );
        config(&v2, &format!("influxdb: {{url: \"{}\"{trusted}}}", influxdb.url()))
    };
    let trusted = format!(", tls: {{ca: \"{ca}\"}}");
    let looked = doctor(&text(&trusted, DATABASE)).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.hides(&MARKERS);
    looked.has(["influxdb", "2.x", "certificate", "ok"], &["127.0.0.1", "TLS 1.3"]);
    looked.has(["influxdb", "2.x", "tls", "ok"], &["verified"]);
    looked.has(["influxdb", "2.x", "server", "ok"], &["v2.7.1"]);
    looked.has(["influxdb", "2.x", "place", "ok"], &["for ever"]);
    looked.has(["influxdb", "2.x", "write", "ok"], &["refused for that alone"]);
    looked.has(["influxdb", "2.x", "rights", "ok"], &["no other bucket"]);

    influxdb.with(|version| {
        version.may_write = false;
        version.buckets.insert("other".to_owned(), Bucket::default());
    });
    let looked = doctor(&text(&trusted, DATABASE)).await;
    assert_eq!(looked.code, Some(1), "{}", looked.printed);
    looked.has(["influxdb", "2.x", "write", "fault"], &["may not write", "influx auth create"]);
    looked.has(["influxdb", "2.x", "rights", "warning"], &["1 other bucket"]);
    let looked = doctor(&text(&trusted, "missing")).await;
    looked.has(["influxdb", "2.x", "place", "note"], &["is not there"]);
    assert!(!influxdb.with(|version| version.buckets.contains_key("missing")), "a bucket was made");

    let looked = doctor(&text("", DATABASE)).await;
    assert_eq!(looked.code, Some(1), "{}", looked.printed);
    looked.has(["influxdb", "2.x", "tls", "fault"], &["writer.influxdb.tls.ca"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_3x_are_not_made_by_looking() {
    let influxdb = Strict::start(Version3::new("TOKEN-MARKER")).await;
    let text = |token: &str| {
        let v3 = format!(
            "{{enable: true, host: 127.0.0.1, port: {}, version: 3, v3Config: {{database: {DATABASE}, token: \
             {token}, description: \"\", retentionDuration: 10d}}}}",
            influxdb.port()
        );
        config(&v3, "")
    };
    let looked = doctor(&text("TOKEN-MARKER")).await;
    assert_eq!(looked.code, Some(0), "{}", looked.printed);
    looked.hides(&MARKERS);
    looked.has(["influxdb", "3.x", "server", "ok"], &["3.4.0"]);
    looked.has(["influxdb", "3.x", "place", "note"], &["is not there"]);
    looked.has(["influxdb", "3.x", "write", "note"], &["makes the database"]);
    assert!(influxdb.with(|version| version.databases.is_empty()), "a database was made");

    influxdb.with(|version| version.databases.insert(DATABASE.to_owned(), Database::default()));
    let looked = doctor(&text("TOKEN-MARKER")).await;
    looked.has(["influxdb", "3.x", "place", "ok"], &["is there"]);
    looked.has(["influxdb", "3.x", "write", "ok"], &["without a point"]);
    looked.has(["influxdb", "3.x", "rights", "warning"], &["admin tokens"]);
    let wrong = doctor(&text("WRONG-MARKER")).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.printed);
    wrong.hides(&MARKERS);
    wrong.has(["influxdb", "3.x", "write", "fault"], &["does not know this token"]);
}
