//! YAML as it stands, with what compose files use besides: merges and variables.

use yaml_rust2::yaml::Hash;
use yaml_rust2::{Yaml, YamlLoader};

/// What merges one map into another.
const MERGE: &str = "<<";

/// Every document of a file of the repository, its merges resolved.
pub(crate) fn documents(path: &str) -> Vec<Yaml> {
    let documents = YamlLoader::load_from_str(&super::text(path));
    let documents = documents.unwrap_or_else(|error| panic!("{path}: {error}"));
    documents.into_iter().map(merged).collect()
}

/// The one document of a file.
pub(crate) fn document(path: &str) -> Yaml {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

fn merged(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::Array(items) => Yaml::Array(items.into_iter().map(merged).collect()),
        Yaml::Hash(map) => {
            let mut whole = Hash::new();
            let mut defaults = Hash::new();
            for (key, value) in map {
                if key.as_str() == Some(MERGE) {
                    defaults = merged(value).into_hash().expect("a map is merged into a map");
                } else {
                    whole.insert(key, merged(value));
                }
            }
            for (key, value) in defaults {
                whole.entry(key).or_insert(value);
            }
            Yaml::Hash(whole)
        }
        scalar => scalar,
    }
}

/// The keys of a map, in their order; none of what is missing.
pub(crate) fn keys(yaml: &Yaml) -> Vec<&str> {
    match yaml {
        Yaml::BadValue | Yaml::Null => Vec::new(),
        yaml => yaml.as_hash().unwrap().keys().map(|key| key.as_str().unwrap()).collect(),
    }
}

/// The items of a list; none of what is missing.
pub(crate) fn items(yaml: &Yaml) -> &[Yaml] {
    match yaml {
        Yaml::BadValue => &[],
        yaml => yaml.as_vec().unwrap_or_else(|| panic!("{yaml:?} is no list")),
    }
}

/// The texts of a list; none of what is missing.
pub(crate) fn texts(yaml: &Yaml) -> Vec<&str> {
    items(yaml).iter().map(|item| item.as_str().unwrap_or_else(|| panic!("{item:?}"))).collect()
}

/// A scalar as a container or program gets it.
pub(crate) fn scalar(yaml: &Yaml) -> String {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(truth) => truth.to_string(),
        Yaml::Null | Yaml::BadValue => String::new(),
        yaml => panic!("{yaml:?} is no scalar"),
    }
}

/// A text of a compose file with its variables, as somebody has it who set but what must be set.
pub(crate) fn interpolated(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        whole.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            whole.push('$');
            rest = after;
            continue;
        }
        let variable = after.strip_prefix('{').unwrap_or_else(|| panic!("a bare $ in {text}"));
        let (variable, after) = variable.split_once('}').unwrap();
        whole.push_str(&value(variable));
        rest = after;
    }
    whole + rest
}

fn value(variable: &str) -> String {
    if let Some((name, _)) = variable.split_once(":?") {
        assert_eq!(name, "FOOTMAN_SECRETS_GID", "nothing else must be set");
        return "1000".to_owned();
    }
    let default = variable.split_once(":-").or_else(|| variable.split_once('-'));
    default.unwrap_or_else(|| panic!("{variable} has no default")).1.to_owned()
}

#[test]
fn variables_and_merges_are_those_of_compose() {
    assert_eq!(interpolated("a ${B:-c} $$d ${E-} f"), "a c $d  f");
    let yaml = YamlLoader::load_from_str("a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}").unwrap();
    let yaml = merged(yaml[0].clone());
    assert_eq!(yaml["d"]["b"].as_i64(), Some(1));
    assert_eq!(yaml["d"]["c"].as_i64(), Some(3));
}
