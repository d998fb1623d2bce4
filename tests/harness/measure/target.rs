//! What is to be reached, and whether it was.

use std::fmt;

use super::samples::{Figure, Samples};
use super::table::Table;

/// A limit.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// Not less.
    AtLeast(f64),
    /// Not more.
    AtMost(f64),
}

/// A target with what was measured.
#[derive(Clone, Debug)]
pub struct Target {
    name: String,
    wanted: Wanted,
    measured: f64,
    noise: f64,
}

/// Whether a target was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Met,
    /// It is missed by no more than its noise.
    WithinNoise,
    /// It is not, or it was not measured.
    Missed,
}

impl Target {
    /// From the figures of several rounds.
    pub fn new(name: impl Into<String>, wanted: Wanted, measured: &Samples) -> Self {
        Self::with_noise(name, wanted, measured.median(), measured.noise())
    }

    /// From a figure of which is known by how much it may be off.
    pub fn with_noise(name: impl Into<String>, wanted: Wanted, measured: f64, noise: f64) -> Self {
        Self { name: name.into(), wanted, measured, noise }
    }

    /// A figure that another run would give again, such as the size of a file.
    pub fn exact(name: impl Into<String>, wanted: Wanted, measured: f64) -> Self {
        Self::with_noise(name, wanted, measured, 0.0)
    }

    /// Something of which there must be none, in no round, whatever the noise.
    pub fn exactly_none(name: impl Into<String>, measured: &Samples) -> Self {
        let measured = measured.most();
        Self { name: name.into(), wanted: Wanted::AtMost(0.0), measured, noise: 0.0 }
    }

    /// What is not measured (NaN) is missed.
    pub fn verdict(&self) -> Verdict {
        let missed_by = match self.wanted {
            Wanted::AtLeast(least) => least - self.measured,
            Wanted::AtMost(most) => self.measured - most,
        };
        if missed_by <= 0.0 {
            Verdict::Met
        } else if missed_by <= self.noise {
            Verdict::WithinNoise
        } else {
            Verdict::Missed
        }
    }
}

/// All targets of a run.
#[derive(Debug)]
pub struct Targets(pub Vec<Target>);

impl Targets {
    /// Whether one is missed by more than its noise.
    pub fn is_any_missed(&self) -> bool {
        self.0.iter().any(|target| target.verdict() == Verdict::Missed)
    }
}

/// A table in Markdown.
impl fmt::Display for Targets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["target", "wanted", "measured", "noise", "verdict"]);
        for target in &self.0 {
            let wanted = match target.wanted {
                Wanted::AtLeast(least) => format!(">= {}", Figure(least)),
                Wanted::AtMost(most) => format!("<= {}", Figure(most)),
            };
            let verdict = match target.verdict() {
                Verdict::Met => "met",
                Verdict::WithinNoise => "within noise",
                Verdict::Missed => "MISSED",
            };
            table.push(vec![
                target.name.clone(),
                wanted,
                Figure(target.measured).to_string(),
                format!("± {}", Figure(target.noise)),
                verdict.to_owned(),
            ]);
        }
        write!(formatter, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(wanted: Wanted, measured: f64, noise: f64) -> Verdict {
        Target::with_noise("a target", wanted, measured, noise).verdict()
    }

    #[test]
    fn a_target_is_missed_by_more_than_its_noise() {
        for (wanted, measured, expected) in [
            (Wanted::AtLeast(0.75), 0.75, Verdict::Met),
            (Wanted::AtLeast(0.75), 0.5, Verdict::WithinNoise),
            (Wanted::AtLeast(0.75), 0.49, Verdict::Missed),
            (Wanted::AtMost(1.5), 1.5, Verdict::Met),
            (Wanted::AtMost(1.5), 1.75, Verdict::WithinNoise),
            (Wanted::AtMost(1.5), 1.76, Verdict::Missed),
            (Wanted::AtMost(1.5), f64::NAN, Verdict::Missed),
        ] {
            assert_eq!(verdict(wanted, measured, 0.25), expected, "{wanted:?} {measured}");
        }
    }

    #[test]
    fn one_miss_is_enough_and_one_loss_in_any_round() {
        let met = Target::new("met", Wanted::AtLeast(1.0), &[2.0, 2.0, 2.0].into_iter().collect());
        let lost: Samples = [0.0, 1.0, 0.0].into_iter().collect();
        let lost = Target::exactly_none("lost", &lost);
        assert!(!Targets(vec![met.clone()]).is_any_missed());
        let targets = Targets(vec![met, lost]);
        assert!(targets.is_any_missed());
        assert!(targets.to_string().contains("| lost   | <= 0.00 | 1.00     | ± 0.00 | MISSED"));
    }
}
