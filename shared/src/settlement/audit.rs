//! What a publisher had confirmed, against what the members of one consumer group settled.
//!
//! Within a queue of the broker events come in the order of their publishing. So an event that
//! nobody settled and nobody holds, although every queue has brought a later one, is not on its way
//! any more: it is lost, or the member that settled it was killed before it could tell. After a
//! grace, in which it would have been delivered again, it is published again, which harms nothing
//! since its points overwrite themselves. An event that is missing even then is lost.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::SequenceSet;
use crate::event::{Kind, NamedEvent, SequenceBits, Settlements};

/// Events that are followed at once; four bytes each. The oldest beyond it are followed no longer.
const MOST_FOLLOWED: usize = 4_000_000;
/// A member that has not told for so long is gone, and what it held is delivered again: three
/// beats.
const MEMBER_IS_GONE: Duration = Duration::from_secs(95);

/// How often a missing event is published again: the broker may be away the first time.
const RESENDS: u32 = 2;

/// An event that the broker has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its place in the outbox.
    pub position: i64,
    /// Its epoch.
    pub epoch: String,
    /// Its number there.
    pub sequence: u64,
    /// Its kind; none when it is no event of ours.
    pub kind: Option<Kind>,
}

/// What an audit has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It should be published again: the event at this place in the outbox.
    Missing(i64),
    /// It was published again and is missing still, or cannot be published again.
    Lost(NamedEvent),
}

/// The audit of one consumer group.
#[derive(Debug)]
pub struct Audit {
    group: String,
    grace: Duration,
    /// The place of the first event that is followed.
    first: i64,
    followed: VecDeque<Followed>,
    epochs: Vec<Epoch>,
    numbers: HashMap<String, u16>,
    /// By queue of the broker, the last place that came through it.
    lanes: Vec<Option<i64>>,
    /// Up to which place every queue had come, and when.
    passed: VecDeque<(i64, Instant)>,
    members: HashMap<String, Member>,
    resent: BTreeMap<i64, Resent>,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    epoch: u16,
    kind: Option<Kind>,
    is_settled: bool,
}

/// Sequences of an epoch have no gaps, nor have places: they differ by one number.
#[derive(Debug)]
struct Epoch {
    name: String,
    offset: i64,
}

/// That an event was asked to be published again.
#[derive(Clone, Copy, Debug)]
struct Resent {
    /// The last place that was published then.
    after: i64,
    times: u32,
}

#[derive(Debug)]
struct Member {
    told: Instant,
    /// The places of what it holds.
    held: SequenceSet,
}

impl Audit {
    /// Of a group whose events come through so many queues of the broker; `grace` is how long an
    /// event may take to be delivered again and told.
    pub fn new(group: &str, lanes: u16, grace: Duration) -> Self {
        Self {
            group: group.to_owned(),
            grace,
            first: 0,
            followed: VecDeque::new(),
            epochs: Vec::new(),
            numbers: HashMap::new(),
            lanes: vec![None; usize::from(lanes.max(1))],
            passed: VecDeque::new(),
            members: HashMap::new(),
            resent: BTreeMap::new(),
        }
    }

    /// The group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Events that are followed.
    pub fn followed(&self) -> usize {
        self.followed.len()
    }

    /// The place of the first event that nobody has settled yet.
    pub fn unsettled_from(&self) -> Option<i64> {
        (!self.followed.is_empty()).then_some(self.first)
    }

    /// The broker has confirmed an event.
    pub fn confirmed(&mut self, event: &Published) {
        if self.followed.is_empty() {
            self.first = event.position;
        }
        let Some(at) = self.at(event.position) else { return };
        // Whatever lies between was not confirmed, and is told of otherwise.
        let between = Followed { epoch: 0, kind: None, is_settled: true };
        if at > self.followed.len() + MOST_FOLLOWED {
            self.followed.clear();
            self.first = event.position;
            return self.confirmed(event);
        }
        while self.followed.len() < at {
            self.followed.push_back(between);
        }
        if at == self.followed.len()
            && let Some(epoch) = self.number(event)
        {
            self.followed.push_back(Followed { epoch, kind: event.kind, is_settled: false });
        }
        while self.followed.len() > MOST_FOLLOWED {
            self.followed.pop_front();
            self.first += 1;
        }
    }

    fn number(&mut self, event: &Published) -> Option<u16> {
        if let Some(number) = self.numbers.get(&event.epoch) {
            return Some(*number);
        }
        let number = u16::try_from(self.epochs.len()).ok()?;
        let offset = event.position.checked_sub_unsigned(event.sequence)?;
        self.epochs.push(Epoch { name: event.epoch.clone(), offset });
        self.numbers.insert(event.epoch.clone(), number);
        Some(number)
    }

    /// The index of a place, when it is not before all others.
    fn at(&self, position: i64) -> Option<usize> {
        position.checked_sub(self.first).and_then(|at| usize::try_from(at).ok())
    }

    fn place(&self, epoch: &str, sequence: u64) -> Option<i64> {
        let epoch = self.epochs.get(usize::from(*self.numbers.get(epoch)?))?;
        epoch.offset.checked_add_unsigned(sequence)
    }

