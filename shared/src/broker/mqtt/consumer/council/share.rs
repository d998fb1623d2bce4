//! Who is due how many slots, and who takes which free one: the same answer for everybody who knows
//! the same.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many slots each living member owns, by name.
pub(super) type Owned<'a> = BTreeMap<&'a str, usize>;

/// How many slots each member is due: as many as every other, or one more. Who owns most gets the
/// one more, so that nobody gives away a slot only to even out a rest.
pub(super) fn quotas<'a>(owned: &Owned<'a>, slots: usize) -> BTreeMap<&'a str, usize> {
    let members = owned.len().max(1);
    let (each, rest) = (slots / members, slots % members);
    let mut by_wealth: Vec<(&str, usize)> =
        owned.iter().map(|(&name, &count)| (name, count)).collect();
    by_wealth.sort_by_key(|&(name, count)| (Reverse(count), name));
    let place = by_wealth.into_iter().enumerate();
    place.map(|(place, (name, _))| (name, each + usize::from(place < rest))).collect()
}

/// Who takes each of the free slots: in order of their names, members that own less than they are
/// due.
pub(super) fn takers<'a>(
    owned: &Owned<'a>,
    quotas: &BTreeMap<&'a str, usize>,
    free: &[u16],
) -> BTreeMap<u16, &'a str> {
    let wants = quotas.iter().flat_map(|(&name, &quota)| {
        let has = owned.get(name).copied().unwrap_or_default();
        std::iter::repeat_n(name, quota.saturating_sub(has))
    });
    free.iter().copied().zip(wants).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned<'a>(counts: &[(&'a str, usize)]) -> Owned<'a> {
        counts.iter().copied().collect()
    }

    #[test]
    fn everybody_is_due_the_same_or_one_more() {
        for slots in 0..12 {
            for counts in [&[("a", 0)][..], &[("a", 4), ("b", 0)], &[("a", 0), ("b", 3), ("c", 1)]]
            {
                let quotas = quotas(&owned(counts), slots);
                assert_eq!(quotas.values().sum::<usize>(), slots);
                let least = quotas.values().min().unwrap();
                assert!(quotas.values().all(|quota| quota - least <= 1));
            }
        }
    }

    #[test]
    fn the_rest_stays_where_it_is() {
        let quotas = quotas(&owned(&[("a", 1), ("b", 2), ("c", 1)]), 4);
        assert_eq!(quotas, BTreeMap::from([("a", 1), ("b", 2), ("c", 1)]));
    }

    #[test]
    fn free_slots_go_to_those_who_are_due_some() {
        let owned = owned(&[("a", 2), ("b", 0), ("c", 0)]);
        let quotas = quotas(&owned, 4);
        assert_eq!(takers(&owned, &quotas, &[1, 3]), BTreeMap::from([(1, "b"), (3, "c")]));
        // While the first still owns too much, there is less to take than the others are due.
        assert_eq!(takers(&owned, &quotas, &[3]), BTreeMap::from([(3, "b")]));
    }

    #[test]
    fn more_members_than_slots_leave_some_idle() {
        let owned = owned(&[("a", 0), ("b", 1), ("c", 1)]);
        let quotas = quotas(&owned, 2);
        assert_eq!(quotas, BTreeMap::from([("a", 0), ("b", 1), ("c", 1)]));
        assert!(takers(&owned, &quotas, &[]).is_empty());
    }
}
