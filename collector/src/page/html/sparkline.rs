//! Small drawings: the load of the last hour, and a bar.

use std::fmt::Write as _;

use super::escape::Html;
use crate::page::state::CpuHistory;

/// Points of the hour, which are as many units of width.
const WIDTH: usize = 120;
/// Units of height, a little less than 100 percent would need at one unit for each.
const HEIGHT: f64 = 24.0;
/// Steps without a value that a line goes over: three polls of a minute may lie further apart.
const LONGEST_GAP: usize = 6;

/// The load of the last hour, as a line and in words.
pub(super) fn cpu(html: &mut Html, history: &CpuHistory) {
    let known = || history.percent.iter().flatten();
    let (Some(lowest), Some(highest)) = (known().min(), known().max()) else { return };
    html.raw("<svg class=\"spark\" viewBox=\"0 0 120 25\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"");
    html.text(format!("CPU in the last hour: {lowest} to {highest} percent")).raw("\"><path d=\"");
    html.raw(&line(&history.percent)).raw("\"/></svg>");
}

/// The path: a step is one unit wide, and now is at the right.
fn line(percent: &[Option<u16>]) -> String {
    let start = WIDTH.saturating_sub(percent.len());
    let mut path = String::new();
    let mut last = None;
    for (place, value) in percent.iter().enumerate() {
        let Some(value) = value else { continue };
        let joined = last.is_some_and(|last| place - last <= LONGEST_GAP);
        let height = HEIGHT * (1.0 - f64::from((*value).min(100)) / 100.0) + 0.5;
        let command = if joined { 'L' } else { 'M' };
        // A text has room for everything.
        let _written = write!(path, "{command}{} {height:.1}", start + place);
        if !joined {
            // A single value is a dot.
            path.push_str("h.01");
        }
        last = Some(place);
    }
    path
}

/// A bar for those who see; the words stand beside it.
pub(super) fn bar(html: &mut Html, percent: f64) {
    html.raw(BAR).text(format!("{percent:.1}")).raw("\"/></svg>");
}

const BAR: &str = "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" \
aria-hidden=\"true\"><rect height=\"1\" width=\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_at_the_right_and_long_gaps_stay_open() {
        let mut percent = vec![Some(0), Some(100)];
        percent.extend([None; 6]);
        percent.push(Some(50));
        assert_eq!(line(&percent), "M111 24.5h.01L112 0.5M119 12.5h.01");
        assert_eq!(line(&[Some(900)]), "M119 0.5h.01");
        assert_eq!(line(&[]), "");
    }
}
