//! What `footman check` says: findings in the order of the file, then one line that counts.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};
use shared::config::{Config, ConfigError, Loaded, Place, Problem};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// No program starts.
    Mistake,
    /// Legal, but unwise.
    Warning,
}

/// Everything that is to be said about one configuration.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a Path,
    findings: Vec<(Weight, &'a Problem)>,
    /// The configuration; none when it cannot be used.
    config: Option<&'a Config>,
}

impl<'a> Report<'a> {
    /// The report on what was read.
    pub(super) fn of(file: &'a Path, read: &'a Result<Loaded, ConfigError>) -> Self {
        let (problems, warnings, config): (&[Problem], &[Problem], _) = match read {
            Ok(loaded) => (&[], &loaded.warnings, Some(&loaded.config)),
            Err(error) => (&error.problems, &error.warnings, None),
        };
        let mistakes = problems.iter().map(|problem| (Weight::Mistake, problem));
        let warnings = warnings.iter().map(|problem| (Weight::Warning, problem));
        let mut findings: Vec<_> = mistakes.chain(warnings).collect();
        findings.sort_by_key(|(_, problem)| problem.place.position());
        Self { file, findings, config }
    }

    /// Says whether the programs take the configuration.
    pub(super) fn is_right(&self) -> bool {
        self.config.is_some()
    }

    /// The same for machines.
    pub(super) fn json(&self) -> Value {
        json!({
            "file": self.file.display().to_string(),
            "right": self.is_right(),
            "mistakes": self.all(Weight::Mistake).map(as_json).collect::<Vec<_>>(),
            "warnings": self.all(Weight::Warning).map(as_json).collect::<Vec<_>>(),
        })
    }

    fn all(&self, weight: Weight) -> impl Iterator<Item = &'a Problem> {
        let weighed = self.findings.iter().filter(move |(found, _)| *found == weight);
        weighed.map(|(_, problem)| *problem)
    }

    /// The last line: what was counted, and what to do now.
    fn verdict(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let mistakes = self.all(Weight::Mistake).count();
        let warnings = match self.all(Weight::Warning).count() {
            0 => String::new(),
            count => format!(", {}", counted(count, "warning")),
        };
        let Some(config) = self.config else {
            let mistakes = counted(mistakes, "mistake");
            return write!(
                formatter,
                "{file} cannot be used: {mistakes}{warnings}. Correct it and run `footman check` \
                 again; until then no program starts with it."
            );
        };
        let word = if warnings.is_empty() { "is right" } else { "can be used" };
        let servers = counted(config.collector.servers.len(), "server");
        write!(
            formatter,
            "{file} {word}: {servers}{warnings}. `footman doctor --config {file}` looks whether \
             everything that it names answers."
        )
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (weight, problem) in &self.findings {
            finding(formatter, *weight, problem)?;
        }
        if !self.findings.is_empty() {
            writeln!(formatter)?;
        }
        self.verdict(formatter)
    }
}

/// A line of where and what, and one for each way out.
fn finding(formatter: &mut fmt::Formatter<'_>, weight: Weight, found: &Problem) -> fmt::Result {
    let word = match weight {
        Weight::Mistake => "mistake",
        Weight::Warning => "warning",
    };
    write!(formatter, "{}: {word}: ", found.place)?;
    if !found.key.is_empty() {
        write!(formatter, "{}: ", found.key)?;
    }
    writeln!(formatter, "{}", found.wrong)?;
    if let Some(allowed) = &found.allowed {
        writeln!(formatter, "    allowed: {allowed}")?;
    }
    if let Some(nearest) = &found.nearest {
        writeln!(formatter, "    did you mean {nearest}?")?;
    }
    Ok(())
}

fn as_json(problem: &Problem) -> Value {
    let (file, line, variable) = match &problem.place {
        Place::File(file) => (Some(file), None, None),
        Place::Line { file, line } => (Some(file), Some(line), None),
        Place::Variable(name) => (None, None, Some(name)),
    };
    json!({
        "key": problem.key,
        "file": file.map(|file| file.display().to_string()),
        "line": line,
        "variable": variable,
        "wrong": problem.wrong,
        "allowed": problem.allowed,
        "nearest": problem.nearest,
    })
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        many => format!("{many} {thing}s"),
    }
}
