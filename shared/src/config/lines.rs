//! Where each key of the file stands, and whether the file can be read at all.
//!
//! A first pass over the YAML events, without recursion: it finds broken syntax and keys given
//! twice, and refuses what could exhaust the memory before any tree is built. The marks serve
//! messages, the order of maps, and texts that look like numbers (`token: 00123`).

use std::collections::HashMap;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::ROOT;

/// How deep sections may be nested.
const MAX_DEPTH: usize = 64;
/// How many values a file may hold, those behind aliases counted each time.
const MAX_VALUES: u64 = 1_000_000;

/// Where one key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    /// The line, counted from 1.
    line: usize,
    /// The position in the file.
    index: usize,
    /// A plain scalar exactly as it is written.
    raw: Option<String>,
}

/// Where all keys stand, by their path from the top of the file.
#[derive(Debug, Default)]
pub(super) struct Lines {
    marks: HashMap<String, Mark>,
    /// The keys at the top of the file.
    top: Vec<(String, usize)>,
}

/// What makes a file unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// The path of the key, when it is about one.
    pub(super) key: String,
    /// What is wrong.
    pub(super) wrong: String,
}

impl Lines {
    /// The line of a key under the root.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.mark(key).map(|mark| mark.line)
    }

    /// The position of a key under the root.
    pub(super) fn index(&self, key: &str) -> Option<usize> {
        self.mark(key).map(|mark| mark.index)
    }

    /// The plain scalar of a key under the root, as it is written.
    pub(super) fn raw(&self, key: &str) -> Option<&str> {
        self.mark(key).and_then(|mark| mark.raw.as_deref())
    }

    /// The keys at the top of the file, with their lines.
    pub(super) fn top(&self) -> &[(String, usize)] {
        &self.top
    }

    fn mark(&self, key: &str) -> Option<&Mark> {
        if key.is_empty() { self.marks.get(ROOT) } else { self.marks.get(&join(ROOT, key)) }
    }
}

/// Puts a step after a path.
pub(super) fn join(path: &str, key: &str) -> String {
    let separator = if path.is_empty() { "" } else { "." };
    format!("{path}{separator}{key}")
}

/// A key as one step of a path; quoted when it holds more than letters, digits, `_` and `-`.
pub(super) fn step(key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if plain { key.to_owned() } else { format!("{key:?}") }
}

/// Reads where everything stands.
///
/// # Errors
/// What makes the file unreadable: its syntax, keys given twice, too much of everything.
pub(super) fn scan(text: &str) -> Result<Lines, Vec<Fault>> {
    let mut scan = Scan::default();
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_token() {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, mark)) => {
                if let Err(fault) = scan.event(event, mark) {
                    scan.faults.push(fault);
                    break;
                }
            }
            Err(error) => {
                let mark = error.marker();
                let wrong = format!("broken YAML at column {}: {}", mark.col() + 1, error.info());
                scan.faults.push(Fault { line: mark.line(), key: String::new(), wrong });
                break;
            }
        }
    }
    if scan.faults.is_empty() { Ok(scan.lines) } else { Err(scan.faults) }
}

/// A map or a list that is open while the events go by.
#[derive(Debug)]
struct Open {
    path: String,
    anchor: usize,
    values_before: u64,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    /// The key that waits for its value, and the lines of those before it.
    Map { key: Option<(String, Marker)>, seen: HashMap<String, usize> },
    /// The number of the next item.
    List { next: usize },
}

#[derive(Debug, Default)]
struct Scan {
    lines: Lines,
    faults: Vec<Fault>,
    open: Vec<Open>,
    documents: usize,
    values: u64,
    /// How many values each anchor stands for.
    anchors: HashMap<usize, u64>,
}