    /// A member has told what it settled.
    pub fn heard(&mut self, member: &str, told: &Settlements, now: Instant) {
        if told.group != self.group {
            return;
        }
        for place in self.places(&told.settled) {
            self.settle(place);
        }
        let mut held = SequenceSet::default();
        for place in self.places(&told.held) {
            held.insert(place.unsigned_abs());
        }
        self.members.insert(member.to_owned(), Member { told: now, held });
        for reached in &told.reached {
            let place = self.place(&reached.epoch, reached.sequence);
            if let Some(lane) = self.lanes.get_mut(usize::from(reached.lane)) {
                *lane = place.max(*lane);
            }
        }
        let passed = self.lanes.iter().copied().min().flatten();
        let before = self.passed.back().map(|(place, _)| *place);
        if let Some(passed) = passed
            && before.is_none_or(|before| passed > before)
        {
            self.passed.push_back((passed, now));
        }
        while self.followed.front().is_some_and(|followed| followed.is_settled) {
            self.followed.pop_front();
            self.first += 1;
        }
    }

    fn places(&self, runs: &[SequenceBits]) -> Vec<i64> {
        let mut places = Vec::new();
        for run in runs.iter().filter(|run| self.numbers.contains_key(&run.epoch)) {
            let mut sequences = SequenceSet::default();
            sequences.add_run(run);
            places.extend(sequences.iter().filter_map(|seq| self.place(&run.epoch, seq)));
        }
        places
    }

    fn settle(&mut self, place: i64) {
        let at = self.at(place);
        if let Some(followed) = at.and_then(|at| self.followed.get_mut(at)) {
            followed.is_settled = true;
        }
        self.resent.remove(&place);
    }

    /// What is missing, or lost, by now.
    pub fn findings(&mut self, now: Instant) -> Vec<Finding> {
        self.members.retain(|_, member| now.duration_since(member.told) < MEMBER_IS_GONE);
        let mut ripe = None;
        while let Some((place, _)) =
            self.passed.front().filter(|(_, since)| now.duration_since(*since) >= self.grace)
        {
            ripe = Some(*place);
            self.passed.pop_front();
        }
        let Some(ripe) = ripe else { return Vec::new() };
        let until = self.at(ripe).unwrap_or_default().min(self.followed.len());
        let suspects: Vec<i64> = (0..until)
            .filter(|at| self.followed.get(*at).is_some_and(|followed| !followed.is_settled))
            .filter_map(|at| self.first.checked_add(i64::try_from(at).ok()?))
            .filter(|place| !self.is_held(*place))
            .collect();
        let last = self.first.saturating_add(i64::try_from(self.followed.len()).unwrap_or(0)) - 1;
        let mut findings = Vec::new();
        for place in suspects {
            let times = match self.resent.get(&place) {
                None => 0,
                Some(Resent { after, times }) if *after < ripe => *times,
                Some(_) => continue,
            };
            if times < RESENDS {
                self.resent.insert(place, Resent { after: last, times: times + 1 });
                findings.push(Finding::Missing(place));
            } else {
                findings.extend(self.lost(place));
            }
        }
        findings
    }

    fn is_held(&self, place: i64) -> bool {
        self.members.values().any(|member| member.held.contains(place.unsigned_abs()))
    }

