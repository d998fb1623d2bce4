//! What is wrong with a configuration, said so that it can be put right.
//!
//! A problem never holds the value of a secret: whoever makes one leaves it out.

use std::fmt;
use std::path::PathBuf;

/// One mistake, or one thing to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of the key under the root, such as `heartbeat.remoteURL`; empty for the whole file.
    pub key: String,
    /// Where it was read.
    pub place: Place,
    /// What is wrong.
    pub wrong: String,
    /// What is allowed in its place.
    pub allowed: Option<String>,
    /// The known key, name or variable that is most like it.
    pub nearest: Option<String>,
}

/// Where a value was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File(PathBuf),
    /// A line of the file.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
}

impl Place {
    /// Where it comes among others: the file as a whole first, then its lines, variables last.
    pub fn position(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Line { line, .. } => *line,
            Self::Variable(_) => usize::MAX,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(formatter, "{}", file.display()),
            Self::Line { file, line } => write!(formatter, "{}:{line}", file.display()),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.wrong)?;
        if let Some(allowed) = &self.allowed {
            write!(formatter, "; allowed: {allowed}")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(formatter, "; did you mean {nearest}?")?;
        }
        Ok(())
    }
}

/// A configuration that cannot be used, with every mistake in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.problems))]
pub struct ConfigError {
    /// The mistakes.
    pub problems: Vec<Problem>,
    /// What is odd besides.
    pub warnings: Vec<Problem>,
}

/// One line that counts, then one line for each problem.
fn listed(problems: &[Problem]) -> String {
    let count = match problems.len() {
        1 => "the configuration holds a mistake".to_owned(),
        many => format!("the configuration holds {many} mistakes"),
    };
    problems.iter().fold(count, |text, problem| format!("{text}\n  {problem}"))
}
