//! The clauses of a text, sorted into alternatives and exclusions.

use super::constraint::{Constraint, Numbers};
use super::period::Period;
use super::rule::Rule;

/// What the parser has understood so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    firing: Vec<Alternative>,
    excluded: Vec<Alternative>,
    /// Whether an `except` was met: what follows is excluded.
    excluding: bool,
    /// Whether clauses go to the last alternative, rather than to a new one.
    open: bool,
}

/// Constraints that must all hold.
#[derive(Debug)]
struct Alternative {
    constraints: Vec<Constraint>,
    /// Index in the text where the clauses of an alternative that was announced are expected.
    announced: usize,
}

impl Draft {
    /// A clause: to the numbers of the same period if there are any, else a demand more.
    pub(super) fn add(&mut self, period: Period, numbers: Numbers) {
        if !self.open {
            self.also(0);
        }
        let Some(alternative) = self.alternatives().last_mut() else {
            return;
        };
        let mut numbers = numbers;
        for constraint in &mut alternative.constraints {
            if constraint.period != period {
                continue;
            }
            match constraint.numbers.merge(numbers) {
                None => return,
                Some(others) => numbers = others,
            }
        }
        alternative.constraints.push(Constraint { period, numbers });
    }

    /// An `also`: another alternative, whose clauses begin at `index`.
    pub(super) fn also(&mut self, index: usize) {
        self.open = true;
        self.alternatives().push(Alternative { constraints: Vec::new(), announced: index });
    }

    /// An `except`: exclusions from here on.
    pub(super) fn except(&mut self) {
        self.excluding = true;
        self.open = false;
    }

    /// Where clauses are missing, if an alternative was announced and has none.
    pub(super) fn unfinished(&self) -> Option<usize> {
        let mut all = self.firing.iter().chain(&self.excluded);
        all.find(|alternative| alternative.constraints.is_empty()).map(|a| a.announced)
    }

    /// Whether nothing says when to fire.
    pub(super) fn is_empty(&self) -> bool {
        self.firing.is_empty()
    }

    /// The rules by which the schedule fires, and those by which it does not.
    pub(super) fn into_rules(self) -> (Vec<Rule>, Vec<Rule>) {
        let rules = |alternatives: Vec<Alternative>| {
            alternatives.into_iter().filter_map(|a| Rule::new(a.constraints)).collect()
        };
        (rules(self.firing), rules(self.excluded))
    }

    fn alternatives(&mut self) -> &mut Vec<Alternative> {
        if self.excluding { &mut self.excluded } else { &mut self.firing }
    }
}
