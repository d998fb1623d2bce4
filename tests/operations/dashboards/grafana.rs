//! What Grafana puts into a query before it asks: macros and variables.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::text;
use serde_json::Value;

/// What a variable stands for.
#[derive(Clone, Debug)]
pub(crate) enum Chosen {
    /// Everything, by the variable's own word for it.
    All(String),
    /// Some of several values.
    Values(Vec<String>),
    /// What was typed.
    Typed(String),
}

/// The variables of a dashboard by name.
pub(crate) type Choices = BTreeMap<String, Chosen>;

/// The variables as a dashboard is opened.
pub(crate) fn opened(variables: &[Value]) -> Choices {
    let chosen = |variable: &Value| match text(&variable["type"]) {
        "query" => Some(Chosen::All(text(&variable["allValue"]).to_owned())),
        "textbox" => Some(Chosen::Typed(text(&variable["query"]).to_owned())),
        _ => None,
    };
    let named = |variable: &Value| Some((text(&variable["name"]).to_owned(), chosen(variable)?));
    variables.iter().filter_map(named).collect()
}

/// An InfluxQL query as it reaches InfluxDB, for the last `range` and the given `$__interval`.
pub(crate) fn asked(query: &str, choices: &Choices, range: Duration, interval: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let from = now.saturating_sub(range);
    let times = format!("time >= {}ms and time <= {}ms", from.as_millis(), now.as_millis());
    let mut query = query.replace("$timeFilter", &times).replace("$__interval", interval);
    for (name, chosen) in choices {
        query = query.replace(&format!("${{{name}:regex}}"), &as_regex(chosen));
        query = query.replace(&format!("${{{name}}}"), &plain(chosen));
    }
    assert!(!query.contains("${") && !query.contains("$_"), "Grafana would leave this: {query}");
    query
}

/// A panel's range: its own or the dashboard's.
pub(crate) fn range_of(panel: &Value) -> Duration {
    let from = panel["timeFrom"].as_str().unwrap_or("6h");
    let (number, unit) = from.split_at(from.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "m" => Duration::from_mins(number),
        "h" => Duration::from_hours(number),
        _ => panic!("{from}"),
    }
}

fn as_regex(chosen: &Chosen) -> String {
    match chosen {
        // Its own word for everything is taken as it is.
        Chosen::All(word) => word.clone(),
        Chosen::Typed(value) => escaped(value),
        Chosen::Values(values) => match values.as_slice() {
            [only] => escaped(only),
            several => {
                let several: Vec<String> = several.iter().map(|value| escaped(value)).collect();
                format!("({})", several.join("|"))
            }
        },
    }
}

fn plain(chosen: &Chosen) -> String {
    match chosen {
        Chosen::All(word) => word.clone(),
        Chosen::Typed(value) => value.clone(),
        Chosen::Values(values) => values.join(","),
    }
}

/// The characters that Grafana's format `regex` escapes; the slash is one of them.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if "\\^$*+?.()|[]{}/".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
