//! The moments at which faults come: drawn from a seed, which is printed and can be given back.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// Draws moments.
pub(crate) struct Chance {
    seed: u64,
    drawn: SmallRng,
}

impl Chance {
    /// From `FOOTMAN_SEED`, or a seed of its own.
    pub(crate) fn new() -> Self {
        let given = std::env::var_os("FOOTMAN_SEED").and_then(|seed| seed.to_str()?.parse().ok());
        let seed = given.unwrap_or_else(rand::random);
        println!("FOOTMAN_SEED={seed}");
        Self { seed, drawn: SmallRng::seed_from_u64(seed) }
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Any time up to `longest`.
    pub(crate) fn within(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.drawn.random())
    }

    /// A number from `least` to `most`.
    pub(crate) fn number(&mut self, least: u64, most: u64) -> u64 {
        self.drawn.random_range(least..=most)
    }
}

/// How often a fault comes.
pub(crate) fn rounds() -> u64 {
    let given = std::env::var_os("FOOTMAN_ROUNDS").and_then(|rounds| rounds.to_str()?.parse().ok());
    given.unwrap_or(3)
}
