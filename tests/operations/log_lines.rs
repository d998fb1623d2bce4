//! `docs/operations.md` explains every warning and error that a program can log.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the programs' own words are.
const CRATES: [&str; 4] = ["shared", "collector", "writer", "footman"];
/// Less fixed text than this says nothing by itself: the words come from elsewhere, such as the
/// warnings of the configuration.
const FIXED: usize = 8;

#[test]
fn every_warning_and_error_is_explained() {
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let explained: Vec<String> = explained(&document);
    assert!(explained.len() > 30, "the table of log lines was not found");
    let mut found = 0;
    let mut missing = Vec::new();
    for (file, message) in logged() {
        found += 1;
        if !explained.iter().any(|line| fits(line, &message)) {
            missing.push(format!("{}: {message}", file.display()));
        }
    }
    assert!(found > 30, "only {found} messages were found in the sources");
    assert_eq!(missing, Vec::<String>::new(), "not explained in docs/operations.md");
}

#[test]
fn no_explanation_is_of_a_line_that_is_no_longer_logged() {
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let sources: String = sources().iter().map(|(_, text)| joined(text)).collect();
    for line in explained(&document) {
        let known = line.split('…').map(str::trim).filter(|part| !part.is_empty());
        for part in known {
            assert!(sources.contains(part), "nobody logs {part:?} (of {line:?})");
        }
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The texts in the first column of the table of log lines; `…` stands for what varies.
fn explained(document: &str) -> Vec<String> {
    let section = document.split("## What the log says").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').step_by(2)).map(str::to_owned).collect()
}

/// Whether all that is fixed in an explained line is in the message, in order.
fn fits(line: &str, message: &str) -> bool {
    let mut rest = message;
    for part in line.split('…').map(str::trim).filter(|part| !part.is_empty()) {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.split_at(at + part.len()).1;
    }
    true
}

/// The format texts of all warnings and errors, with the file of each.
fn logged() -> Vec<(PathBuf, String)> {
    let mut messages = Vec::new();
    for (file, text) in sources() {
        let text = joined(&text);
        for call in ["warn!(", "error!("] {
            for at in text.match_indices(call).map(|(at, _)| at + call.len()) {
                let message = format_text(text.split_at(at).1);
                let fixed = without_variables(&message);
                if fixed.chars().filter(|letter| letter.is_alphabetic()).count() >= FIXED {
                    messages.push((file.clone(), fixed));
                }
            }
        }
    }
    messages
}

/// The last text of a call that is no value of a field.
fn format_text(call: &str) -> String {
    let (mut depth, mut texts, mut letters) = (1, Vec::new(), call.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => {
                let mut text = String::new();
                while let Some(letter) = letters.next() {
                    match letter {
                        '"' => break,
                        '\\' => text.extend(letters.next()),
                        other => text.push(other),
                    }
                }
                if depth == 1 {
                    texts.push(text);
                }
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    texts.into_iter().max_by_key(String::len).unwrap_or_default()
}

/// The text with `…` for each `{…}`.
fn without_variables(text: &str) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |so_far, part| {
        format!("{so_far}…{}", part.split_once('}').map_or("", |(_, rest)| rest))
    })
}

/// The text with what is continued on the next line in one.
fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |so_far, part| so_far + part.trim_start())
}

/// The sources of the programs, without tests.
fn sources() -> Vec<(PathBuf, String)> {
    let mut waiting: Vec<PathBuf> =
        CRATES.iter().map(|name| root().join(name).join("src")).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "rs") {
            let within = path.strip_prefix(root()).unwrap();
            if !within.to_string_lossy().contains("tests") {
                let text = fs::read_to_string(&path).unwrap();
                let programs = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.push((path, programs));
            }
        }
    }
    found
}
