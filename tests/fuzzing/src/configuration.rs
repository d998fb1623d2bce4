//! The configuration: any text is one, or a list of mistakes that shows no secret.
//!
//! After a line `--- environment` there may be variables, one a line.

use std::path::Path;

use shared::config::{ConfigError, Loaded, from_text};
use yaml_rust2::{Yaml, YamlLoader};

/// What stands in place of each secret in the corpus.
const MARKER: &str = "MARKER-9c1f";
/// Keys whose values are secrets, wherever they stand.
const SECRETS: [&str; 5] = ["password", "token", "passphrase", "clientCertPassphrase", "remoteURL"];
const ENVIRONMENT: &str = "\n--- environment\n";
/// Where files must not be looked for: reading some of these never ends.
const DEVICES: [&str; 3] = ["dev", "proc", "sys"];

/// Reads a text and an environment.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, environment) = text.split_once(ENVIRONMENT).unwrap_or((&text, ""));
    if DEVICES.iter().any(|directory| bytes_name(bytes, directory)) {
        return;
    }
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<(String, String)> =
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let read = from_text(text, Path::new("fuzzed.yaml"), variables.clone());
    let shown = match &read {
        Ok(Loaded { config, warnings, .. }) => format!("{config:?} {warnings:?}"),
        Err(ConfigError { problems, warnings }) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.wrong.is_empty() && !problem.to_string().is_empty());
            }
            format!("{problems:?} {warnings:?}")
        }
    };
    let shown = match &read {
        Ok(_) => shown,
        Err(error) => format!("{shown} {error} {error:?}"),
    };
    if is_secret_only(text) && !environment.contains(MARKER) {
        assert!(!shown.contains(MARKER), "a secret is shown:\n{shown}");
    }
}

fn bytes_name(bytes: &[u8], directory: &str) -> bool {
    let directory = directory.as_bytes();
    bytes.windows(directory.len() + 1).any(|found| found[0] == b'/' && &found[1..] == directory)
}

/// Whether the marker stands in values of secret keys alone; in a text that cannot be read nobody can
/// tell.
fn is_secret_only(text: &str) -> bool {
    if !text.contains(MARKER) {
        return false;
    }
    match YamlLoader::load_from_str(text) {
        Ok(documents) => documents.iter().all(|document| is_hidden(document, false)),
        Err(_) => false,
    }
}

fn is_hidden(value: &Yaml, secret: bool) -> bool {
    match value {
        Yaml::String(text) | Yaml::Real(text) => secret || !text.contains(MARKER),
        Yaml::Array(values) => values.iter().all(|value| is_hidden(value, false)),
        Yaml::Hash(members) => members.iter().all(|(key, value)| {
            let name = key.as_str().unwrap_or_default();
            is_hidden(key, false) && is_hidden(value, SECRETS.contains(&name))
        }),
        _ => true,
    }
}
