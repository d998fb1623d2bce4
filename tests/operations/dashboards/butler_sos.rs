//! Dashboards over a database that Butler SOS filled.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration_tests::influxd::Influxd;

use super::answers::Answers;
use super::files::{dashboards, text};
use super::grafana::{Chosen, opened};

const DATABASE: &str = "senseops";
/// Every half minute for half an hour.
const ROUNDS: u64 = 60;
const BETWEEN: Duration = Duration::from_secs(30);
/// What Footman alone writes; Butler SOS's own fields have no such names.
const ONLY_FOOTMAN: [&str; 4] =
    ["\"footman_poll\"", "\"footman_heartbeat\"", "\"app_names\"", "\"total_physical\""];

/// Whether a query asks for what Footman alone writes.
pub(crate) fn only_footman(query: &str) -> bool {
    ONLY_FOOTMAN.iter().any(|name| query.contains(name))
}

/// The lines of one round of two servers, with the tags and types of Butler SOS 15 for InfluxDB 1,
/// except that session points lack the servers' tags where `bare`, as they do for InfluxDB 2.
fn round(number: u64, time_ns: u128, bare: bool) -> String {
    let mut lines = String::new();
    for (server, restarted) in [("sense1", number > ROUNDS / 2), ("sense2", false)] {
        let tags = format!(
            "host={server}.corp,server_name={server},server_description=Central\\ node,env=prod"
        );
        // Counters begin at zero when the engine starts.
        let count = if restarted { number - ROUNDS / 2 } else { number };
        let (calls, started) = (1_000 * count, if restarted { "20260111" } else { "20260110" });
        let saturated = number == 7;
        let proxy = if bare { String::new() } else { format!("{tags},") };
        for line in [
            format!(
                "sense_server,{tags} version=\"12.2054.4\",started=\"{started}T085113.000+0100\",uptime=\"1 days, 0h 10m 00s\""
            ),
            format!("mem,{tags} comitted=28764i,allocated=41210i,free=97231i"),
            format!(
                "apps,{tags} active_docs=\"a\",active_docs_count=1i,active_docs_names=\"\\\"Sales\\\"\",active_session_docs_names=\"\",in_memory_docs=\"a,SessionApp_b\",in_memory_docs_count=2i,in_memory_docs_names=\"\\\"Sales\\\"\",in_memory_session_docs_names=\"\\\"SessionApp_b\\\"\",loaded_docs=\"a\",loaded_docs_count=1i,loaded_docs_names=\"\\\"Sales\\\"\",loaded_session_docs_names=\"\",calls={calls}i,selections={count}i"
            ),
            format!("cpu,{tags} total=7i"),
            format!("session,{tags} active=3i,total=41i"),
            format!("users,{tags} active=2i,total=29i"),
            format!(
                "cache,{tags} hits={}i,lookups={}i,added=5i,replaced=0i,bytes_added=8388608i",
                60 * count,
                100 * count
            ),
            format!("saturated,{tags} saturated={saturated}"),
            format!(
                "user_session_summary,{proxy}user_session_host={server}.corp:4243,user_session_virtual_proxy=/ session_count=4i,session_user_id_list=\"LAB\\\\goran\""
            ),
            format!(
                "user_session_summary,{proxy}user_session_host={server}.corp:4243,user_session_virtual_proxy=/hdr session_count=2i,session_user_id_list=\"LAB\\\\goran\""
            ),
            format!(
                "user_session_details,{proxy}user_session_host={server}.corp:4243,user_session_virtual_proxy=/,user_session_id=s1,user_session_user_directory=LAB,user_session_user_id=goran session_id=\"s1\",user_directory=\"LAB\",user_id=\"goran\""
            ),
        ] {
            writeln!(lines, "{line} {time_ns}").unwrap();
        }
    }
    for line in [
        "butlersos_memory_usage,butler_sos_instance=DEV,version=15.0.1 heap_used=40.1,heap_total=60.5,external=3.2,process_memory=110.7",
        // What is no failed poll, and must not be counted as one.
        "butler_sos_errors,error_type=INFLUXDB_V1_WRITE,server_name=sense1,module=HEALTH_METRICS error_count=1,error_category=\"unknown\"",
        "butler_sos_errors,error_type=PROXY_API,server_name=sense1,host=sense1.corp:4243,virtual_proxy=/hdr error_count=1,error_category=\"auth_error\",error_code=\"ERR_BAD_REQUEST\",http_status=403,request_url=\"https://sense1.corp:4243/qps/hdr/session\",request_timeout_ms=5000",
    ] {
        writeln!(lines, "{line} {time_ns}").unwrap();
    }
    let categories = ["timeout", "connection_refused", "http_5xx", "certificate_error", "unknown"];
    let category = categories[usize::try_from(number).unwrap() % categories.len()];
    writeln!(
        lines,
        "butler_sos_errors,error_type=HEALTH_API,server_name=sense3,host=sense3.corp:4747 error_count=1,error_category=\"{category}\" {time_ns}"
    )
    .unwrap();
    lines
}

