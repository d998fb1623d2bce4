//! The environment over the file: `FOOTMAN__APP_NAMES__HOST_IP` sets `appNames.hostIP`.
//!
//! A variable is matched against the keys that the reader knows, ignoring case and underscores,
//! and one with our prefix that matches nothing is a mistake. Scalars stay text until a getter
//! converts them, so that a token `00123` keeps its zeros; lists and maps are JSON.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use config::{Map, Value, ValueKind};

use super::ROOT;
use super::layers::insert;
use super::nearest::nearest;
use super::problem::{Place, Problem};
use super::section::{Known, Shape};

/// What the variables of Footman begin with.
const PREFIX: &str = "FOOTMAN__";
/// What separates the steps of a key in a variable's name.
const SEPARATOR: &str = "__";
/// The variable of systemd; see `systemd.exec(5)`.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Reads the environment of the process; the only place that does.
///
/// Names and values that are no Unicode are none of ours and are left out.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Where systemd lays out the credentials of the service (`LoadCredential=`), if it does.
pub(super) fn credentials_directory(variables: &[(String, String)]) -> Option<PathBuf> {
    let (_, directory) = variables.iter().find(|(name, _)| name == CREDENTIALS_DIRECTORY)?;
    (!directory.is_empty()).then(|| PathBuf::from(directory))
}

/// What the environment says.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// The layer to put over the file.
    pub(super) layer: Map<String, Value>,
    /// The variable behind each key.
    pub(super) variables: HashMap<String, String>,
    /// Variables that say nothing that can be understood.
    pub(super) problems: Vec<Problem>,
}

/// Matches variables against the known keys.
pub(super) fn resolve(
    variables: impl IntoIterator<Item = (String, String)>,
    known: &BTreeMap<String, Known>,
) -> Environment {
    let by_name: HashMap<String, (&str, Shape)> = known
        .iter()
        .filter(|(key, _)| !key.contains(['[', '*']))
        .map(|(key, known)| (plain(&key.replace('.', SEPARATOR)), (key.as_str(), known.shape)))
        .collect();
    let mut ours: Vec<(String, String)> =
        variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    let mut environment = Environment::default();
    for (name, text) in ours {
        let rest = name.get(PREFIX.len()..).unwrap_or_default();
        if let Some((key, shape)) = by_name.get(&plain(rest)) {
            environment.take(name, &text, key, *shape);
        } else {
            let near = nearest(&plain(rest), by_name.keys().map(String::as_str))
                .and_then(|near| by_name.get(near))
                .map(|(key, _)| variable_name(key));
            environment.wrong("", &name, "sets no key that is known", near);
        }
    }
    environment
}

/// Says whether a variable is meant for Footman.
fn is_ours(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// A name without case and underscores, its steps kept apart.
fn plain(name: &str) -> String {
    let steps: Vec<String> =
        name.split(SEPARATOR).map(|step| step.replace('_', "").to_lowercase()).collect();
    steps.join(".")
}

/// The variable that sets a key, as one would write it.
pub(super) fn variable_name(key: &str) -> String {
    let mut name = PREFIX.to_owned();
    let letters: Vec<char> = key.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let after = letters.get(index + 1);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        match letter {
            '.' => name.push_str(SEPARATOR),
            letter => {
                if starts_word {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
            }
        }
    }
    name
}

impl Environment {
    /// Takes one variable that matches a key.
    fn take(&mut self, name: String, text: &str, key: &str, shape: Shape) {
        if let Some(other) = self.variables.get(key) {
            let wrong = format!("sets {key}, which {other} sets already");
            self.wrong(key, &name, wrong, None);
            return;
        }
        let Some(kind) = read(text, shape) else {
            let form = if shape == Shape::List { "list, such as [\"a\"]" } else { "object" };
            self.wrong(key, &name, format!("must hold a JSON {form}"), None);
            return;
        };
        let path: Vec<&str> = std::iter::once(ROOT).chain(key.split('.')).collect();
        insert_below(&mut self.layer, &path, kind);
        self.variables.insert(key.to_owned(), name);
    }

    fn wrong(&mut self, key: &str, name: &str, wrong: impl Into<String>, nearest: Option<String>) {
        self.problems.push(Problem {
            key: key.to_owned(),
            place: Place::Variable(name.to_owned()),
            wrong: wrong.into(),
            allowed: None,
            nearest,
        });
    }
}

/// Puts a value into the layer; a section given as JSON does not wipe out what is in it already.
fn insert_below(layer: &mut Map<String, Value>, path: &[&str], kind: ValueKind) {
    match kind {
        ValueKind::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                let below: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                insert_below(layer, &below, value.kind);
            }
        }
        kind => insert(layer, path, Value::new(None, kind)),
    }
}

/// Reads the text of a variable: a scalar as it is, a list or an object from JSON.
fn read(text: &str, shape: Shape) -> Option<ValueKind> {
    if shape == Shape::Scalar {
        return Some(ValueKind::String(text.to_owned()));
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let fits = if shape == Shape::List { value.is_array() } else { value.is_object() };
    fits.then(|| from_json(value))
}

/// A JSON value as one of the `config` crate.
fn from_json(value: serde_json::Value) -> ValueKind {
    let nested = |value| Value::new(None, from_json(value));
    match value {
        serde_json::Value::Null => ValueKind::Nil,
        serde_json::Value::Bool(value) => ValueKind::Boolean(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => ValueKind::I64(number),
            None => ValueKind::Float(number.as_f64().unwrap_or(f64::MAX)),
        },
        serde_json::Value::String(text) => ValueKind::String(text),
        serde_json::Value::Array(items) => {
            ValueKind::Array(items.into_iter().map(nested).collect())
        }
        serde_json::Value::Object(members) => {
            ValueKind::Table(members.into_iter().map(|(key, value)| (key, nested(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_follow_the_words_of_the_key() {
        for (key, name) in [
            ("broker.type", "FOOTMAN__BROKER__TYPE"),
            ("appNames.hostIP", "FOOTMAN__APP_NAMES__HOST_IP"),
            ("heartbeat.remoteURL", "FOOTMAN__HEARTBEAT__REMOTE_URL"),
            ("influxdbConfig.v2Config.token", "FOOTMAN__INFLUXDB_CONFIG__V2_CONFIG__TOKEN"),
            (
                "uptimeMonitor.storeInInfluxdb.butlerSOSMemoryUsage",
                "FOOTMAN__UPTIME_MONITOR__STORE_IN_INFLUXDB__BUTLER_SOS_MEMORY_USAGE",
            ),
        ] {
            assert_eq!(variable_name(key), name);
            assert_eq!(plain(name.strip_prefix(PREFIX).unwrap()), key.to_lowercase());
        }
    }
}
