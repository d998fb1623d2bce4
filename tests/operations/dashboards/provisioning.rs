//! The files by which Grafana finds data sources and dashboards.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::{dashboards, text};
use crate::alert_rules::yaml;

fn sources() -> BTreeMap<String, Value> {
    let file = yaml::read("grafana/provisioning/datasources/footman.yaml");
    assert_eq!(file["apiVersion"], 1);
    let sources = file["datasources"].as_array().unwrap().iter();
    sources.map(|source| (text(&source["uid"]).to_owned(), source.clone())).collect()
}

#[test]
fn secrets_come_from_files() {
    for (uid, source) in sources() {
        assert_eq!(source["type"], "influxdb", "{uid}");
        for (key, secret) in source["secureJsonData"].as_object().unwrap() {
            let secret = text(secret).trim_start_matches("Token ").trim_start_matches("Bearer ");
            assert!(secret.starts_with("$__file{/run/") && secret.ends_with('}'), "{uid}: {key}");
        }
        // Where a header carries the secret, it is the one that is named.
        let header = &source["jsonData"]["httpHeaderName1"];
        let value = &source["secureJsonData"]["httpHeaderValue1"];
        assert_eq!(header.is_null(), value.is_null(), "{uid}");
    }
}

#[test]
fn dashboards_choose_a_source_of_their_language_first() {
    let sources = sources();
    for language in ["influxql", "flux"] {
        for dashboard in dashboards(language) {
            let source = &sources[text(&dashboard.variables()[0]["current"]["value"])];
            assert_eq!(source["name"], dashboard.variables()[0]["current"]["text"]);
            let speaks_flux = source["jsonData"]["version"] == "Flux";
            assert_eq!(speaks_flux, language == "flux", "{}", dashboard.name);
        }
    }
}

#[test]
fn dashboards_are_looked_for_in_the_folders_of_their_languages() {
    let file = yaml::read("grafana/provisioning/dashboards/footman.yaml");
    let provider = &file["providers"][0];
    assert_eq!(provider["type"], "file");
    assert_eq!(provider["options"]["path"], "/etc/grafana/dashboards");
    assert_eq!(provider["options"]["foldersFromFilesStructure"], true);
}
