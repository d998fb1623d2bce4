//! The documents of the contract (`docs/contract`, `docs/events.md`) and the bus as it is.
//!
//! That the documents are those of the types is a test of `shared`; here real brokers and programs
//! are held against them, and against them what is written for people.

mod captured;
mod document;
mod examples;
mod recipes;
mod schemas;
mod tables;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where everything written for people lies.
fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs")
}

/// A document of the contract.
fn document(name: &str) -> Value {
    let path = docs().join("contract").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The page about events.
fn page() -> String {
    std::fs::read_to_string(docs().join("events.md")).unwrap()
}
