//! The text form of metrics that Prometheus reads, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::labels::Labels;

/// The series of one gauge, in the order of their labels; no two have the same.
#[derive(Debug)]
pub(super) struct Family {
    /// The metric's name.
    pub(super) name: &'static str,
    /// What it says, in one line.
    pub(super) help: &'static str,
    /// The values.
    pub(super) series: BTreeMap<Labels, f64>,
}

/// Writes all families, those without a series too.
pub(super) fn write(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, series } in families {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in series {
            let _infallible = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}
