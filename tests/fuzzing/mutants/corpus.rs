//! The inputs that are kept beside the targets of cargo-fuzz, and keys, which are made instead.

use std::path::Path;

use crate::made_keys;

const CORPORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");

/// The target whose inputs are never kept.
const KEYS: &str = "keys";

/// The inputs of a target with their names, in an order that is always the same.
pub(crate) fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    if target == KEYS {
        return made_keys::made();
    }
    let directory = Path::new(CORPORA).join(target);
    let Ok(entries) = std::fs::read_dir(&directory) else { return Vec::new() };
    let mut kept: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    kept.sort();
    kept
}
