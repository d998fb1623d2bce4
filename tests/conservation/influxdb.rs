//! InfluxDB away, overloaded, misconfigured, refusing, and breaking off.

use std::time::Duration;

use integration_tests::influxdb_door::Mischief;
use integration_tests::patience::{eventually, eventually_equal};
use integration_tests::strict_influxdb::request::Reply;
use serde_json::json;

use crate::books::{Known, balance};
use crate::chance::rounds;
use crate::rig::{DATABASE, On, Rig};
use crate::table::conclude;

/// Longer than the writer needs to try in vain several times.
const AWAY: Duration = Duration::from_secs(3);
/// The answers that are played in one round.
const A_FEW: usize = 3;
/// All answers from now on.
const FROM_NOW_ON: usize = 100_000;
/// Short, so that a request that hangs is given up soon.
const SHORT_TIMEOUT: (&str, &str) = ("FOOTMAN__WRITER__INFLUXDB__TIMEOUT", "1s");

async fn settled(mut rig: Rig, fault: &str, rounds: u64, known: Known) {
    rig.settle().await;
    let books = balance(&rig, known).await;
    conclude(&rig, fault, rounds, &books).await;
}

pub(crate) async fn away(on: On) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds() {
        rig.flows().await;
        rig.influxdb_side.refuse(true);
        rig.influxdb_side.cut();
        rig.influxd.stop();
        tokio::time::sleep(AWAY).await;
        rig.influxd.restart().await;
        rig.influxdb_side.refuse(false);
        rig.is_ready().await;
    }
    settled(rig, "InfluxDB away", rounds(), Known::default()).await;
}

/// Plays an answer on a few writes, round after round.
async fn answers(on: On, fault: &str, rounds: u64, mischief: Mischief) {
    let mut rig = Rig::start(on).await;
    for _ in 0..rounds {
        rig.flows().await;
        let played = rig.door.played(A_FEW as u64);
        rig.door.plays(&mischief, A_FEW);
        played.await;
    }
    settled(rig, fault, rounds, Known::default()).await;
}

pub(crate) async fn unavailable(on: On) {
    let reply = Reply::text(503, "the engine is closed").with("retry-after", "1");
    answers(on, "503 with Retry-After", rounds(), Mischief::Answer(reply)).await;
}

pub(crate) async fn too_many_requests(on: On) {
    let reply = Reply::json(429, &json!({"error": "rate limit"})).with("retry-after", "1");
    answers(on, "429", rounds(), Mischief::Answer(reply)).await;
}

pub(crate) async fn too_large(on: On) {
    let reply = Reply::json(413, &json!({"error": "Request Entity Too Large"}));
    answers(on, "413", rounds(), Mischief::Answer(reply)).await;
}

pub(crate) async fn half_an_answer(on: On) {
    answers(on, "half an answer", rounds(), Mischief::HalfAnswer).await;
}

pub(crate) async fn closed_in_the_middle(on: On) {
    answers(on, "closed in the middle of a request", rounds(), Mischief::CloseMidBody).await;
}

/// The writer tries slowly while somebody must change a configuration, so once is enough.
pub(crate) async fn unauthorized(on: On) {
    let rig = Rig::start(on).await;
    let played = rig.door.played(1);
    let reply = Reply::json(401, &json!({"error": "authorization failed"}));
    rig.door.plays(&Mischief::Answer(reply), 1);
    played.await;
    let storing = rig.writers.first().unwrap_or(&rig.collector);
    let why = eventually("the writer to miss InfluxDB", || storing.missing("influxdb")).await;
    assert!(why.contains("401") && why.contains("v1Config.auth"), "{why}");
    settled(rig, "401, then right", 1, Known::default()).await;
}

pub(crate) async fn hanging(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    for writer in &mut rig.writers {
        writer.start_with(&[SHORT_TIMEOUT]).await;
    }
    rig.collector.start_with(&[SHORT_TIMEOUT]).await;
    rig.is_ready().await;
    for _ in 0..rounds() {
        rig.flows().await;
        let played = rig.door.played(2);
        rig.door.plays(&Mischief::Hang, 1);
        rig.door.plays(&Mischief::HangAfter, 1);
        played.await;
    }
    settled(rig, "requests that hang, taken or not", rounds(), Known::default()).await;
}

/// Nothing was stored before the database is dropped, so nothing may be missing after it.
pub(crate) async fn database_dropped(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    let busy = Reply::text(503, "busy").with("retry-after", "0");
    rig.door.plays(&Mischief::Answer(busy), FROM_NOW_ON);
    for writer in &mut rig.writers {
        writer.start().await;
    }
    rig.collector.start().await;
    rig.serves(9).await;
    eventually("the database", || async {
        let databases = rig.influxd.rows("", "SHOW DATABASES").await;
        databases.iter().any(|row| row["name"] == DATABASE).then_some(())
    })
    .await;
    rig.influxd.execute(DATABASE, &format!("DROP DATABASE {DATABASE}")).await;
    rig.door.behaves();
    settled(rig, "database dropped", 1, Known::default()).await;
}

