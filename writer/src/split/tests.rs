use std::collections::BTreeSet;

use proptest::prelude::*;
use shared::timestamp::Timestamp;

use super::*;
use crate::line_protocol::EncodedTags;
use crate::point::{FieldValue, Point};

/// More lines than any test has.
const ALL: Range<usize> = 0..1_000_000;

/// Lines of the measurements given; each has its index as timestamp.
fn lines(measurements: &[usize]) -> Lines {
    let mut lines = Lines::default();
    let tags = EncodedTags::default();
    for (index, measurement) in measurements.iter().enumerate() {
        let name = format!("m{measurement}");
        let time = Timestamp::from_nanos(i64::try_from(index).unwrap());
        lines.push(&Point::new(&name, &tags, time).with("f", Some(FieldValue::Bool(true))));
    }
    lines
}

fn indices(body: &[u8]) -> Vec<usize> {
    let text = std::str::from_utf8(body).unwrap();
    text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

fn refusal(dropped: Option<usize>) -> Refusal {
    Refusal { status: 400, reason: "no".to_owned(), dropped, ..Refusal::default() }
}

/// Drives a split against a server that refuses `bad` lines; gives the lines it stored and the
/// number of requests.
fn drive(
    split: &mut Split<'_>,
    lines: &Lines,
    answer: impl Fn(&[usize]) -> Option<Refusal>,
) -> (BTreeSet<usize>, usize) {
    let (mut stored, mut requests) = (BTreeSet::new(), 0);
    while let Some(part) = split.next_part() {
        requests += 1;
        let sent = indices(&part.body(lines));
        match answer(&sent) {
            None => {
                stored.extend(sent);
                split.stored(&part);
            }
            Some(refusal) => split.refused(part, refusal),
        }
    }
    (stored, requests)
}

#[test]
fn a_measurement_in_conflict_costs_one_request_each() {
    let measurements: Vec<usize> = (0..900).map(|index| index % 9).collect();
    let lines = lines(&measurements);
    let mut split = Split::new(&lines);
    // As 1.x does: `dropped` counts the lines in conflict.
    let (stored, requests) = drive(&mut split, &lines, |sent| {
        let conflicts = sent.iter().filter(|&&index| measurements[index] == 4).count();
        (conflicts > 0).then(|| refusal(Some(conflicts)))
    });
    assert_eq!(requests, 10);
    assert_eq!((stored.len(), split.count(ALL, Fate::Refused(0))), (800, 100));
}

#[test]
fn expired_lines_cost_one_request_more() {
    let lines = lines(&[1; 100]);
    let mut split = Split::new(&lines);
    let (stored, requests) = drive(&mut split, &lines, |sent| {
        let expired = sent.iter().filter(|&&index| index < 37).count();
        (expired > 0).then(|| Refusal { expired: true, ..refusal(Some(expired)) })
    });
    assert_eq!((requests, stored.len()), (2, 63));
    assert!((0..100).all(|index| (split.fate(index) == Fate::Expired) == (index < 37)));
}

#[test]
fn named_lines_cost_no_further_request() {
    let lines = lines(&[1, 2, 1, 2]);
    let mut split = Split::new(&lines);
    let part = split.next_part().unwrap();
    let named = |number| LineRefusal { number, reason: "bad".to_owned() };
    let lines = vec![named(2), named(9), named(0)];
    split.refused(part, Refusal { lines, rest_stored: true, ..refusal(None) });
    assert!(split.next_part().is_none());
    assert_eq!(split.fate(0), Fate::Stored);
    assert_eq!(split.why(1).map(|reason| &*reason.words), Some("bad"));
    assert_eq!(split.count(ALL, Fate::Stored), 3);
}

#[test]
fn lines_that_are_not_named_are_sent_again_unless_they_are_stored() {
    let lines = lines(&[1; 10]);
    let mut split = Split::new(&lines);
    let (stored, requests) = drive(&mut split, &lines, |sent| {
        let first = sent.iter().position(|index| [3, 8].contains(index))?;
        let named = LineRefusal { number: first + 1, reason: "bad".to_owned() };
        Some(Refusal { lines: vec![named], ..refusal(None) })
    });
    assert_eq!((requests, stored.len(), split.count(ALL, Fate::Refused(0))), (3, 8, 2));
}

#[test]
fn too_large_halves_down_to_one_line_and_has_no_bound() {
    let lines = lines(&[1; 200]);
    let mut split = Split::new(&lines);
    let mut requests = 0;
    while let Some(part) = split.next_part() {
        requests += 1;
        if part.lines.len() > 1 || part.lines == [77] {
            split.too_large(part, "large".to_owned());
        } else {
            split.stored(&part);
        }
    }
    assert_eq!(requests, 399);
    assert_eq!(split.count(ALL, Fate::Stored), 199);
    assert_eq!(split.why(77).map(|reason| reason.status), Some(413));
}

proptest! {
    #[test]
    fn good_lines_are_stored_and_bad_ones_are_not(
        measurements in prop::collection::vec(0_usize..4, 1..300),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..300),
        few in 0_usize..4,
        partial in any::<bool>(),
    ) {
        let lines = lines(&measurements);
        let bad: BTreeSet<usize> =
            picks.iter().take(if partial { 300 } else { few }).map(|pick| pick.index(lines.len())).collect();
        let mut split = Split::new(&lines);
        let (stored, requests) = drive(&mut split, &lines, |sent| {
            let refused = sent.iter().filter(|index| bad.contains(index)).count();
            // Without partial writes `dropped` is not said.
            (refused > 0).then(|| refusal(partial.then_some(refused)))
        });
        prop_assert!(requests <= MAX_REQUESTS);
        for index in 0..lines.len() {
            match split.fate(index) {
                Fate::Stored => prop_assert!(stored.contains(&index) && !bad.contains(&index)),
                Fate::Refused(_) => prop_assert!(bad.contains(&index)),
                Fate::GivenUp(_) => prop_assert_eq!(requests, MAX_REQUESTS),
                Fate::Open | Fate::Expired => prop_assert!(false, "{index} is not settled"),
            }
        }
    }
}
