//! Dashboards over a database that Butler SOS filled.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration_tests::influxd::Influxd;
use serde_json::{Value, json};

use super::answers::Answers;
use super::files::{dashboards, text};
use super::grafana::{Chosen, asked, opened, range_of};

const DATABASE: &str = "senseops";
/// Every half minute for half an hour.
const ROUNDS: u64 = 60;
const BETWEEN: Duration = Duration::from_secs(30);
const ROUND: &str = include_str!("butler_sos_round.txt");
/// What else it writes in each round. The last is no failed poll, and must not be counted as one.
const BESIDE: [&str; 3] = [
    "butlersos_memory_usage,butler_sos_instance=DEV,version=15.0.1 \
     heap_used=40.1,heap_total=60.5,external=3.2,process_memory=110.7",
    "butler_sos_errors,error_type=PROXY_API,server_name=sense1,host=sense1.corp:4243,\
     virtual_proxy=/hdr error_count=1,error_category=\"auth_error\",http_status=403",
    "butler_sos_errors,error_type=INFLUXDB_V1_WRITE,server_name=sense1,module=HEALTH_METRICS \
     error_count=1,error_category=\"unknown\"",
];
/// Why the third server cannot be polled, in turn.
const CAUSES: [&str; 5] =
    ["timeout", "connection_refused", "http_5xx", "certificate_error", "unknown"];
/// Causes that it does not tell apart, as queries ask for them.
const NO_CAUSES: [&str; 2] = ["=~ /^(unexpected_body|", "=~ /^(skipped|"];
/// What Footman alone writes; Butler SOS's own fields have no such names.
const ONLY_FOOTMAN: [&str; 4] =
    ["\"footman_poll\"", "\"footman_heartbeat\"", "\"app_names\"", "\"total_physical\""];

/// Whether a query asks for what Footman alone writes.
pub(crate) fn only_footman(query: &str) -> bool {
    ONLY_FOOTMAN.iter().any(|name| query.contains(name))
}

fn left_out(query: &str) -> bool {
    only_footman(query) || NO_CAUSES.iter().any(|cause| query.contains(cause))
}

/// The lines of one round of two servers; session points lack the servers' tags where `bare`, as
/// they do in InfluxDB 2.
fn round(number: u64, time: &str, bare: bool) -> String {
    let mut lines = String::new();
    for (server, restarted) in [("sense1", number > ROUNDS / 2), ("sense2", false)] {
        let tags = format!(
            "host={server}.corp,server_name={server},server_description=Central\\ node,env=prod"
        );
        // Counters begin at zero when the engine starts.
        let count = if restarted { number - ROUNDS / 2 } else { number };
        let started =
            if restarted { "20260111T085113.000+0100" } else { "20260110T085113.000+0100" };
        for line in ROUND.lines().filter(|line| !line.starts_with('#')) {
            let line = line
                .replace("{tags}", &tags)
                .replace("{session}", &if bare { String::new() } else { format!("{tags},") })
                .replace("{server}", server)
                .replace("{started}", started)
                .replace("{calls}", &(1_000 * count).to_string())
                .replace("{selections}", &count.to_string())
                .replace("{hits}", &(60 * count).to_string())
                .replace("{lookups}", &(100 * count).to_string())
                .replace("{saturated}", if number == 7 { "true" } else { "false" });
            writeln!(lines, "{line} {time}").unwrap();
        }
    }
    let cause = CAUSES.iter().cycle().nth(usize::try_from(number).unwrap()).unwrap();
    let failed = format!(
        "butler_sos_errors,error_type=HEALTH_API,server_name=sense3,host=sense3.corp:4747 \
         error_count=1,error_category=\"{cause}\""
    );
    for line in BESIDE.into_iter().chain([&*failed]) {
        writeln!(lines, "{line} {time}").unwrap();
    }
    lines
}

async fn filled(bare: bool) -> Influxd {
    let influxd = Influxd::start().await;
    influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let lines = (0..ROUNDS).map(|number| {
        let age = BETWEEN * u32::try_from(ROUNDS - number).unwrap();
        round(number, &now.saturating_sub(age).as_nanos().to_string(), bare)
    });
    influxd.write(DATABASE, &lines.collect::<String>()).await;
    influxd
}

fn answers(influxd: &Influxd) -> Answers<'_> {
    Answers { influxd, database: DATABASE, interval: "1m" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_data_are_shown() {
    let influxd = filled(false).await;
    let answers = answers(&influxd);
    let mut silent = Vec::new();
    for dashboard in dashboards("influxql").iter().filter(|it| it.name != "pipeline") {
        let opened = opened(dashboard.variables());
        silent.extend(answers.silent(dashboard, &opened, left_out).await);
        let chosen = answers.one_by_one(dashboard, &opened).await;
        silent.extend(answers.silent(dashboard, &chosen, left_out).await);
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_points_without_a_server_are_shown_until_one_is_chosen() {
    let influxd = filled(true).await;
    let all = dashboards("influxql");
    let site = all.iter().find(|dashboard| dashboard.name == "site").unwrap();
    let opened = opened(site.variables());
    let no_sessions = |query: &str| !query.contains("\"user_session_");
    assert_eq!(answers(&influxd).silent(site, &opened, no_sessions).await, [""; 0]);

    let mut chosen = opened.clone();
    chosen.insert("server".to_owned(), Chosen::Values(vec!["sense1".to_owned()]));
    let silent = answers(&influxd).silent(site, &chosen, no_sessions).await;
    // Proxy sessions now, by virtual proxy, by server, and users: no point knows its server.
    assert_eq!(silent.len(), 4, "{silent:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_those_that_it_wrote() {
    let influxd = filled(false).await;
    // One poll of an engine and one of a proxy fail in each round.
    for (dashboard, title, column, expected) in [
        ("site", "Servers that answer", "count", json!(2)),
        ("site", "Engine sessions", "sum", json!(82)),
        ("site", "Proxy sessions", "sum", json!(12)),
        ("site", "Proxy sessions by virtual proxy", "sum", json!(4)),
        ("site", "Users by virtual proxy", "count", json!(1)),
        ("site", "Cache hit ratio", "ratio", json!(60)),
        ("failed-polls", "Failed polls", "sum", json!(2 * ROUNDS)),
        ("failed-polls", "Servers with failed polls", "count", json!(2)),
        ("failed-polls", "Proxy-session poll failures by virtual proxy", "sum", json!(ROUNDS)),
    ] {
        let shown = last_row(&answers(&influxd), dashboard, title).await;
        assert_eq!(shown[column], expected, "{title}: {shown}");
    }
}

/// The last row that a panel's first query is answered with.
async fn last_row(answers: &Answers<'_>, dashboard: &str, title: &str) -> Value {
    let all = dashboards("influxql");
    let dashboard = all.iter().find(|it| it.name == dashboard).unwrap();
    let target =
        dashboard.targets().into_iter().find(|it| text(&it.panel["title"]) == title).unwrap();
    let choices = opened(dashboard.variables());
    let range = range_of(target.panel);
    let query = asked(text(&target.json["query"]), &choices, range, answers.interval);
    answers.rows(&query).await.unwrap().pop().unwrap()
}