pub(crate) async fn not_found(on: On) {
    let missing = format!("database not found: \"{DATABASE}\"");
    let reply = Reply::json(404, &json!({ "error": missing }));
    let rig = Rig::start(on).await;
    let played = rig.door.played(1);
    rig.door.plays(&Mischief::Answer(reply), 1);
    played.await;
    settled(rig, "404", 1, Known::default()).await;
}

/// One server's line is refused in every write; the good lines of the same events are stored.
pub(crate) async fn one_bad_line(on: On) {
    let mut rig = Rig::start(on).await;
    let server = rig.site.servers()[1].name().to_owned();
    // The text lives as long as the process.
    let host = rig.site.servers()[1].host(simulator::Endpoint::Engine).unwrap().to_owned();
    let (address, _port) = host.rsplit_once(':').unwrap();
    let start: &'static str = Box::leak(format!("cpu,host={address},").into_boxed_str());
    rig.door.plays(&Mischief::RefuseLines(start), FROM_NOW_ON);
    rig.flows().await;
    rig.door.behaves();
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    let query = format!("SELECT total FROM cpu WHERE server_name = '{server}'");
    let stored = rig.influxd.rows(DATABASE, &query).await.len() as u64;
    let query = format!(
        "SELECT ok FROM footman_poll WHERE server_name = '{server}' AND source = 'health' AND ok = true"
    );
    let polled = rig.influxd.rows(DATABASE, &query).await.len() as u64;
    assert!(polled > stored, "nothing was refused");
    // The good lines are stored a moment before the bad ones are kept.
    eventually_equal("a dead letter for each refused line", polled - stored, || rig.dead_letters())
        .await;
    conclude(&rig, "400, one bad line among good ones", 1, &books).await;
}

/// Another program has given a field of a measurement another type.
pub(crate) async fn measurement_in_conflict(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    rig.influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
    rig.influxd.write(DATABASE, "cpu,other=program total=\"a text\"").await;
    for writer in &mut rig.writers {
        writer.start().await;
    }
    rig.collector.start().await;
    rig.flows().await;
    rig.settle().await;
    let books = balance(&rig, Known::default()).await;
    let polled = "SELECT ok FROM footman_poll WHERE source = 'health' AND ok = true";
    let polled = rig.influxd.rows(DATABASE, polled).await.len() as u64;
    eventually_equal("a dead letter for each health event", polled, || rig.dead_letters()).await;
    conclude(&rig, "400, a measurement in conflict", 1, &books).await;
}

/// The limit is raised by whoever reads which setting it is; until then everything is kept.
pub(crate) async fn cardinality_limit(on: On) {
    let mut rig = Rig::prepare(on, "").await;
    rig.influxd.configure("max-values-per-tag = 2");
    rig.influxd.restart().await;
    for writer in &mut rig.writers {
        writer.start().await;
    }
    rig.collector.start().await;
    let storing = rig.writers.first().unwrap_or(&rig.collector);
    eventually("the writer to name the limit", || async {
        storing.missing("influxdb").await.filter(|why| why.contains("max-values-per-tag"))
    })
    .await;
    rig.influxd.configure("max-values-per-tag = 0");
    rig.influxd.restart().await;
    settled(rig, "cardinality limit", 1, Known::default()).await;
}

crate::on! {
    embedded:
        super::away => influxdb_away,
        super::unavailable => answers_503,
        super::too_many_requests => answers_429,
        super::too_large => answers_413,
        super::unauthorized => answers_401_and_then_right,
        super::not_found => answers_404,
        super::hanging => hangs,
        super::half_an_answer => breaks_off_its_answer,
        super::closed_in_the_middle => closes_in_the_middle_of_a_request,
        super::database_dropped => loses_its_database,
        super::one_bad_line => refuses_one_line_among_good_ones,
        super::measurement_in_conflict => refuses_a_measurement,
        super::cardinality_limit => reaches_its_cardinality_limit;
    nats:
        super::away => influxdb_away,
        super::hanging => hangs,
        super::closed_in_the_middle => closes_in_the_middle_of_a_request,
        super::measurement_in_conflict => refuses_a_measurement;
    mqtt:
        super::away => influxdb_away,
        super::hanging => hangs,
        super::closed_in_the_middle => closes_in_the_middle_of_a_request,
        super::measurement_in_conflict => refuses_a_measurement;
}
