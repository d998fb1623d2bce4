//! Prometheus' rules: what they ask for is served.

use std::collections::BTreeSet;
use std::time::Duration;

use integration_tests::influxd::Influxd;
use integration_tests::patience::eventually_equal;
use integration_tests::programs::FootmanRun;
use integration_tests::prometheus::promtool;
use serde_json::Value;
use simulator::{ButlerSosOptions, Site, SiteConfig};

use super::yaml;
use crate::dashboards::files::text;

/// What begins like one of Footman's metrics.
const PREFIXES: [&str; 4] = ["collector_", "footman_", "qliksense_", "writer_"];
/// What `footman run` over its own broker and with certificates in files does not serve, and who
/// does.
const ELSEWHERE: [(&str, &str); 3] = [
    ("collector_lost_events_total", "a collector before a broker of its own"),
    ("collector_certificate_expiry_timestamp_seconds", "a collector with certificates in files"),
    ("writer_certificate_expiry_timestamp_seconds", "a writer with certificates in files"),
];

/// Every rule.
pub(crate) fn rules() -> Vec<Value> {
    let groups = yaml::read("prometheus/alerts.yml")["groups"].clone();
    let groups = groups.as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn rules_say_whose_and_what() {
    let mut names = BTreeSet::new();
    for rule in &rules() {
        let name = text(&rule["alert"]);
        assert!(names.insert(name.to_owned()), "{name} twice");
        assert_eq!(rule["labels"]["team"], "qlik-sense", "{name}");
        assert!(["info", "warning", "critical"].contains(&text(&rule["labels"]["severity"])));
        assert!(text(&rule["annotations"]["summary"]).len() > 10, "{name}");
        assert!(text(&rule["annotations"]["description"]).len() > 20, "{name}");
    }
}

#[test]
fn the_example_reads_the_rules_and_names_their_jobs() {
    let config = yaml::read("prometheus/prometheus.yml");
    assert!(yaml::config("prometheus").join(text(&config["rule_files"][0])).exists());
    let jobs: Vec<&str> = config["scrape_configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| text(&job["job_name"]))
        .collect();
    let down = rules().into_iter().find(|rule| rule["alert"] == "FootmanDown").unwrap();
    assert!(text(&down["expr"]).contains(&format!("job=~\"{}\"", jobs.join("|"))));
}

#[test]
fn promtool_finds_the_files_sound_and_the_cases_true() {
    let config = yaml::config("prometheus");
    promtool(&config, &["check", "config", "prometheus.yml"], "");
    let tests = yaml::config("../tests/operations/alert_rules");
    promtool(&tests, &["test", "rules", "promtool.yml"], "");
}

/// The names of metrics in an expression.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_served() {
    let rules = rules();
    let asked: BTreeSet<&str> =
        rules.iter().flat_map(|rule| metrics(text(&rule["expr"]))).collect();
    assert!(asked.len() > 15, "{asked:?}");

    let site = Site::start(SiteConfig::for_test().unwrap()).await.unwrap();
    let influxd = Influxd::start().await;
    let mut footman = FootmanRun::prepare(|sections| {
        site.butler_sos_config(&ButlerSosOptions {
            influxdb_port: influxd.port(),
            polling_interval: Duration::from_secs(1),
            session_interval: Duration::from_secs(1),
            more: sections,
            ..ButlerSosOptions::default()
        })
    });
    footman.start().await;
    eventually_equal("what is asked for and not served", Vec::new(), || async {
        let (_, page) = footman.page("/metrics").await.unwrap();
        let served: BTreeSet<&str> =
            page.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
        let elsewhere = |metric: &str| ELSEWHERE.iter().any(|(name, _)| *name == metric);
        let missing = asked.iter().filter(|name| !served.contains(*name) && !elsewhere(name));
        missing.map(|&name| name.to_owned()).collect()
    })
    .await;
}
