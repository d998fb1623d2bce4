//! How a replay ended for each letter, and what that means for the next step. Pure.

use std::fmt::Write as _;

/// How it ended for one letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The writer has stored the event; its letter is gone.
    Stored,
    /// The broker has taken the event that it refused before; its letter is gone.
    Published,
    /// Its letter was gone before its turn came.
    Gone,
    /// The writer has put it back with a reason.
    RefusedAgain {
        /// How often by now.
        count: u64,
        /// Without data.
        reason: String,
    },
    /// It could not be given to the broker; its letter is as it was.
    Kept {
        /// What is in the way.
        why: String,
    },
    /// Nobody has dealt with it in time.
    NotYet,
}

impl Outcome {
    /// In words, for the line of a letter.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Stored => "stored".to_owned(),
            Self::Published => "published: the broker takes it now".to_owned(),
            Self::Gone => "gone already: stored or deleted".to_owned(),
            Self::RefusedAgain { count, reason } => {
                format!("refused again ({count} times now): {reason}")
            }
            Self::Kept { why } => format!("not replayed: {why}"),
            Self::NotYet => "not stored yet".to_owned(),
        }
    }
}

/// Why nobody has dealt with some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standstill {
    /// The broker has them; no writer has stored or refused any within this time.
    Writers {
        /// `--wait`, as people write it.
        waited: String,
        /// What kept the command from seeing, if something did.
        trouble: Option<String>,
    },
    /// They are marked; no process has put them into its queue.
    NoProcess,
}

/// The outcomes of a replay.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    stored: usize,
    published: usize,
    gone: usize,
    refused_again: usize,
    kept: usize,
    not_yet: usize,
    /// Letters whose turn never came.
    pub(super) not_tried: usize,
    /// Why some are not stored yet.
    pub(super) standstill: Option<Standstill>,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Stored => &mut self.stored,
            Outcome::Published => &mut self.published,
            Outcome::Gone => &mut self.gone,
            Outcome::RefusedAgain { .. } => &mut self.refused_again,
            Outcome::Kept { .. } => &mut self.kept,
            Outcome::NotYet => &mut self.not_yet,
        };
        *counter += 1;
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_complete(&self) -> bool {
        self.refused_again + self.kept + self.not_yet + self.not_tried == 0
    }

    /// All of it in one line, and the next steps in further ones.
    pub(super) fn summary(&self) -> String {
        let parts = [
            (self.stored, "stored"),
            (self.published, "published"),
            (self.gone, "gone already"),
            (self.refused_again, "refused again"),
            (self.kept, "not replayed"),
            (self.not_yet, "not stored yet"),
            (self.not_tried, "not tried"),
        ];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        let mut text = format!("{}.", told.join(", "));
        // Writing to a String cannot fail.
        if self.refused_again > 0 {
            text.push_str(
                "\nWhat was refused again stays in the dead letters: mend the cause that the reason \
                 names and replay once more, or give it up with `footman dead-letters delete`.",
            );
        }
        match &self.standstill {
            Some(Standstill::Writers { waited, trouble }) => {
                let _written = write!(
                    text,
                    "\nNo writer has dealt with {} within {waited}. The events wait at the broker \
                     and stay in the dead letters until one has stored them: see `/readyz` of the \
                     writer, and `footman dead-letters list` for what is left.",
                    format_args!("{} of them", self.not_yet),
                );
                if let Some(trouble) = trouble {
                    let _written =
                        write!(text, "\nThe dead letters could not be watched: {trouble}.");
                }
            }
            Some(Standstill::NoProcess) => {
                text.push_str(
                    "\nNo `footman run` with this configuration has taken them: none runs, or its \
                     queue is full. They are marked, and the next one that can stores them; until \
                     then they stay in the dead letters.",
                );
            }
            None => {}
        }
        if self.not_tried > 0 {
            text.push_str(
                "\nWhat was not tried is as it was: replay it when the rest goes through.",
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stored_is_complete_and_short() {
        let mut tally = Tally::default();
        tally.add(&Outcome::Stored);
        tally.add(&Outcome::Published);
        tally.add(&Outcome::Gone);
        assert!(tally.is_complete());
        assert_eq!(tally.summary(), "1 stored, 1 published, 1 gone already.");
    }

    #[test]
    fn what_is_left_comes_with_the_next_step() {
        let mut tally = Tally::default();
        tally.add(&Outcome::Stored);
        tally.add(&Outcome::RefusedAgain { count: 2, reason: "conflict".to_owned() });
        tally.add(&Outcome::NotYet);
        tally.not_tried = 7;
        tally.standstill = Some(Standstill::Writers { waited: "30s".to_owned(), trouble: None });
        assert!(!tally.is_complete());
        let text = tally.summary();
        assert!(text.starts_with("1 stored, 1 refused again, 1 not stored yet, 7 not tried.\n"));
        for part in ["dead-letters delete", "1 of them within 30s", "`/readyz`", "as it was"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        tally.standstill = Some(Standstill::NoProcess);
        assert!(tally.summary().contains("the next one that can"), "{}", tally.summary());
    }
}
