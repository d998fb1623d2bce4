//! Figures of the same thing, from several rounds.

use std::fmt;

/// What single figures of a machine differ by without a reason, as a share of them: less than three
/// of them do not tell.
const UNREPEATED: f64 = 0.25;
/// From so many rounds on, their spread is the noise.
const ENOUGH: usize = 3;

/// Figures of the same thing, one for each round.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// The middle one, or the mean of the two in the middle; NaN when there are none.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// Half of what lies between the least and the most.
    pub fn spread(&self) -> f64 {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.0.is_empty() { 0.0 } else { (most - least) / 2.0 }
    }

    /// By how much the median may be off.
    pub fn noise(&self) -> f64 {
        if self.0.len() < ENOUGH {
            return self.spread().max(self.median().abs() * UNREPEATED);
        }
        self.spread()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest.
    pub fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// The median and, when there are several, the spread.
impl fmt::Display for Samples {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("-");
        }
        write!(formatter, "{}", Figure(self.median()))?;
        if self.0.len() > 1 {
            write!(formatter, " ± {}", Figure(self.spread()))?;
        }
        Ok(())
    }
}

/// A number with the digits that mean something.
#[derive(Clone, Copy, Debug)]
pub struct Figure(pub f64);

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        match value.abs() {
            large if large >= 10_000.0 => write!(formatter, "{:.0}k", value / 1_000.0),
            large if large >= 100.0 => write!(formatter, "{value:.0}"),
            middle if middle >= 10.0 => write!(formatter, "{value:.1}"),
            small if !(0.000_5..1.0).contains(&small) => write!(formatter, "{value:.2}"),
            _ => write!(formatter, "{value:.3}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "figures that binary fractions hold")]

    use super::*;

    fn samples(figures: &[f64]) -> Samples {
        figures.iter().copied().collect()
    }

    #[test]
    fn the_middle_counts_and_the_ends_are_the_spread() {
        let odd = samples(&[3.0, 100.0, 1.0]);
        assert_eq!((odd.median(), odd.spread(), odd.noise()), (3.0, 49.5, 49.5));
        assert_eq!(samples(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert!(samples(&[]).median().is_nan() && samples(&[]).most().is_nan());
        assert_eq!(samples(&[1.0, 3.0, 2.0]).most(), 3.0);
    }

    #[test]
    fn a_figure_that_was_not_repeated_may_be_a_quarter_off() {
        assert_eq!(samples(&[8.0]).noise(), 2.0);
        assert_eq!(samples(&[2.0, 6.0]).noise(), 2.0);
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        let shown = |value| Figure(value).to_string();
        assert_eq!(
            [1e-9, 0.123_4, 1.234, 12.34, 123.4, 1_234.5, 12_345.0, -0.5].map(shown),
            ["0.00", "0.123", "1.23", "12.3", "123", "1234", "12k", "-0.500"]
        );
        assert_eq!(samples(&[1.0, 2.0]).to_string(), "1.50 ± 0.500");
        assert_eq!(
            (samples(&[1.0]).to_string(), samples(&[]).to_string()),
            ("1.00".into(), "-".into())
        );
    }
}
