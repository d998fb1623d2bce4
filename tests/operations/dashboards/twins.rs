//! The Flux dashboards are those for InfluxQL in another language.
//!
//! No Flux is run: what can be seen without running it is looked at. Each query asks for the same
//! measurement and the same fields as its twin, and is well-formed as far as brackets, quotes,
//! functions and Grafana's values go.

use std::collections::BTreeSet;

use serde_json::Value;

use super::files::{dashboards, folder};

/// What Grafana puts into Flux.
const VALUES: [&str; 4] = ["defaultBucket", "timeRangeStart", "timeRangeStop", "windowPeriod"];
/// The functions that queries are piped through; all of them are in Flux's package `universe`.
const FUNCTIONS: [&str; 23] = [
    "aggregateWindow",
    "count",
    "derivative",
    "difference",
    "distinct",
    "duplicate",
    "filter",
    "group",
    "keep",
    "last",
    "limit",
    "map",
    "max",
    "pivot",
    "range",
    "rename",
    "set",
    "sort",
    "sum",
    "tail",
    "toFloat",
    "toInt",
    "window",
];
const PANEL_PARTS: [&str; 8] =
    ["title", "type", "description", "gridPos", "id", "options", "transformations", "timeFrom"];

#[test]
fn panels_are_the_same() {
    for (influxql, flux) in dashboards("influxql").iter().zip(&dashboards("flux")) {
        assert_eq!(influxql.panels().len(), flux.panels().len(), "{}", influxql.name);
        for (one, other) in influxql.panels().iter().zip(flux.panels()) {
            for part in PANEL_PARTS {
                assert_eq!(one[part], other[part], "{}: {part}", one["title"]);
            }
            let defaults = |panel: &Value| panel["fieldConfig"]["defaults"].clone();
            assert_eq!(defaults(one), defaults(other), "{}", one["title"]);
        }
        let names = |dashboard: &[Value]| -> Vec<Value> {
            dashboard.iter().map(|variable| variable["name"].clone()).collect()
        };
        assert_eq!(names(influxql.variables()), names(flux.variables()));
        let annotations = |it: &super::files::Dashboard| -> Vec<Value> {
            it.annotations().map(|annotation| annotation["name"].clone()).collect()
        };
        assert_eq!(annotations(influxql), annotations(flux));
    }
}

#[test]
fn queries_ask_for_the_same() {
    let fields = known_fields();
    for (influxql, flux) in dashboards("influxql").iter().zip(&dashboards("flux")) {
        let pairs = influxql.queries().into_iter().zip(flux.queries());
        for ((at, one), (other_at, other)) in pairs {
            assert_eq!(at, other_at);
            let measurement = quoted_after(other, "_measurement == ");
            for measurement in &measurement {
                let plain = measurement.replace("${errors}", "${errors:regex}");
                assert!(one.contains(measurement) || one.contains(&plain), "{at}: {one}\n{other}");
            }
            let asked = quoted_after(other, "_field == ");
            if asked.is_empty() {
                assert!(one.starts_with("SHOW TAG VALUES"), "{at}: {other}");
                let tag = quoted_after(other, "tag: ");
                assert!(one.ends_with(&format!("= \"{}\"", tag.first().unwrap())), "{at}: {one}");
                continue;
            }
            let [measurement] = &*Vec::from_iter(measurement) else { panic!("{at}: {other}") };
            let measurement = measurement.replace("${errors}", "butler_sos_errors");
            let mentioned: BTreeSet<String> = quoted(one)
                .into_iter()
                .filter(|name| fields.contains(&format!("{measurement}.{name}")))
                .collect();
            assert_eq!(mentioned, asked, "{at}: {one}\n{other}");
        }
    }
}

#[test]
fn flux_is_well_formed_as_far_as_can_be_seen() {
    for dashboard in dashboards("flux") {
        for (at, query) in dashboard.queries() {
            let bare = without_texts(query).unwrap_or_else(|why| panic!("{at}: {why}: {query}"));
            balanced(&bare).unwrap_or_else(|why| panic!("{at}: {why}: {query}"));
            let values = bare.split("v.").skip(1);
            for value in
                values.filter_map(|after| after.split(|c: char| !c.is_alphanumeric()).next())
            {
                assert!(VALUES.contains(&value), "{at}: v.{value}");
            }
            if query.starts_with("import ") {
                assert!(query.contains("\nschema.tagValues(bucket: v.defaultBucket, "), "{at}");
                continue;
            }
            let mut lines = query.lines();
            assert_eq!(lines.next(), Some("from(bucket: v.defaultBucket)"), "{at}");
            let range = "  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)";
            assert_eq!(lines.next(), Some(range), "{at}");
            for line in lines {
                let function = line.strip_prefix("  |> ").and_then(|line| line.split_once('('));
                let (function, _) = function.unwrap_or_else(|| panic!("{at}: {line}"));
                assert!(FUNCTIONS.contains(&function), "{at}: {function}");
                assert!(line.ends_with(')'), "{at}: {line}");
            }
            // Grafana takes rows for a series only when they have a field's name and a time.
            let named = !query.contains("group(columns: [") || query.contains("\"_field\"");
            assert!(named || query.contains("|> group()"), "{at}: {query}");
        }
    }
}

#[test]
fn what_is_not_well_formed_is_seen() {
    assert!(without_texts("r.a == \"b").is_err());
    assert!(without_texts("r.a =~ /b").is_err());
    assert!(balanced("f(x: [1)]").is_err() && balanced("f(").is_err() && balanced("f)").is_err());
    assert_eq!(without_texts("a == \"(\" and b =~ /^[)]$/").unwrap(), "a == \"\" and b =~ //");
}

/// The code without what stands in quotes and in regular expressions, which follow a tilde.
fn without_texts(query: &str) -> Result<String, &'static str> {
    let (mut bare, mut inside, mut escaped) = (String::new(), None, false);
    for character in query.chars() {
        let Some(end) = inside else {
            let begins_regex = character == '/' && bare.ends_with("~ ");
            inside = (character == '"' || begins_regex).then_some(character);
            bare.push(character);
            continue;
        };
        if character == end && !escaped {
            inside = None;
            bare.push(character);
        }
        escaped = character == '\\' && !escaped;
    }
    inside.map_or(Ok(bare), |_| Err("a text does not end"))
}

fn balanced(bare: &str) -> Result<(), &'static str> {
    let mut open = Vec::new();
    for character in bare.chars() {
        let begin = match character {
            '(' | '[' | '{' => {
                open.push(character);
                continue;
            }
            ')' => '(',
            ']' => '[',
            '}' => '{',
            _ => continue,
        };
        if open.pop() != Some(begin) {
            return Err("a bracket closes what is not open");
        }
    }
    if open.is_empty() { Ok(()) } else { Err("a bracket is not closed") }
}

/// `measurement.field` of everything that writers write, and of the predecessor's errors.
fn known_fields() -> BTreeSet<String> {
    let types = folder().join("../../writer/src/mapping/field_types.txt");
    let types = std::fs::read_to_string(types).unwrap();
    let lines = types.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// What stands in quotes after each occurrence of a text.
fn quoted_after(query: &str, before: &str) -> BTreeSet<String> {
    let after = query.split(before).skip(1);
    after.filter_map(|text| text.strip_prefix('"')?.split('"').next()).map(str::to_owned).collect()
}

/// Everything in quotes.
fn quoted(query: &str) -> BTreeSet<String> {
    query.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}