    /// An event that is missing cannot be published again. None when it is not missing.
    pub fn lost(&mut self, place: i64) -> Option<Finding> {
        let followed = *self.at(place).and_then(|at| self.followed.get(at))?;
        if followed.is_settled {
            return None;
        }
        self.settle(place);
        let epoch = self.epochs.get(usize::from(followed.epoch))?;
        Some(Finding::Lost(NamedEvent {
            epoch: epoch.name.clone(),
            sequence: u64::try_from(place.checked_sub(epoch.offset)?).ok()?,
            kind: followed.kind.map_or("unknown", Kind::name).to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settlement::SettlementLedger;

    const GRACE: Duration = Duration::from_secs(100);
    const BEAT: Duration = Duration::from_secs(30);

    /// Publishes sequences 1 to `count` of an epoch, from a place on.
    fn publish(audit: &mut Audit, epoch: &str, from: i64, count: u64) {
        for sequence in 1..=count {
            let position = from + i64::try_from(sequence).unwrap() - 1;
            let kind = Some(Kind::Health);
            let epoch = epoch.to_owned();
            audit.confirmed(&Published { position, epoch, sequence, kind });
        }
    }

    /// A member that is delivered sequences through lanes and settles all but some.
    fn tells(
        ledger: &mut SettlementLedger,
        epoch: &str,
        delivered: impl IntoIterator<Item = (u64, u16)>,
        holds: &[u64],
    ) -> Settlements {
        for (sequence, lane) in delivered {
            let event = ledger.delivered(epoch, sequence, lane).unwrap();
            if !holds.contains(&sequence) {
                ledger.settled(event);
            }
        }
        ledger.take()
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_settled_is_published_again_and_then_lost() {
        let mut audit = Audit::new("g", 1, GRACE);
        let mut ledger = SettlementLedger::new("g");
        publish(&mut audit, "e", 11, 10);
        let start = Instant::now();
        let missing = [4, 7];
        let all_but = (1..=10).filter(|sequence| !missing.contains(sequence)).map(|s| (s, 0));
        audit.heard("w", &tells(&mut ledger, "e", all_but, &[]), start);
        assert_eq!(audit.followed(), 7, "the settled front is followed no longer");
        assert_eq!(audit.unsettled_from(), Some(14));
        assert_eq!(audit.findings(start + GRACE / 2), []);
        let found = audit.findings(start + GRACE);
        assert_eq!(found, [Finding::Missing(14), Finding::Missing(17)]);
        assert_eq!(audit.findings(start + GRACE * 3), [], "nothing later has come since");

        // One of them is settled after all; the other is not, although later ones are.
        for sequence in 11..=12 {
            let (position, epoch) = (i64::try_from(10 + sequence).unwrap(), "e".to_owned());
            audit.confirmed(&Published { position, epoch, sequence, kind: None });
        }
        let later = start + GRACE * 3;
        audit.heard("w", &tells(&mut ledger, "e", [(7, 0), (11, 0), (12, 0)], &[]), later);
        assert_eq!(audit.findings(later + GRACE / 2), []);
        assert_eq!(audit.findings(later + GRACE), [Finding::Missing(14)], "once more");
        let (position, epoch, sequence) = (23, "e".to_owned(), 13);
        audit.confirmed(&Published { position, epoch, sequence, kind: None });
        let later = later + GRACE;
        audit.heard("w", &tells(&mut ledger, "e", [(13, 0)], &[]), later);
        let lost = NamedEvent { epoch: "e".to_owned(), sequence: 4, kind: "health".to_owned() };
        assert_eq!(audit.findings(later + GRACE), [Finding::Lost(lost)]);
        assert_eq!(audit.findings(later + GRACE * 9), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_living_member_holds_is_not_missing() {
        let mut audit = Audit::new("g", 1, GRACE);
        let (mut holder, mut other) = (SettlementLedger::new("g"), SettlementLedger::new("g"));
        publish(&mut audit, "e", 1, 9);
        let mut now = Instant::now();
        let held = tells(&mut holder, "e", [(1, 0), (2, 0)], &[1, 2]);
        let settled = tells(&mut other, "e", (3..=9).map(|sequence| (sequence, 0)), &[]);
        audit.heard("other", &settled, now);
        for _ in 0..10 {
            audit.heard("holder", &held, now);
            now += BEAT;
            assert_eq!(audit.findings(now), []);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_stands_still_proves_nothing() {
        let mut audit = Audit::new("g", 2, GRACE);
        let mut ledger = SettlementLedger::new("g");
        publish(&mut audit, "e", 1, 8);
        let start = Instant::now();
        let even = [2, 4, 6, 8].map(|sequence| (sequence, 0));
        audit.heard("w", &tells(&mut ledger, "e", even, &[]), start);
        assert_eq!(audit.findings(start + GRACE * 5), [], "the other queue may have them");
        audit.heard("w", &tells(&mut ledger, "e", [(5, 1)], &[]), start + GRACE * 5);
        let found = audit.findings(start + GRACE * 6);
        assert_eq!(found, [Finding::Missing(1), Finding::Missing(3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn epochs_and_other_groups_are_kept_apart() {
        let mut audit = Audit::new("g", 1, GRACE);
        publish(&mut audit, "old", 1, 3);
        publish(&mut audit, "new", 4, 3);
        let start = Instant::now();
        let mut stranger = SettlementLedger::new("another");
        audit.heard("w", &tells(&mut stranger, "new", [(3, 0)], &[]), start);
        let mut ledger = SettlementLedger::new("g");
        audit.heard("w", &tells(&mut ledger, "new", [(1, 0), (3, 0)], &[]), start);
        let found = audit.findings(start + GRACE);
        assert_eq!(found, [1, 2, 3, 5].map(Finding::Missing));
        let lost = NamedEvent { epoch: "old".to_owned(), sequence: 2, kind: "health".to_owned() };
        assert_eq!(audit.lost(2), Some(Finding::Lost(lost)));
        assert_eq!(audit.lost(2), None);
    }

    #[tokio::test(start_paused = true)]
    async fn gaps_and_repetitions_are_no_findings() {
        let mut audit = Audit::new("g", 1, GRACE);
        publish(&mut audit, "e", 1, 2);
        // The third was refused by the broker, and the first two are published again.
        let of = |sequence| Published {
            position: i64::try_from(sequence).unwrap(),
            epoch: "e".to_owned(),
            sequence,
            kind: None,
        };
        audit.confirmed(&of(4));
        audit.confirmed(&of(1));
        assert_eq!(audit.followed(), 4);
        let mut ledger = SettlementLedger::new("g");
        let told = tells(&mut ledger, "e", [(1, 0), (2, 0), (4, 0)], &[]);
        audit.heard("w", &told, Instant::now());
        assert_eq!((audit.followed(), audit.unsettled_from()), (0, None));
        assert_eq!(audit.findings(Instant::now() + GRACE), []);
    }
}
