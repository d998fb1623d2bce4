//! Which lines of a refused request are to blame: split by measurement, then halved.
//!
//! Pure: it names the next part to send and is told the answer. A type conflict usually concerns a
//! whole measurement, which is why that is tried first. The number of requests has a bound; what is
//! not settled within it is given up, so that one bad batch cannot occupy a writer.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;

use crate::destination::{LineRefusal, Refusal};
use crate::line_protocol::{Lines, measurement_of, timestamp_of};

/// Requests that one batch may cost, those made because it was too large apart.
pub(crate) const MAX_REQUESTS: usize = 64;
/// HTTP 413, Content Too Large.
const TOO_LARGE: u16 = 413;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing yet.
    Open,
    /// It is stored.
    Stored,
    /// It is older than the retention policy keeps.
    Expired,
    /// It is refused, for the reason of this number.
    Refused(usize),
    /// It was not found out in time; part of a request refused for the reason of this number.
    GivenUp(usize),
}

/// InfluxDB's words and its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// HTTP status.
    pub(crate) status: u16,
    /// Its words.
    pub(crate) words: String,
}

/// Lines for one request.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    lines: Vec<usize>,
    /// Why it is apart from its batch.
    because: Option<usize>,
    /// Whether it counts as one of [`MAX_REQUESTS`].
    counts: bool,
}

impl Part {
    /// The body of the request.
    pub(crate) fn body<'l>(&self, lines: &'l Lines) -> Cow<'l, [u8]> {
        if self.lines.len() == lines.len() {
            return Cow::Borrowed(lines.body());
        }
        let lines: Vec<&[u8]> = self.lines.iter().map(|&index| lines.line(index)).collect();
        Cow::Owned(lines.concat())
    }
}

/// The fates of a batch's lines.
#[derive(Debug)]
pub(crate) struct Split<'l> {
    lines: &'l Lines,
    fates: Vec<Fate>,
    reasons: Vec<Reason>,
    /// Taken from the front, so that large parts are settled before small ones.
    parts: VecDeque<Part>,
    requests: usize,
}

impl<'l> Split<'l> {
    /// All lines in one part.
    pub(crate) fn new(lines: &'l Lines) -> Self {
        let whole = Part { lines: (0..lines.len()).collect(), because: None, counts: true };
        Self {
            lines,
            fates: vec![Fate::Open; lines.len()],
            reasons: Vec::new(),
            parts: Some(whole).into_iter().filter(|part| !part.lines.is_empty()).collect(),
            requests: 0,
        }
    }

    /// The next part to send.
    pub(crate) fn next_part(&mut self) -> Option<Part> {
        while let Some(part) = self.parts.pop_front() {
            if !part.counts {
                return Some(part);
            }
            if self.requests < MAX_REQUESTS {
                self.requests += 1;
                return Some(part);
            }
            let because = part.because.unwrap_or_default();
            self.mark(&part.lines, Fate::GivenUp(because));
        }
        None
    }

    /// A part is stored.
    pub(crate) fn stored(&mut self, part: &Part) {
        self.mark(&part.lines, Fate::Stored);
    }

    /// A part is too large for a request.
    pub(crate) fn too_large(&mut self, part: Part, words: String) {
        let reason = self.reason(TOO_LARGE, words);
        if part.lines.len() <= 1 {
            self.mark(&part.lines, Fate::Refused(reason));
        } else {
            self.halve(part, reason, false);
        }
    }

    /// Lines of a part are refused.
    pub(crate) fn refused(&mut self, part: Part, refusal: Refusal) {
        if self.named(&part, &refusal) {
            return;
        }
        let reason = self.reason(refusal.status, refusal.reason);
        let all = part.lines.len();
        let dropped = refusal.dropped.unwrap_or(0);
        if refusal.expired && (dropped >= all || all == 1) {
            self.mark(&part.lines, Fate::Expired);
        } else if refusal.expired && dropped > 0 {
            self.expire_oldest(part, dropped, reason);
        } else if dropped >= all || all <= 1 {
            self.mark(&part.lines, Fate::Refused(reason));
        } else {
            self.by_measurement(part, reason);
        }
    }

