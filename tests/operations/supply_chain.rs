//! What is built into the programs, as `SECURITY.md` promises it and `deny.toml` lists it.
//!
//! cargo-deny checks the same and more where it is installed; this needs nothing but cargo.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What begins the list of crates whose build scripts were read.
const REVIEWED: &str = "allow-build-scripts = [";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What cargo resolves the workspace to on this machine; nothing is fetched.
fn metadata() -> Value {
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let fixed = ["metadata", "--format-version", "1", "--locked", "--offline"];
    let text = cargo(&[&fixed[..], &["--filter-platform", host]].concat());
    serde_json::from_str(&text).unwrap()
}

/// The names in the list of reviewed build scripts.
fn reviewed() -> BTreeSet<String> {
    let text = read("deny.toml");
    let (_, list) = text.split_once(REVIEWED).unwrap();
    let (list, _) = list.split_once("\n]").unwrap();
    let lines = list.lines().map(str::trim).filter(|line| line.starts_with('"'));
    lines.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

fn has_build_script(package: &Value) -> bool {
    let targets = package["targets"].as_array().unwrap();
    let mut kinds = targets.iter().flat_map(|target| target["kind"].as_array().unwrap());
    kinds.any(|kind| kind == "custom-build")
}

#[test]
fn every_build_script_was_reviewed_and_none_is_ours() {
    let metadata = metadata();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let resolved: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().unwrap();
    let found: BTreeSet<String> = packages
        .iter()
        .filter(|package| {
            resolved.contains(package["id"].as_str().unwrap()) && has_build_script(package)
        })
        .map(|package| package["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(found.contains("ring"), "{found:?}");
    let reviewed = reviewed();
    let new: Vec<&String> = found.difference(&reviewed).collect();
    assert!(
        new.is_empty(),
        "{new:?} have build scripts that nobody has reviewed: read what they do, then name them in \
         deny.toml"
    );
    let lock = read("Cargo.lock");
    let gone: Vec<&String> =
        reviewed.iter().filter(|name| !lock.contains(&format!("name = \"{name}\"\n"))).collect();
    assert!(gone.is_empty(), "{gone:?} are not used any more: take them out of deny.toml");
    let ours: Vec<&Value> = packages
        .iter()
        .filter(|package| package["source"].is_null() && has_build_script(package))
        .map(|package| &package["name"])
        .collect();
    assert!(ours.is_empty(), "{ours:?} are ours and have build scripts");
}

#[test]
fn every_crate_of_ours_obeys_the_lints() {
    let workspace = read("Cargo.toml");
    for lint in ["unsafe_code = \"forbid\"", "disallowed_types = \"deny\""] {
        assert!(workspace.contains(lint), "{lint}");
    }
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().filter(|package| package["source"].is_null());
    let mut count = 0;
    for package in ours {
        let manifest = package["manifest_path"].as_str().unwrap();
        let text = std::fs::read_to_string(manifest).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{manifest}");
        count += 1;
    }
    assert!(count >= 6, "{count}");
}

#[test]
fn no_program_may_start_another() {
    let settings = read("clippy.toml");
    for path in ["std::process::Command", "tokio::process::Command", "crossterm::terminal::size"] {
        assert!(settings.contains(&format!("path = \"{path}\"")), "{path}");
    }
    for name in ["shared", "collector", "writer", "footman", "simulator"] {
        let own = root().join(name).join("clippy.toml");
        assert!(!own.exists(), "{} would replace the settings of the root", own.display());
    }
    let for_programs = ["Command", "crossterm", "# ", "disallowed-types"];
    let tests = read("tests/clippy.toml");
    let missing: Vec<&str> = settings
        .lines()
        .filter(|line| !for_programs.iter().any(|word| line.contains(word)))
        .filter(|line| !tests.contains(*line))
        .collect();
    assert!(missing.is_empty(), "tests/clippy.toml lacks {missing:?}");
}
