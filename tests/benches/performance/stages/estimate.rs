//! What criterion found, as it writes it beside its samples.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use integration_tests::measure::samples::Figure;

/// A median with what single samples differ from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    /// The median of the differences.
    pub(crate) noise: f64,
}

#[derive(Debug, Deserialize)]
struct Estimates {
    median: Point,
    median_abs_dev: Point,
}

#[derive(Debug, Deserialize)]
struct Point {
    point_estimate: f64,
}

impl Estimate {
    /// Of the newest run in a benchmark's folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let path = folder.join("new").join("estimates.json");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found: Estimates = serde_json::from_str(&text).unwrap();
        Self { median: found.median.point_estimate, noise: found.median_abs_dev.point_estimate }
    }

    /// In another unit.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self { median: self.median * factor, noise: self.noise * factor }
    }

    /// As a share of another.
    pub(crate) fn of(self, whole: Self) -> Self {
        let median = self.median / whole.median;
        Self { median, noise: median * (self.noise / self.median + whole.noise / whole.median) }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ± {}", Figure(self.median), Figure(self.noise))
    }
}