async fn filled(bare: bool) -> Influxd {
    let influxd = Influxd::start().await;
    influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut lines = String::new();
    for number in 0..ROUNDS {
        let time = now - BETWEEN * u32::try_from(ROUNDS - number).unwrap();
        lines.push_str(&round(number, time.as_nanos(), bare));
    }
    influxd.write(DATABASE, &lines).await;
    influxd
}

/// Causes that Butler SOS does not tell apart.
fn unknown_to_butler_sos(query: &str) -> bool {
    query.contains("unexpected_body|decode|too_large)$/")
        && query.contains("=~ /^(unexpected_body|")
        || query.contains("=~ /^(skipped|interrupted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn butler_soss_own_data_are_shown() {
    let influxd = filled(false).await;
    let answers = Answers { influxd: &influxd, database: DATABASE, interval: "1m" };
    let mut silent = Vec::new();
    for dashboard in dashboards("influxql").iter().filter(|it| it.name != "pipeline") {
        let left_out = |query: &str| only_footman(query) || unknown_to_butler_sos(query);
        let opened = opened(dashboard.variables());
        silent.extend(answers.silent(dashboard, &opened, left_out).await);
        let mut chosen = answers.one_by_one(dashboard, &opened).await;
        if dashboard.name == "failed-polls" {
            // A poll of an engine has no virtual proxy, so none is chosen here.
            chosen.insert("virtual_proxy".to_owned(), opened["virtual_proxy"].clone());
        }
        silent.extend(answers.silent(dashboard, &chosen, left_out).await);
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_points_without_a_server_are_shown_until_one_is_chosen() {
    let influxd = filled(true).await;
    let answers = Answers { influxd: &influxd, database: DATABASE, interval: "1m" };
    let all = dashboards("influxql");
    let site = all.iter().find(|dashboard| dashboard.name == "site").unwrap();
    let opened = opened(site.variables());
    let sessions = |query: &str| !query.contains("\"user_session_");
    assert_eq!(answers.silent(site, &opened, sessions).await, [""; 0]);

    let mut chosen = opened.clone();
    chosen.insert("server".to_owned(), Chosen::Values(vec!["sense1".to_owned()]));
    let silent = answers.silent(site, &chosen, sessions).await;
    // Proxy sessions now, by virtual proxy, by server, and users: none knows its server. The
    // mark of restarts reads another measurement.
    assert_eq!(silent.len(), 4, "{silent:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_those_that_butler_sos_wrote() {
    let influxd = filled(false).await;
    let answers = Answers { influxd: &influxd, database: DATABASE, interval: "1m" };
    let all = dashboards("influxql");
    let value = async |dashboard: usize, title: &str, column: &str| {
        let dashboard = &all[dashboard];
        let targets = dashboard.targets();
        let target = targets.iter().find(|it| text(&it.panel["title"]) == title).unwrap();
        let choices = opened(dashboard.variables());
        let range = super::grafana::range_of(target.panel);
        let query = super::grafana::asked(text(&target.json["query"]), &choices, range, "1m");
        let rows = answers.rows(&query).await.unwrap();
        rows.last().unwrap()[column].as_f64().unwrap()
    };
    assert_eq!(value(0, "Servers that answer", "count").await, 2.0);
    assert_eq!(value(0, "Engine sessions", "sum").await, 82.0);
    assert_eq!(value(0, "Proxy sessions", "sum").await, 12.0);
    assert_eq!(value(0, "Proxy sessions by virtual proxy", "sum").await, 4.0);
    assert_eq!(value(0, "Users by virtual proxy", "count").await, 1.0);
    assert_eq!(value(0, "Cache hit ratio", "ratio").await, 60.0);
    // One poll of an engine and one of a proxy each round; failed writes are no failed polls.
    assert_eq!(value(1, "Failed polls", "sum").await, (2 * ROUNDS) as f64);
    assert_eq!(value(1, "Servers with failed polls", "count").await, 2.0);
    let by_proxy = value(1, "Proxy-session poll failures by virtual proxy", "sum").await;
    assert_eq!(by_proxy, ROUNDS as f64);
}
