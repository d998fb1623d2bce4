//! What every dashboard has to be, whatever it shows.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::files::{Dashboard, NAMES, dashboards, folder, text};

const LONGEST_UID: usize = 40;
const COLUMNS: u64 = 24;
/// Panels that every Grafana has.
const CORE_PANELS: [&str; 6] = ["timeseries", "stat", "bargauge", "table", "state-timeline", "row"];
const UNITS: [&str; 7] = ["none", "percent", "mbytes", "s", "ms", "ops", "percentunit"];
/// What a query may mention with a dollar sign besides variables.
const MACROS: [&str; 2] = ["timeFilter", "__interval"];

fn both() -> impl Iterator<Item = Dashboard> {
    dashboards("influxql").into_iter().chain(dashboards("flux"))
}

fn datasource() -> Value {
    json!({"type": "influxdb", "uid": "${ds}"})
}

#[test]
fn the_files_are_what_their_source_writes() {
    let check = Command::new("python3")
        .args(["-B", "generate.py", "--check"])
        .current_dir(folder())
        .output()
        .unwrap_or_else(|error| panic!("python3 does not start ({error}); ./test installs it"));
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{said}");
}

#[test]
fn there_is_nothing_else_in_the_folders() {
    for language in ["influxql", "flux"] {
        let files = std::fs::read_dir(folder().join("dashboards").join(language)).unwrap();
        let files: BTreeSet<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, NAMES.map(|name| format!("{name}.json")).into());
    }
}

#[test]
fn dashboards_can_be_provisioned_and_imported() {
    for dashboard in both() {
        let (json, name) = (&dashboard.json, dashboard.name);
        let uid = text(&json["uid"]);
        assert_eq!(uid, format!("footman-{}-{name}", dashboard.language));
        assert!(uid.len() <= LONGEST_UID, "{uid}");
        assert_eq!(json["id"], Value::Null, "{name}");
        assert!(json["__inputs"].is_null() && json["dashboard"].is_null(), "{name}");
        assert_eq!(json["time"], json!({"from": "now-6h", "to": "now"}), "{name}");
        assert_eq!(json["refresh"], "1m", "{name}");
        assert!(text(&json["description"]).len() > 20, "{name}");
        // The others of its language are linked by this tag.
        let family = format!("footman-{}", dashboard.language);
        assert!(json["tags"].as_array().unwrap().contains(&json!(family)), "{name}");
        assert_eq!(json["links"][0]["tags"], json!([family]), "{name}");
        assert_eq!(json["links"][0]["type"], "dashboards", "{name}");
    }
}

#[test]
fn panels_have_places_of_their_own() {
    for dashboard in both() {
        let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for panel in dashboard.panels() {
            let title = text(&panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's");
            assert!(titles.insert(title.to_owned()), "{title}: two of that name");
            let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            let (x, y, width, height) = (place("x"), place("y"), place("w"), place("h"));
            assert!(width > 0 && height > 0 && x + width <= COLUMNS, "{title}: {width} at {x}");
            for column in x..x + width {
                for line in y..y + height {
                    assert!(taken.insert((column, line)), "{title} lies over another");
                }
            }
        }
    }
}

#[test]
fn panels_say_what_they_mean_and_ask_the_chosen_source() {
    for dashboard in both() {
        for panel in dashboard.panels() {
            let (title, kind) = (text(&panel["title"]), text(&panel["type"]));
            assert!(CORE_PANELS.contains(&kind), "{title}: {kind} is no core panel");
            if kind == "row" {
                continue;
            }
            assert_eq!(panel["datasource"], datasource(), "{title}");
            assert!(text(&panel["description"]).len() > 20, "{title} is not described");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(UNITS.contains(&text(&defaults["unit"])), "{title}: {}", defaults["unit"]);
            let steps = defaults["thresholds"]["steps"].as_array().unwrap();
            assert_eq!(steps[0]["value"], Value::Null, "{title}: the first step has no limit");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{title} asks nothing");
            let mut references = BTreeSet::new();
            for target in targets {
                assert_eq!(target["datasource"], datasource(), "{title}");
                assert!(references.insert(text(&target["refId"])), "{title}: two of one refId");
            }
        }
        for annotation in dashboard.annotations() {
            assert_eq!(annotation["datasource"], datasource(), "{}", annotation["name"]);
        }
    }
}

#[test]
fn what_footman_alone_writes_is_said_to_be_so() {
    for dashboard in both() {
        for target in dashboard.targets() {
            let (query, title) = (text(&target.json["query"]), text(&target.panel["title"]));
            let said = text(&target.panel["description"]).contains("Only Footman writes");
            if super::butler_sos::only_footman(query) {
                assert!(said, "{title} does not say that Butler SOS writes no such data");
            }
        }
    }
}

#[test]
fn variables_are_used_and_nothing_is_a_constant() {
    for dashboard in both() {
        let name = dashboard.name;
        let mut defined = BTreeSet::new();
        for variable in dashboard.variables() {
            let kind = text(&variable["type"]);
            assert!(["datasource", "query", "textbox"].contains(&kind), "{name}: {kind}");
            if kind == "query" {
                assert_eq!(variable["datasource"], datasource(), "{name}");
                assert_eq!(variable["multi"], true, "{name}");
                assert_eq!(variable["includeAll"], true, "{name}");
                assert_eq!(variable["allValue"], ".*", "{name}");
            }
            defined.insert(text(&variable["name"]).to_owned());
        }
        assert!(defined.remove("ds"), "{name} has no variable for its data source");
        let mut used = BTreeSet::new();
        for (at, query) in dashboard.queries() {
            used.extend(mentioned(query));
            for constant in
                ["server_name = '", "server_name\" = '", "r.server_name == \"", "instance\" = '"]
            {
                assert!(!query.contains(constant), "{name}, {at}: {constant}");
            }
        }
        for macro_name in MACROS {
            used.remove(macro_name);
        }
        assert_eq!(used, defined, "{name} {}", dashboard.language);
    }
}

/// The names that a query mentions as `$name`, `${name}` or `${name:format}`.
fn mentioned(query: &str) -> BTreeSet<String> {
    let names = query.split('$').skip(1).filter_map(|after| {
        let after = after.strip_prefix('{').unwrap_or(after);
        after.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned)
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn legends_name_tags_that_the_query_groups_by() {
    for dashboard in dashboards("influxql") {
        for target in dashboard.targets() {
            let Some(legend) = target.json["alias"].as_str() else { continue };
            let query = text(&target.json["query"]);
            for tag in mentioned(legend) {
                let tag = tag.strip_prefix("tag_").unwrap();
                let (_, grouped) = query.rsplit_once("GROUP BY").unwrap();
                assert!(grouped.contains(&format!("\"{tag}\"")), "{legend}: {query}");
            }
        }
    }
}
