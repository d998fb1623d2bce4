//! What looks like chance and is not: a number for every question, always the same one.

/// Marks what a draw is for, so that no two questions share their answers.
pub(super) const WEIGHT: u64 = 1;
pub(super) const RESTART: u64 = 2;
pub(super) const WOBBLE: u64 = 3;
pub(super) const APP_ID: u64 = 4;
pub(super) const APP_PRESENT: u64 = 5;
pub(super) const APP_KIND: u64 = 6;
pub(super) const IN_MEMORY: u64 = 7;
pub(super) const LOADED: u64 = 8;
pub(super) const VISIT: u64 = 9;
pub(super) const VISIT_SHAPE: u64 = 10;
pub(super) const SESSION_ID: u64 = 11;
pub(super) const ANONYMOUS: u64 = 12;
pub(super) const UNKNOWN_APP: u64 = 13;
pub(super) const SESSION_APP: u64 = 14;
pub(super) const VISITOR: u64 = 15;
pub(super) const STREAM: u64 = 16;

/// Answers questions from a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    seed: u64,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number for the question.
    pub(super) fn number(self, question: &[u64]) -> u64 {
        draw(self.seed, question)
    }

    /// A number below `bound`, 0 when `bound` is 0.
    pub(super) fn below(self, bound: usize, question: &[u64]) -> usize {
        let bound = (bound as u64).max(1);
        usize::try_from(self.number(question) % bound).unwrap_or_default()
    }

    /// A number from 0 to below 1.
    pub(super) fn unit(self, question: &[u64]) -> f64 {
        (self.number(question) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A GUID in lower case.
    pub(super) fn guid(self, question: &[u64]) -> String {
        let high = self.number(question);
        let low = mix(high ^ self.seed.rotate_left(17));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }
}

/// A number that depends on every bit of the seed and the question.
pub(crate) fn draw(seed: u64, question: &[u64]) -> u64 {
    question.iter().fold(mix(seed ^ 0x9e37_79b9_7f4a_7c15), |state, part| {
        mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mix(part.wrapping_add(state)))
    })
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
