//! `docs/dashboards.md` speaks of every alert and of every dashboard, and of no others.

use std::collections::BTreeSet;

use super::{grafana, prometheus, yaml};
use crate::dashboards::files::{dashboards, text};

fn document() -> String {
    std::fs::read_to_string(yaml::config("../docs/dashboards.md")).unwrap()
}

/// The cells of a column of the table of alerts, split at commas.
fn named(document: &str, column: usize) -> BTreeSet<String> {
    let (_, after) = document.split_once("| what is wrong |").unwrap();
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(column).unwrap());
    let names = cells.flat_map(|cell| cell.split(','));
    // What stands in brackets is a limit.
    let names = names.map(|name| name.split('(').next().unwrap().trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_alert_has_advice() {
    let document = document();
    let titles: BTreeSet<String> =
        grafana::rules().iter().map(|rule| text(&rule["title"]).to_owned()).collect();
    assert_eq!(named(&document, 2), titles);
    let names: BTreeSet<String> =
        prometheus::rules().iter().map(|rule| text(&rule["alert"]).to_owned()).collect();
    assert_eq!(named(&document, 3), names);
}

#[test]
fn every_dashboard_and_variable_is_explained() {
    let document = document();
    for dashboard in dashboards("influxql") {
        let title = text(&dashboard.json["title"]).trim_end_matches(" (InfluxQL)");
        assert!(document.contains(&format!("**{title}**")), "{title}");
        for variable in dashboard.variables() {
            let label = text(&variable["label"]).trim_end_matches(" (InfluxQL)");
            assert!(document.contains(label), "{label}");
        }
    }
}
