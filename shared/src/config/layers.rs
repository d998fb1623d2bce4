//! The file and the environment as layers of the `config` crate, the environment on top.

use config::builder::DefaultState;
use config::{ConfigBuilder, File, FileFormat, Map, Source, Value, ValueKind};

/// The key with which YAML merges one map into another.
const MERGE_KEY: &str = "<<";

/// One layer, already read.
#[derive(Debug, Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// Reads the layer of the file.
///
/// # Errors
/// None of the text is in the error, since it may hold secrets.
pub(super) fn file_layer(text: &str) -> Result<Map<String, Value>, config::ConfigError> {
    let mut layer = File::from_str(text, FileFormat::Yaml).collect()?;
    layer.values_mut().for_each(merge_maps);
    Ok(layer)
}

/// Lays the environment over the file.
///
/// # Errors
/// None that is known: both layers are already read.
pub(super) fn layered(
    file: Map<String, Value>,
    environment: Map<String, Value>,
) -> Result<Value, config::ConfigError> {
    let builder = ConfigBuilder::<DefaultState>::default();
    let config = builder.add_source(Layer(file)).add_source(Layer(environment)).build()?;
    Ok(config.cache)
}

/// Puts a value into a layer, below the sections of its path.
pub(super) fn insert(layer: &mut Map<String, Value>, path: &[&str], value: Value) {
    let Some((key, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        layer.insert((*key).to_owned(), value);
        return;
    }
    let section = layer
        .entry((*key).to_owned())
        .or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
    if !matches!(section.kind, ValueKind::Table(_)) {
        section.kind = ValueKind::Table(Map::new());
    }
    if let ValueKind::Table(table) = &mut section.kind {
        insert(table, rest, value);
    }
}

/// Resolves `<<: *other`, which the predecessor's YAML reader understands and ours does not.
fn merge_maps(value: &mut Value) {
    match &mut value.kind {
        ValueKind::Array(items) => items.iter_mut().for_each(merge_maps),
        ValueKind::Table(table) => {
            table.values_mut().for_each(merge_maps);
            let merged = match table.remove(MERGE_KEY).map(|value| value.kind) {
                Some(ValueKind::Array(many)) => many.into_iter().map(|one| one.kind).collect(),
                one => Vec::from_iter(one),
            };
            for kind in merged {
                if let ValueKind::Table(merged) = kind {
                    for (key, value) in merged {
                        table.entry(key).or_insert(value);
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(layer: &Map<String, Value>, path: &[&str]) -> Option<i64> {
        let (key, rest) = path.split_first()?;
        match &layer.get(*key)?.kind {
            ValueKind::Table(table) => number(table, rest),
            ValueKind::I64(number) if rest.is_empty() => Some(*number),
            _ => None,
        }
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let file = file_layer("Root:\n  a: {b: 1, c: 2}\n").unwrap();
        let mut environment = Map::new();
        insert(&mut environment, &["Root", "a", "b"], Value::new(None, ValueKind::I64(5)));
        insert(&mut environment, &["Root", "d"], Value::new(None, ValueKind::I64(6)));
        let ValueKind::Table(all) = layered(file, environment).unwrap().kind else {
            panic!("no table")
        };
        assert_eq!(number(&all, &["Root", "a", "b"]), Some(5));
        assert_eq!(number(&all, &["Root", "a", "c"]), Some(2));
        assert_eq!(number(&all, &["Root", "d"]), Some(6));
    }

    #[test]
    fn the_case_of_keys_is_kept() {
        let file = file_layer("Butler-SOS:\n  hostIP: 1\n").unwrap();
        let ValueKind::Table(all) = layered(file, Map::new()).unwrap().kind else {
            panic!("no table")
        };
        assert_eq!(number(&all, &["Butler-SOS", "hostIP"]), Some(1));
    }

    #[test]
    fn maps_are_merged_below_what_is_written() {
        let file = file_layer("r:\n  one: &one {a: 1, b: 1}\n  two: {<<: *one, b: 2}\n").unwrap();
        assert_eq!(number(&file, &["r", "two", "a"]), Some(1));
        assert_eq!(number(&file, &["r", "two", "b"]), Some(2));
        assert_eq!(number(&file, &["r", "two", "<<"]), None);
    }
}
