//! What 2.x and 3.x have in common about writes: what is scripted, and what every line must be.

use std::collections::VecDeque;
use std::time::Instant;

use super::line_protocol::{Line, parse};
use super::request::Reply;
use super::table::Table;

/// Nanoseconds of the first day of the year 2000: a smaller number is no time in nanoseconds.
const YEAR_2000: i64 = 946_684_800_000_000_000;

/// An answer that does not depend on the lines.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// The answer.
    pub reply: Reply,
    /// Whether the lines are stored all the same, as when an answer gets lost.
    pub stores: bool,
}

/// A database or bucket that is written to.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its points.
    pub table: Table,
    /// What is answered to the next writes.
    pub script: VecDeque<Scripted>,
    /// Lines with this text count as malformed.
    pub malformed: Option<String>,
    /// The longest body, uncompressed.
    pub max_bytes: usize,
    /// When each write came, and how many lines it had.
    pub writes: Vec<(Instant, usize)>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            table: Table::default(),
            script: VecDeque::new(),
            malformed: None,
            max_bytes: usize::MAX,
            writes: Vec::new(),
        }
    }
}

impl Store {
    /// Answers the next write with `reply`, and stores nothing.
    pub fn answer(&mut self, reply: Reply) {
        self.script.push_back(Scripted { reply, stores: false });
    }

    /// Reads the lines of a write. One that is no line protocol fails the test: a writer must not
    /// depend on being told.
    pub(super) fn read(&mut self, body: &str) -> Result<Vec<Line>, String> {
        let lines = parse(body).into_iter().collect::<Result<Vec<Line>, String>>()?;
        for line in &lines {
            match line.timestamp {
                Some(YEAR_2000..) => {}
                other => return Err(format!("{other:?} are no nanoseconds: {}", line.text)),
            }
        }
        self.writes.push((Instant::now(), lines.len()));
        Ok(lines)
    }

    /// What the script has for this write.
    pub(super) fn scripted(&mut self, lines: &[Line]) -> Option<Reply> {
        let scripted = self.script.pop_front()?;
        if scripted.stores {
            for line in lines {
                self.table.insert(line);
            }
        }
        Some(scripted.reply)
    }

    /// Whether a line counts as malformed.
    pub(super) fn is_malformed(&self, line: &Line) -> bool {
        self.malformed.as_ref().is_some_and(|text| line.text.contains(text))
    }
}
