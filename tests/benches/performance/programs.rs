//! The programs that are measured: there, and not older than their sources.

use std::path::Path;
use std::time::SystemTime;

use integration_tests::programs::program;

use crate::machine::{IS_RELEASE, root};

/// What the programs are made of.
const SOURCES: [&str; 5] = ["shared", "collector", "writer", "footman", "simulator"];

/// Says what is wrong with programs, before a bench spends an hour on them.
///
/// A bench builds none itself: cargo is waiting for it.
pub(crate) fn look(names: &[&str]) {
    let packages: Vec<String> = names.iter().map(|name| format!("-p {name}")).collect();
    let release = if IS_RELEASE { "--release " } else { "" };
    let how = format!("cargo build {release}{}", packages.join(" "));
    let directory = std::env::current_exe().unwrap();
    let directory = directory.parent().and_then(Path::parent).unwrap();
    let newest = SOURCES.iter().map(|name| newest(&root().join(name))).max().unwrap();
    for name in names {
        assert!(
            directory.join(name).exists(),
            "there is no {name} in {}: run {how}",
            directory.display()
        );
        let built = program(name).metadata().and_then(|found| found.modified()).unwrap();
        if built < newest {
            println!("ATTENTION: {name} is older than its sources. For those of now: {how}\n");
        }
    }
}

/// When something in a folder was changed last.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let changed = entries.filter_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            // Tests are in no program.
            return (entry.file_name() != "tests").then(|| newest(&path));
        }
        let is_source = path.extension().is_some_and(|ext| ext == "rs" || ext == "toml");
        if is_source { entry.metadata().ok()?.modified().ok() } else { None }
    });
    changed.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
