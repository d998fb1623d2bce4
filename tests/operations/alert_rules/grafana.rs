//! Grafana's rules: each finds who is in trouble, and nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use integration_tests::influxd::Influxd;
use serde_json::Value;

use super::conditions::{Numbers, math, passed, reduced};
use super::{troubles, yaml};
use crate::dashboards::answers::Answers;
use crate::dashboards::files::text;
use crate::dashboards::grafana::{Choices, asked};

const FILES: [&str; 2] = ["site.yaml", "pipeline.yaml"];
const DATABASE: &str = "senseops";
const EXPRESSIONS: &str = "__expr__";
/// Titles and uids are shown and stored; Grafana takes uids of at most this length.
const LONGEST_UID: usize = 40;

/// Every rule.
pub(crate) fn rules() -> Vec<Value> {
    let files = FILES.map(|file| yaml::read(&format!("grafana/provisioning/alerting/{file}")));
    let groups = files.iter().flat_map(|file| file["groups"].as_array().unwrap());
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn steps(rule: &Value) -> &[Value] {
    rule["data"].as_array().unwrap()
}

#[test]
fn rules_can_be_provisioned() {
    let sources = yaml::read("grafana/provisioning/datasources/footman.yaml");
    let sources: BTreeSet<&str> =
        sources["datasources"].as_array().unwrap().iter().map(|it| text(&it["uid"])).collect();
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for rule in &rules() {
        let uid = text(&rule["uid"]);
        assert!(uids.insert(uid.to_owned()) && uid.len() <= LONGEST_UID, "{uid}");
        assert!(titles.insert(text(&rule["title"]).to_owned()), "{uid}");
        assert!(["info", "warning", "critical"].contains(&text(&rule["labels"]["severity"])));
        assert!(["OK", "Alerting"].contains(&text(&rule["noDataState"])), "{uid}");
        assert!(text(&rule["annotations"]["description"]).len() > 40, "{uid}");
        let mut known = BTreeSet::new();
        for step in steps(rule) {
            let (reference, model) = (text(&step["refId"]), &step["model"]);
            assert_eq!(model["refId"], reference, "{uid}");
            if step["datasourceUid"] == EXPRESSIONS {
                for used in used(text(&model["expression"])) {
                    assert!(known.contains(&used), "{uid}: {used} comes later or never");
                }
            } else {
                assert!(sources.contains(text(&step["datasourceUid"])), "{uid}");
                assert!(step["relativeTimeRange"]["from"].as_u64().unwrap() > 0, "{uid}");
            }
            assert!(known.insert(reference.to_owned()), "{uid}: {reference} twice");
        }
        assert!(known.contains(text(&rule["condition"])), "{uid}");
    }
}

/// The references that an expression uses: a bare one, or several with dollar signs.
fn used(expression: &str) -> Vec<String> {
    if !expression.contains('$') {
        return vec![expression.to_owned()];
    }
    let after = expression.split('$').skip(1);
    after.filter_map(|after| after.split(' ').next()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_finds_the_trouble_that_it_is_named_after() {
    let influxd = Influxd::start().await;
    influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
    influxd.write(DATABASE, &troubles::lines()).await;
    let answers = Answers { influxd: &influxd, database: DATABASE, interval: "1m" };
    let mut wrong = Vec::new();
    for rule in &rules() {
        let trouble = text(&rule["uid"]).strip_prefix("footman-").unwrap().to_owned();
        let found: Vec<String> = alarms(&answers, rule).await.iter().map(|it| name(it)).collect();
        if found != [trouble.as_str()] {
            wrong.push(format!("{trouble}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_in_trouble_in_an_empty_database() {
    let influxd = Influxd::start().await;
    influxd.execute("", &format!("CREATE DATABASE {DATABASE}")).await;
    let answers = Answers { influxd: &influxd, database: DATABASE, interval: "1m" };
    for rule in &rules() {
        assert_eq!(alarms(&answers, rule).await, [""; 0], "{}", rule["uid"]);
        // That nothing beats is known by there being no answer.
        let silence = rule["uid"] == "footman-stale-heartbeat";
        assert_eq!(rule["noDataState"] == "Alerting", silence, "{}", rule["uid"]);
    }
}

/// The value of the label that names the server or the program.
fn name(labels: &str) -> String {
    let label = |key| labels.split(' ').find_map(|label: &str| label.strip_prefix(key));
    label("server_name=").or_else(|| label("instance=")).unwrap().to_owned()
}

/// The labels for which a rule would raise an alarm.
async fn alarms(answers: &Answers<'_>, rule: &Value) -> Vec<String> {
    let mut series: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut numbers: BTreeMap<String, Numbers> = BTreeMap::new();
    let mut alarms = Vec::new();
    for step in steps(rule) {
        let (reference, model) = (text(&step["refId"]).to_owned(), &step["model"]);
        if step["datasourceUid"] != EXPRESSIONS {
            let range = Duration::from_secs(step["relativeTimeRange"]["from"].as_u64().unwrap());
            let query = asked(text(&model["query"]), &Choices::new(), range, answers.interval);
            series.insert(reference, answers.rows(&query).await.unwrap());
            continue;
        }
        let expression = text(&model["expression"]);
        match text(&model["type"]) {
            "reduce" => {
                assert_eq!(model["reducer"], "last");
                numbers.insert(reference, reduced(&series[expression]));
            }
            "math" => {
                let result = math(expression, &numbers);
                numbers.insert(reference, result);
            }
            "threshold" => alarms = passed(model, &numbers[expression]),
            other => panic!("{other}"),
        }
    }
    alarms
}
