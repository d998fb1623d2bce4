//! `footman check` on a folder of configurations, each with exactly what is said about it.
//!
//! Every `cases/NAME.yaml` is copied beside the files of [`site`] and read by the real program,
//! which must print what `cases/NAME.expected` holds: its output, its errors, its exit code. A
//! case without that file fails. What a case needs besides stands in comments at its top:
//!
//! ```yaml
//! # mode: 0644                        the configuration's own mode, 0600 otherwise
//! # environment: FOOTMAN__A__B=text   a variable, once for each
//! # arguments: --json                 arguments after the file
//! ```
//!
//! After a change of what is said on purpose, write all of it anew, and review the difference:
//!
//! ```sh
//! FOOTMAN_EXPECT=write cargo test -p footman --test check
//! git diff footman/tests/check/cases
//! ```

#![cfg(unix)] // Modes, and the words of the operating system.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_types, reason = "tests start the program, and openssl")]

mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// When this is `write`, the expectations are written instead of compared.
const EXPECT: &str = "FOOTMAN_EXPECT";
/// Fewer than this means that the folder was not found, or emptied.
const LEAST_CASES: usize = 25;

/// What a case asks for in its comments.
struct Asked {
    mode: u32,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Asked {
    fn of(text: &str) -> Self {
        let mut asked = Self { mode: 0o600, environment: Vec::new(), arguments: Vec::new() };
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            match line.split_once(": ") {
                Some(("mode", mode)) => asked.mode = u32::from_str_radix(mode, 8).unwrap(),
                Some(("environment", pair)) => {
                    let (name, value) = pair.split_once('=').unwrap();
                    asked.environment.push((name.to_owned(), value.to_owned()));
                }
                Some(("arguments", all)) => {
                    asked.arguments = all.split_whitespace().map(str::to_owned).collect();
                }
                _ => {}
            }
        }
        asked
    }
}

#[test]
fn every_case_is_told_as_expected() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/cases");
    let writes = std::env::var_os(EXPECT).is_some_and(|value| value == "write");
    let folder = site::make();
    let names = names(&cases, "yaml");
    assert!(names.len() >= LEAST_CASES, "{names:?}");
    let mut faults = Vec::new();
    for name in &names {
        let said = said(folder.path(), &cases, name);
        let expected = cases.join(format!("{name}.expected"));
        if writes {
            fs::write(&expected, &said).unwrap();
            continue;
        }
        match fs::read_to_string(&expected) {
            Ok(text) if text == said => {}
            Ok(text) => faults.push(format!("{name}: expected\n{text}\nand found\n{said}")),
            Err(error) => faults.push(format!("{name}.expected: {error}; it says\n{said}")),
        }
    }
    let orphans = self::names(&cases, "expected");
    let orphans = orphans.iter().filter(|name| !names.contains(name));
    faults.extend(orphans.map(|name| format!("{name}.expected has no {name}.yaml")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_case_shows_a_secret() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/cases");
    for name in names(&cases, "expected") {
        let text = fs::read_to_string(cases.join(format!("{name}.expected"))).unwrap();
        assert!(!text.contains("SECRET"), "{name}: {text}");
    }
}

/// What the program says about one case, and how it ends.
fn said(folder: &Path, cases: &Path, name: &str) -> String {
    let text = fs::read_to_string(cases.join(format!("{name}.yaml"))).unwrap();
    let asked = Asked::of(&text);
    let file = format!("{name}.yaml");
    fs::write(folder.join(&file), &text).unwrap();
    site::readable_by(&folder.join(&file), asked.mode);
    let output = Command::new(env!("CARGO_BIN_EXE_footman"))
        .args(["check", "--config", &file])
        .args(&asked.arguments)
        .envs(asked.environment)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code().unwrap();
    format!("{stdout}{stderr}exit code {code}\n")
}

/// The names of the files with an extension, in order.
fn names(folder: &Path, extension: &str) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = paths.filter(|path: &PathBuf| path.extension().is_some_and(|e| e == extension));
    let mut names: Vec<String> =
        found.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
