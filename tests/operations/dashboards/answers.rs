//! A database behind the dashboards.

use std::time::Duration;

use integration_tests::influxd::Influxd;
use serde_json::Value;

use super::files::{Dashboard, text};
use super::grafana::{Choices, Chosen, asked, range_of};

/// What a dashboard looks back by itself.
const RANGE: Duration = Duration::from_hours(6);

/// A database, and the `$__interval` that suits what is in it.
pub(crate) struct Answers<'a> {
    pub(crate) influxd: &'a Influxd,
    pub(crate) database: &'static str,
    pub(crate) interval: &'static str,
}

impl Answers<'_> {
    /// Asks as it is; the rows, or InfluxDB's words.
    pub(crate) async fn rows(&self, query: &str) -> Result<Vec<Value>, String> {
        let url = format!("http://127.0.0.1:{}/query", self.influxd.port());
        let parameters = [("db", self.database), ("epoch", "ms"), ("q", query)];
        let request = reqwest::Client::new().get(url).query(&parameters);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let error = [&answer["error"], &answer["results"][0]["error"]];
        if let Some(error) = error.iter().find_map(|error| error.as_str()) {
            return Err(format!("{error}: {query}"));
        }
        let series = answer["results"][0]["series"].as_array().cloned().unwrap_or_default();
        Ok(series.iter().flat_map(values).collect())
    }

    /// Why a query has no answer that a panel could show; none when it has.
    async fn nothing(&self, query: &str) -> Option<String> {
        match self.rows(query).await {
            Err(error) => Some(error),
            Ok(rows) if rows.is_empty() => Some(format!("no rows: {query}")),
            Ok(_) => None,
        }
    }

    /// The queries of a dashboard that have no answer, each with where it is. `left_out` says
    /// which panels are not expected to have one.
    pub(crate) async fn silent(
        &self,
        dashboard: &Dashboard,
        choices: &Choices,
        left_out: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut silent = Vec::new();
        for target in dashboard.targets() {
            let (title, query) = (text(&target.panel["title"]), text(&target.json["query"]));
            if left_out(query) {
                continue;
            }
            let query = asked(query, choices, range_of(target.panel), self.interval);
            if let Some(why) = self.nothing(&query).await {
                silent.push(format!("{}, panel {title}: {why}", dashboard.name));
            }
        }
        for annotation in dashboard.annotations() {
            let query = text(&annotation["target"]["query"]);
            let query = asked(query, choices, RANGE, self.interval);
            if let Some(why) = self.nothing(&query).await {
                silent
                    .push(format!("{}, annotation {}: {why}", dashboard.name, annotation["name"]));
            }
        }
        silent
    }

    /// The variables of a dashboard with all their values chosen one by one; but of virtual
    /// proxies none is among failed polls, since a poll of an engine has none.
    pub(crate) async fn one_by_one(&self, dashboard: &Dashboard, opened: &Choices) -> Choices {
        let mut choices = opened.clone();
        let engines_too = dashboard.name == "failed-polls";
        for variable in dashboard.variables().iter().filter(|v| v["type"] == "query") {
            let query = asked(text(&variable["query"]), opened, RANGE, self.interval);
            let rows = self.rows(&query).await.unwrap();
            let mut values: Vec<String> =
                rows.iter().map(|row| text(&row["value"]).to_owned()).collect();
            values.sort();
            values.dedup();
            let name = text(&variable["name"]);
            assert!(!values.is_empty(), "{}: variable {name} has no value", dashboard.name);
            if name != "virtual_proxy" || !engines_too {
                choices.insert(name.to_owned(), Chosen::Values(values));
            }
        }
        choices
    }
}

/// The rows of a series that have a value besides their time.
fn values(series: &Value) -> Vec<Value> {
    let columns = series["columns"].as_array().unwrap();
    let row = |values: &Value| {
        let named = columns.iter().zip(values.as_array().unwrap());
        let named: serde_json::Map<String, Value> =
            named.map(|(column, value)| (text(column).to_owned(), value.clone())).collect();
        let has_value = named.iter().any(|(column, value)| column != "time" && !value.is_null());
        let mut row = series["tags"].as_object().cloned().unwrap_or_default();
        row.extend(named);
        has_value.then_some(Value::Object(row))
    };
    series["values"].as_array().unwrap().iter().filter_map(row).collect()
}
