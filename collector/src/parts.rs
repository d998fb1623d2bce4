//! Cutting a long list into the parts of one poll.
//!
//! A part has a largest number of items and a largest size; sizes are counted as `serde_json`
//! writes them, so that no part is encoded twice.

/// The bounds of parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Items in a part.
    pub(crate) items: usize,
    /// Bytes of the items of the first part.
    pub(crate) first_bytes: usize,
    /// Bytes of the items of every other part.
    pub(crate) bytes: usize,
}

/// Cuts `items` in order; at least one part, and none when an item is too large for any.
pub(crate) fn split<T>(
    items: Vec<T>,
    bounds: Bounds,
    size: impl Fn(&T) -> usize,
) -> Option<Vec<Vec<T>>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut room = bounds.first_bytes;
    for item in items {
        // With the comma behind it.
        let needed = size(&item) + 1;
        if needed > room || part.len() >= bounds.items {
            if needed > bounds.bytes {
                return None;
            }
            parts.push(std::mem::take(&mut part));
            room = bounds.bytes;
        }
        room -= needed;
        part.push(item);
    }
    parts.push(part);
    Some(parts)
}

/// The length of a text as a JSON string, quotes included.
pub(crate) fn json_length(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cut_by_number_and_by_size() {
        let bounds = Bounds { items: 3, first_bytes: 100, bytes: 100 };
        let parts = split((1..=7).collect(), bounds, |_| 1).unwrap();
        assert_eq!(parts, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
        let bounds = Bounds { items: 3, first_bytes: 10, bytes: 22 };
        let parts = split(vec![10, 10, 10], bounds, |size| *size).unwrap();
        assert_eq!(parts, [vec![], vec![10, 10], vec![10]]);
        assert_eq!(split(Vec::<usize>::new(), bounds, |size| *size).unwrap().len(), 1);
        assert_eq!(split(vec![1, 22], bounds, |size| *size), None);
    }

    proptest! {
        #[test]
        fn lengths_are_those_of_serde_json(text in any::<String>()) {
            prop_assert_eq!(json_length(&text), serde_json::to_string(&text).unwrap().len());
        }

        #[test]
        fn nothing_is_lost_and_bounds_are_kept(
            sizes in proptest::collection::vec(0..50_usize, 0..60),
            items in 1..9_usize,
            first in 0..60_usize,
        ) {
            let bounds = Bounds { items, first_bytes: first, bytes: 60 };
            let parts = split(sizes.clone(), bounds, |size| *size).unwrap();
            prop_assert_eq!(parts.concat(), sizes);
            for (number, part) in parts.iter().enumerate() {
                let room = if number == 0 { first } else { 60 };
                prop_assert!(part.len() <= items);
                prop_assert!(part.iter().map(|size| size + 1).sum::<usize>() <= room);
            }
        }
    }
}
