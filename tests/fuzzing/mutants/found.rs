//! What breaks a promise: made smaller, kept as a file, and shown.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fuzzing::Check;

/// So often a smaller input is looked for.
const MOST_TRIES: usize = 2_000;
/// So much of an input is shown.
const SHOWN: usize = 2_000;

/// Runs a check; a panic of it is told with the input.
pub(crate) fn look(target: &str, from: &str, check: Check, bytes: &[u8]) {
    if holds(check, bytes) {
        return;
    }
    let smaller = smaller(check, bytes);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("found-by-{target}"));
    std::fs::write(&file, &smaller).unwrap();
    println!("{target} breaks with {from}; the smallest of it is in {}:", file.display());
    println!("{}", smaller[..smaller.len().min(SHOWN)].escape_ascii());
    check(&smaller);
    panic!("{target} breaks with {from}, but not always");
}

fn holds(check: Check, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| check(bytes))).is_ok()
}

/// The same without what does not matter.
fn smaller(check: Check, bytes: &[u8]) -> Vec<u8> {
    std::panic::set_hook(Box::new(|_| {}));
    let mut smallest = bytes.to_vec();
    let (mut length, mut tries) = (smallest.len() / 2, 0);
    while length > 0 && tries < MOST_TRIES {
        let mut start = 0;
        while start < smallest.len() && tries < MOST_TRIES {
            tries += 1;
            let end = (start + length).min(smallest.len());
            let candidate = [&smallest[..start], &smallest[end..]].concat();
            if holds(check, &candidate) {
                start = end;
            } else {
                smallest = candidate;
            }
        }
        length /= 2;
    }
    let _quiet = std::panic::take_hook();
    smallest
}
