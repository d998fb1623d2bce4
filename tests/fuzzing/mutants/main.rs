//! The kept corpus, and mutants of it, through every check.
//!
//! Each test takes its share of 20 seconds, or of `FOOTMAN_FUZZ_SECONDS`. The seed is printed, and
//! `FOOTMAN_SEED` gives it back; what breaks a promise is made smaller and kept as a file.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a panic is how a test fails, and it prints what it found"
)]

mod chance;
mod corpus;
mod found;
mod json;
mod made_keys;
mod mutant;
mod text;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fuzzing::{CHECKS, Check};

use crate::chance::Chance;
use crate::mutant::mutant;

/// The time of all targets together.
const SECONDS: u64 = 20;

macro_rules! targets {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            run(stringify!($name), fuzzing::$name);
        }
    )*

        #[test]
        fn every_check_is_run_here() {
            let here = [$(stringify!($name)),*];
            assert_eq!(CHECKS.map(|(name, _)| name), here);
        }
    };
}

targets! {
    health, sessions, app_names, discovery, envelope, line_protocol, influxdb, letters, schedule,
    configuration, subjects, keys,
}

fn run(name: &str, check: Check) {
    let kept = corpus::kept(name);
    assert!(!kept.is_empty(), "there is no corpus of {name}");
    for (file, bytes) in &kept {
        found::look(name, file, check, bytes);
    }
    let seed = number("FOOTMAN_SEED").unwrap_or_else(clock);
    let targets = u32::try_from(CHECKS.len()).unwrap();
    let share = Duration::from_secs(number("FOOTMAN_FUZZ_SECONDS").unwrap_or(SECONDS)) / targets;
    let corpus: Vec<&[u8]> = kept.iter().map(|(_, bytes)| &**bytes).collect();
    let mut chance = Chance::new(seed);
    let (began, mut mutants) = (Instant::now(), 0_u64);
    println!("{name}: FOOTMAN_SEED={seed}");
    while began.elapsed() < share {
        mutants += 1;
        let bytes = mutant(name, &corpus, &mut chance);
        found::look(name, &format!("mutant {mutants} of FOOTMAN_SEED={seed}"), check, &bytes);
    }
    println!("{name}: {} kept, {mutants} mutants in {share:?}", kept.len());
}

#[expect(clippy::disallowed_methods, reason = "variables of the tests alone")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() << 20 ^ u64::from(now.subsec_nanos())
}
