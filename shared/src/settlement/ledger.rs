//! What a writer has settled and not told yet.

use std::collections::{BTreeMap, HashMap};

use super::SequenceSet;
use crate::event::{Reached, Settlements};

/// Epochs that are remembered at once. Each start of a program is one; a queue of a week seldom
/// holds more. What is settled of further ones is not told.
const MOST_EPOCHS: usize = 256;
/// What one beat tells at most, in bytes before base64; the rest waits for the next one. An event
/// takes 900 KiB.
const MOST_BYTES: usize = 256 << 10;

/// Which event a delivery brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventNumber {
    /// The epoch, as numbered by the ledger.
    epoch: usize,
    sequence: u64,
}

/// The settlements of a consumer group's member.
#[derive(Debug)]
pub struct SettlementLedger {
    group: String,
    numbers: HashMap<String, usize>,
    epochs: Vec<Epoch>,
}

#[derive(Debug, Default)]
struct Epoch {
    name: String,
    settled: SequenceSet,
    /// Delivered and not settled.
    held: SequenceSet,
    /// By queue of the broker, the highest sequence that came through it.
    reached: BTreeMap<u16, u64>,
}

impl SettlementLedger {
    /// A ledger without entries.
    pub fn new(group: &str) -> Self {
        Self { group: group.to_owned(), numbers: HashMap::new(), epochs: Vec::new() }
    }

    /// An event came through a queue of the broker. None when its settlement cannot be told.
    pub fn delivered(&mut self, epoch: &str, sequence: u64, lane: u16) -> Option<EventNumber> {
        let number = match self.numbers.get(epoch) {
            Some(number) => *number,
            None => self.begin(epoch)?,
        };
        let known = self.epochs.get_mut(number)?;
        known.held.insert(sequence);
        let reached = known.reached.entry(lane).or_default();
        *reached = sequence.max(*reached);
        Some(EventNumber { epoch: number, sequence })
    }

    fn begin(&mut self, name: &str) -> Option<usize> {
        let number = self.epochs.len();
        if number >= MOST_EPOCHS {
            return None;
        }
        self.epochs.push(Epoch { name: name.to_owned(), ..Epoch::default() });
        self.numbers.insert(name.to_owned(), number);
        Some(number)
    }

    /// The event is stored, or lies in the dead letters.
    pub fn settled(&mut self, event: EventNumber) {
        if let Some(epoch) = self.epochs.get_mut(event.epoch) {
            epoch.settled.insert(event.sequence);
            epoch.held.remove(event.sequence);
        }
    }

    /// What was settled since the last time, and what is held now.
    pub fn take(&mut self) -> Settlements {
        let mut told = Settlements { group: self.group.clone(), ..Settlements::default() };
        let mut room = MOST_BYTES;
        // What is held comes first: to tell it later would make it seem lost.
        for epoch in &self.epochs {
            told.held.extend(epoch.held.clone().take_runs(&epoch.name, &mut room));
        }
        for epoch in &mut self.epochs {
            told.settled.extend(epoch.settled.take_runs(&epoch.name, &mut room));
            let reached = std::mem::take(&mut epoch.reached).into_iter();
            told.reached.extend(reached.map(|(lane, sequence)| Reached {
                epoch: epoch.name.clone(),
                lane,
                sequence,
            }));
        }
        told
    }

    /// A beat that told this did not reach the bus.
    pub fn put_back(&mut self, told: &Settlements) {
        for run in &told.settled {
            let number = self.numbers.get(&run.epoch);
            if let Some(epoch) = number.and_then(|number| self.epochs.get_mut(*number)) {
                epoch.settled.add_run(run);
            }
        }
        for Reached { epoch, lane, sequence } in &told.reached {
            let number = self.numbers.get(epoch);
            if let Some(known) = number.and_then(|number| self.epochs.get_mut(*number)) {
                let reached = known.reached.entry(*lane).or_default();
                *reached = (*sequence).max(*reached);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(runs: &[crate::event::SequenceBits], epoch: &str) -> Vec<u64> {
        let mut set = SequenceSet::default();
        runs.iter().filter(|run| run.epoch == epoch).for_each(|run| set.add_run(run));
        set.iter().collect()
    }

    #[test]
    fn each_settlement_is_told_once_unless_its_beat_was_lost() {
        let mut ledger = SettlementLedger::new("influxdb");
        let events: Vec<EventNumber> =
            (1..=4).map(|sequence| ledger.delivered("a", sequence, 0).unwrap()).collect();
        let other = ledger.delivered("b", 7, 3).unwrap();
        ledger.settled(events[0]);
        ledger.settled(events[2]);
        ledger.settled(other);
        let told = ledger.take();
        assert_eq!(told.group, "influxdb");
        assert_eq!(sequences(&told.settled, "a"), [1, 3]);
        assert_eq!(sequences(&told.settled, "b"), [7]);
        assert_eq!(sequences(&told.held, "a"), [2, 4]);
        let reached: Vec<_> =
            told.reached.iter().map(|r| (r.epoch.as_str(), r.lane, r.sequence)).collect();
        assert_eq!(reached, [("a", 0, 4), ("b", 3, 7)]);

        ledger.settled(events[1]);
        ledger.put_back(&told);
        let again = ledger.take();
        assert_eq!(sequences(&again.settled, "a"), [1, 2, 3]);
        assert_eq!(again.reached, told.reached);
        let nothing = ledger.take();
        assert_eq!((nothing.settled.len(), nothing.reached.len()), (0, 0));
    }

    #[test]
    fn a_beat_has_a_bound_and_the_rest_follows() {
        let mut ledger = SettlementLedger::new("g");
        let beyond = (MOST_BYTES * 8 + 1_000) as u64;
        for sequence in 1..=beyond {
            let event = ledger.delivered("a", sequence, 0).unwrap();
            ledger.settled(event);
        }
        let first = sequences(&ledger.take().settled, "a");
        let rest = sequences(&ledger.take().settled, "a");
        assert!(!rest.is_empty());
        assert_eq!(first.len() as u64 + rest.len() as u64, beyond);
    }

    #[test]
    fn too_many_epochs_are_not_told() {
        let mut ledger = SettlementLedger::new("g");
        for number in 0..MOST_EPOCHS {
            assert!(ledger.delivered(&number.to_string(), 1, 0).is_some());
        }
        assert!(ledger.delivered("one more", 1, 0).is_none());
    }
}
