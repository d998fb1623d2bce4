//! The contract as documents, made from the types: JSON Schemas and an AsyncAPI document.
//!
//! They lie in `docs/contract`. The test here compares them with the types and says how they are
//! written again; the programs carry nothing of this.

mod addresses;
mod asyncapi;
mod channels;
mod examples;
mod flat;
mod golden;
mod golden_programs;
mod scalars;
mod schemas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Given as `write`, the test writes the documents in the place of comparing them.
const VARIABLE: &str = "FOOTMAN_CONTRACT";
const COMMAND: &str = "FOOTMAN_CONTRACT=write cargo test -p shared --lib contract::";

/// Where the documents lie.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/contract")
}

/// Every document that is made from the types, by its place in the directory.
fn documents() -> BTreeMap<String, Value> {
    let definitions = schemas::definitions();
    let mut documents: BTreeMap<String, Value> = schemas::FILES
        .iter()
        .map(|file| (format!("schemas/{}.json", file.name), schemas::alone(file, &definitions)))
        .collect();
    documents.insert("asyncapi.json".to_owned(), asyncapi::document(&definitions));
    documents
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[test]
fn the_documents_are_those_of_the_types() {
    let directory = directory();
    let documents = documents();
    if std::env::var_os(VARIABLE).is_some_and(|value| value == "write") {
        for (name, document) in &documents {
            let text = serde_json::to_string_pretty(document).unwrap();
            std::fs::write(directory.join(name), text + "\n").unwrap();
        }
    }
    for (name, document) in &documents {
        assert!(
            read(&directory.join(name)).as_ref() == Some(document),
            "docs/contract/{name} is not what the types say now: run `{COMMAND}`, look at the \
             difference (what subscribers rely on changes only by adding), and commit it"
        );
    }
    for file in std::fs::read_dir(directory.join("schemas")).unwrap() {
        let name = format!("schemas/{}", file.unwrap().file_name().display());
        assert!(documents.contains_key(&name), "docs/contract/{name} has no type: delete it");
    }
}