    /// Uses InfluxDB's list of the refused lines, if there is one; tries the others again unless they
    /// are stored.
    fn named(&mut self, part: &Part, refusal: &Refusal) -> bool {
        let index = |line: &LineRefusal| part.lines.get(line.number.checked_sub(1)?).copied();
        let named: Vec<(usize, &LineRefusal)> =
            refusal.lines.iter().filter_map(|line| Some((index(line)?, line))).collect();
        if named.is_empty() {
            return false;
        }
        let mut because = 0;
        let mut rest: BTreeSet<usize> = part.lines.iter().copied().collect();
        for (index, line) in named {
            rest.remove(&index);
            because = self.reason(refusal.status, line.reason.clone());
            self.mark(&[index], Fate::Refused(because));
        }
        let rest: Vec<usize> = rest.into_iter().collect();
        if refusal.rest_stored {
            self.mark(&rest, Fate::Stored);
        } else if !rest.is_empty() {
            self.queue(rest, because, true);
        }
        true
    }

    /// Retention goes by the timestamp alone, so the lines dropped are the oldest ones.
    fn expire_oldest(&mut self, mut part: Part, dropped: usize, because: usize) {
        let lines = self.lines;
        part.lines.sort_by_key(|&index| timestamp_of(lines.line(index)));
        let rest = part.lines.split_off(dropped);
        self.mark(&part.lines, Fate::Expired);
        self.queue(rest, because, true);
    }

    fn by_measurement(&mut self, part: Part, because: usize) {
        let lines = self.lines;
        let mut order: Vec<Vec<usize>> = Vec::new();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for &index in &part.lines {
            let place = *places.entry(measurement_of(lines.line(index))).or_insert(order.len());
            match order.get_mut(place) {
                Some(known) => known.push(index),
                None => order.push(vec![index]),
            }
        }
        if order.len() == 1 {
            return self.halve(part, because, true);
        }
        for lines in order {
            self.queue(lines, because, true);
        }
    }

    fn halve(&mut self, mut part: Part, because: usize, counts: bool) {
        let second = part.lines.split_off(part.lines.len() / 2);
        self.queue(part.lines, because, counts);
        self.queue(second, because, counts);
    }

    fn queue(&mut self, lines: Vec<usize>, because: usize, counts: bool) {
        self.parts.push_back(Part { lines, because: Some(because), counts });
    }

    fn mark(&mut self, lines: &[usize], fate: Fate) {
        for &index in lines {
            if let Some(known) = self.fates.get_mut(index) {
                *known = fate;
            }
        }
    }

    fn reason(&mut self, status: u16, words: String) -> usize {
        let reason = Reason { status, words };
        if let Some(known) = self.reasons.iter().position(|known| *known == reason) {
            return known;
        }
        self.reasons.push(reason);
        self.reasons.len() - 1
    }

    /// What became of a line.
    pub(crate) fn fate(&self, line: usize) -> Fate {
        self.fates.get(line).copied().unwrap_or(Fate::Open)
    }

    /// Why a line is refused or given up.
    pub(crate) fn why(&self, line: usize) -> Option<&Reason> {
        match self.fate(line) {
            Fate::Refused(reason) | Fate::GivenUp(reason) => self.reasons.get(reason),
            Fate::Open | Fate::Stored | Fate::Expired => None,
        }
    }

    /// How many of these lines have a fate.
    pub(crate) fn count(&self, lines: Range<usize>, fate: Fate) -> u64 {
        let (skipped, taken) = (lines.start, lines.len());
        self.fates.iter().skip(skipped).take(taken).filter(|known| **known == fate).count() as u64
    }
}

#[cfg(test)]
mod tests;
