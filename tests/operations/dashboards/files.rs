//! The dashboards as they lie in the repository.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Every dashboard, by the name of its file.
pub(crate) const NAMES: [&str; 3] = ["site", "failed-polls", "pipeline"];

/// A dashboard in one of the languages.
pub(crate) struct Dashboard {
    pub(crate) language: &'static str,
    pub(crate) name: &'static str,
    pub(crate) json: Value,
}

/// A panel's query.
pub(crate) struct Target<'a> {
    pub(crate) panel: &'a Value,
    pub(crate) json: &'a Value,
}

/// The folder of everything for Grafana.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("config/grafana")
}

/// The dashboards of a language.
pub(crate) fn dashboards(language: &'static str) -> Vec<Dashboard> {
    let folder = folder().join("dashboards").join(language);
    let read = |name| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        Dashboard { language, name, json: serde_json::from_str(&text).unwrap() }
    };
    NAMES.into_iter().map(read).collect()
}

impl Dashboard {
    /// All panels, rows included.
    pub(crate) fn panels(&self) -> &[Value] {
        self.json["panels"].as_array().unwrap()
    }

    /// The queries of all panels.
    pub(crate) fn targets(&self) -> Vec<Target<'_>> {
        let targets = |panel: &'_ Value| panel["targets"].as_array().cloned().unwrap_or_default();
        let count = |panel| targets(panel).len();
        self.panels()
            .iter()
            .flat_map(|panel| {
                (0..count(panel)).map(move |at| Target { panel, json: &panel["targets"][at] })
            })
            .collect()
    }

    /// The template variables.
    pub(crate) fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().unwrap()
    }

    /// The annotations, without Grafana's own.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = &Value> {
        let all = self.json["annotations"]["list"].as_array().unwrap();
        all.iter().filter(|annotation| annotation["builtIn"].is_null())
    }

    /// The texts of all queries, each with where it is.
    pub(crate) fn queries(&self) -> Vec<(String, &str)> {
        let mut queries = Vec::new();
        for target in self.targets() {
            let at = format!("{} / {}", text(&target.panel["title"]), text(&target.json["refId"]));
            queries.push((at, text(&target.json["query"])));
        }
        for variable in self.variables().iter().filter(|variable| variable["type"] == "query") {
            queries.push((format!("variable {}", variable["name"]), text(&variable["query"])));
        }
        for annotation in self.annotations() {
            let query = text(&annotation["target"]["query"]);
            queries.push((format!("annotation {}", annotation["name"]), query));
        }
        queries
    }
}

/// A text of a JSON document.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
