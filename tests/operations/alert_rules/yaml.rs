//! YAML as JSON, which the tests can walk.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

/// A file of the folder `config`.
pub(crate) fn config(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("config").join(file)
}

/// The document in a file of the folder `config`.
pub(crate) fn read(file: &str) -> Value {
    let text = std::fs::read_to_string(config(file)).unwrap();
    let documents = YamlLoader::load_from_str(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
    assert_eq!(documents.len(), 1, "{file}");
    json(&documents[0])
}

fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => Value::from(text.as_str()),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Real(number) => Value::from(number.parse::<f64>().unwrap()),
        Yaml::Boolean(value) => Value::from(*value),
        Yaml::Array(items) => items.iter().map(json).collect(),
        Yaml::Hash(pairs) => {
            let pair =
                |(key, value): (&Yaml, &Yaml)| (key.as_str().unwrap().to_owned(), json(value));
            Value::Object(pairs.iter().map(pair).collect::<Map<String, Value>>())
        }
        Yaml::Null | Yaml::BadValue | Yaml::Alias(_) => Value::Null,
    }
}
