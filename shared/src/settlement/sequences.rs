//! A set of sequences: words of bits, of which only those that are not empty are kept.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::event::SequenceBits;

/// Bits in a word.
const BITS: u64 = 64;
/// Empty words in a row from which on a new run of bits costs less than writing them out.
const LONGEST_GAP: u64 = 16;
/// The longest run that is read, in bytes: far more than an event can carry.
const LONGEST_RUN: usize = 1 << 20;

/// A set of sequences of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SequenceSet {
    words: BTreeMap<u64, u64>,
}

impl SequenceSet {
    /// Adds a sequence.
    pub fn insert(&mut self, sequence: u64) {
        *self.words.entry(sequence / BITS).or_default() |= 1 << (sequence % BITS);
    }

    /// Takes a sequence out.
    pub fn remove(&mut self, sequence: u64) {
        let word = sequence / BITS;
        if let Some(bits) = self.words.get_mut(&word) {
            *bits &= !(1 << (sequence % BITS));
            if *bits == 0 {
                self.words.remove(&word);
            }
        }
    }

    /// Whether a sequence is in it.
    pub fn contains(&self, sequence: u64) -> bool {
        let word = self.words.get(&(sequence / BITS)).copied().unwrap_or_default();
        word & (1 << (sequence % BITS)) != 0
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The sequences, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().flat_map(|(word, bits)| {
            (0..BITS).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * BITS + bit)
        })
    }

    /// Takes runs of bits out of it, from the lowest on, as long as they fit into `room` bytes,
    /// which it lowers.
    pub fn take_runs(&mut self, epoch: &str, room: &mut usize) -> Vec<SequenceBits> {
        let mut runs = Vec::new();
        while let Some((&first, _)) = self.words.first_key_value() {
            let mut bytes = Vec::new();
            let mut next = first;
            while let Some((&word, &bits)) = self.words.first_key_value() {
                let gap = word.saturating_sub(next);
                let grown = bytes.len() + usize::try_from(gap + 1).unwrap_or(usize::MAX) * 8;
                if gap > LONGEST_GAP || grown > *room {
                    break;
                }
                bytes.resize(grown - 8, 0);
                bytes.extend(bits.to_le_bytes());
                next = word + 1;
                self.words.pop_first();
            }
            if bytes.is_empty() {
                break;
            }
            *room -= bytes.len();
            runs.push(SequenceBits {
                epoch: epoch.to_owned(),
                first: first * BITS,
                bits: BASE64.encode(bytes),
            });
        }
        runs
    }

    /// Adds a run of bits; what cannot be read adds nothing.
    pub fn add_run(&mut self, run: &SequenceBits) {
        let bytes = match BASE64.decode(&run.bits) {
            Ok(bytes) if bytes.len() <= LONGEST_RUN => bytes,
            _ => return,
        };
        for (at, byte) in bytes.iter().enumerate() {
            let start = run.first.saturating_add(at as u64 * 8);
            for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                self.insert(start.saturating_add(bit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(sequences: impl IntoIterator<Item = u64>) -> SequenceSet {
        let mut set = SequenceSet::default();
        sequences.into_iter().for_each(|sequence| set.insert(sequence));
        set
    }

    #[test]
    fn runs_are_short_where_gaps_are_long() {
        let mut sparse = set([1, 2, 3, 1_000_000, 1_000_064]);
        let runs = sparse.take_runs("e", &mut 1_000);
        assert_eq!(runs.iter().map(|run| run.first).collect::<Vec<_>>(), [0, 1_000_000]);
        assert!(sparse.is_empty());
        let mut dense = set(1..=640);
        assert_eq!(dense.take_runs("e", &mut 40).len(), 1);
        assert_eq!(dense.iter().next(), Some(320), "what did not fit stays");
    }

    #[test]
    fn what_is_no_run_adds_nothing() {
        let mut set = SequenceSet::default();
        for bits in ["!", "AA"] {
            set.add_run(&SequenceBits { epoch: String::new(), first: 7, bits: bits.to_owned() });
        }
        let end = SequenceBits { epoch: String::new(), first: u64::MAX, bits: "/w==".to_owned() };
        set.add_run(&end);
        assert_eq!(set.iter().collect::<Vec<_>>(), [u64::MAX]);
    }

    #[test]
    fn what_is_removed_is_not_there() {
        let mut set = set([1, 2]);
        for sequence in [1, 5, 900] {
            set.remove(sequence);
        }
        assert_eq!((set.contains(1), set.contains(2)), (false, true));
        set.remove(2);
        assert!(set.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_taken_out_comes_back(
            sequences in prop::collection::btree_set(0_u64..100_000, 0..200),
            room in 8_usize..4_000,
        ) {
            let mut left = set(sequences.iter().copied());
            let mut back = SequenceSet::default();
            while !left.is_empty() {
                let mut rest = room;
                let runs = left.take_runs("epoch", &mut rest);
                prop_assert!(!runs.is_empty());
                for run in &runs {
                    back.add_run(run);
                }
            }
            prop_assert_eq!(back.iter().collect::<BTreeSet<_>>(), sequences);
        }
    }
}