impl Scan {
    fn event(&mut self, event: Event, mark: Marker) -> Result<(), Fault> {
        match event {
            Event::DocumentStart => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(fault(mark, "a second document starts here; one is allowed"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if self.is_key() {
                    return self.key(text, mark);
                }
                let plain = style == TScalarStyle::Plain && tag.is_none();
                self.value(mark, plain.then_some(text))?;
                self.anchors.insert(anchor, 1);
            }
            Event::Alias(anchor) => {
                self.value(mark, None)?;
                self.count(self.anchors.get(&anchor).copied().unwrap_or(1), mark)?;
            }
            Event::MappingStart(anchor, _) => {
                let inside = Inside::Map { key: None, seen: HashMap::new() };
                self.start(anchor, inside, mark)?;
            }
            Event::SequenceStart(anchor, _) => {
                self.start(anchor, Inside::List { next: 0 }, mark)?;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(open) = self.open.pop() {
                    self.anchors.insert(open.anchor, self.values - open.values_before);
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// Says whether the next scalar is a key.
    fn is_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { inside: Inside::Map { key: None, .. }, .. }))
    }

    /// Takes a key.
    fn key(&mut self, text: String, mark: Marker) -> Result<(), Fault> {
        self.count(1, mark)?;
        let at_top = self.open.len() == 1;
        let Some(Open { path, inside: Inside::Map { key, seen }, .. }) = self.open.last_mut()
        else {
            return Ok(());
        };
        if at_top {
            self.lines.top.push((text.clone(), mark.line()));
        }
        if let Some(first) = seen.insert(text.clone(), mark.line()) {
            let full = join(path, &step(&text));
            let key = full.strip_prefix(&join(ROOT, "")).unwrap_or(&full).to_owned();
            let wrong = format!("is given twice, first on line {first}");
            self.faults.push(Fault { line: mark.line(), key, wrong });
        }
        *key = Some((text, mark));
        Ok(())
    }

    /// Takes a value: marks it, and gives its path.
    fn value(&mut self, mark: Marker, raw: Option<String>) -> Result<String, Fault> {
        self.count(1, mark)?;
        let (path, mark) = match self.open.last_mut() {
            None => (String::new(), mark),
            Some(Open { path, inside: Inside::List { next }, .. }) => {
                let path = format!("{path}[{next}]");
                *next += 1;
                (path, mark)
            }
            Some(Open { path, inside: Inside::Map { key, .. }, .. }) => match key.take() {
                Some((key, mark)) => (join(path, &step(&key)), mark),
                None => return Err(fault(mark, "a key must be a text")),
            },
        };
        let (line, index) = (mark.line(), mark.index());
        self.lines.marks.insert(path.clone(), Mark { line, index, raw });
        Ok(path)
    }

    /// Opens a map or a list.
    fn start(&mut self, anchor: usize, inside: Inside, mark: Marker) -> Result<(), Fault> {
        let values_before = self.values;
        let path = self.value(mark, None)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(fault(mark, format!("is nested deeper than {MAX_DEPTH} levels")));
        }
        self.open.push(Open { path, anchor, values_before, inside });
        Ok(())
    }

    fn count(&mut self, values: u64, mark: Marker) -> Result<(), Fault> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            return Err(fault(mark, format!("the file holds more than {MAX_VALUES} values")));
        }
        Ok(())
    }
}

fn fault(mark: Marker, wrong: impl Into<String>) -> Fault {
    Fault { line: mark.line(), key: String::new(), wrong: wrong.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
Butler-SOS:
  logLevel: info
  influxdbConfig:
    v2Config: {token: 00123}
  serversToMonitor:
    servers:
      - host: a:1
        serverTags: {\"my.tag\": x}
      - host: b:1
";

    #[test]
    fn keys_are_found_in_their_lines() {
        let lines = scan(FILE).unwrap();
        for (key, line) in [
            ("", 1),
            ("logLevel", 2),
            ("influxdbConfig", 3),
            ("influxdbConfig.v2Config.token", 4),
            ("serversToMonitor.servers[0].host", 7),
            ("serversToMonitor.servers[0].serverTags.\"my.tag\"", 8),
            ("serversToMonitor.servers[1]", 9),
        ] {
            assert_eq!(lines.line(key), Some(line), "{key}");
        }
        assert_eq!(lines.raw("influxdbConfig.v2Config.token"), Some("00123"));
        assert_eq!(lines.top(), [("Butler-SOS".to_owned(), 1)]);
        assert!(lines.index("serversToMonitor") > lines.index("logLevel"));
    }

    #[test]
    fn every_key_that_is_given_twice_is_a_fault() {
        let faults = scan("Butler-SOS:\n  a: 1\n  b: {c: 1, c: 2}\n  a: 2\n").unwrap_err();
        let told: Vec<_> = faults.iter().map(|f| (f.line, f.key.as_str())).collect();
        assert_eq!(told, [(3, "b.c"), (4, "a")]);
        assert_eq!(faults[1].wrong, "is given twice, first on line 2");
    }

    #[test]
    fn broken_syntax_has_a_line_and_a_column() {
        let faults = scan("Butler-SOS:\n  a: [1, 2\n  b: 3\n").unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].wrong.contains("column"), "{}", faults[0].wrong);
    }

    #[test]
    fn what_could_exhaust_the_memory_is_refused() {
        let deep = "[".repeat(100_000);
        assert!(scan(&deep).is_err());
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let of = n - 1;
            let ten = vec![format!("*a{of}"); 10].join(",");
            bomb = format!("{bomb}a{n}: &a{n} [{ten}]\n");
        }
        let faults = scan(&bomb).unwrap_err();
        assert!(faults[0].wrong.contains("more than"), "{}", faults[0].wrong);
    }

    #[test]
    fn odd_files_are_faults() {
        for text in ["a: 1\n---\nb: 2\n", "? [a]\n: b\n", "a: *nowhere\n", "a: [1\n"] {
            assert!(scan(text).is_err(), "{text}");
        }
    }
}
