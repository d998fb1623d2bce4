//! From the corpus of a target to something that is nearly like it.

use crate::chance::Chance;
use crate::{json, text};

/// What mutants are made of: values around which programs stumble.
const STUMBLES: [&[u8]; 20] = [
    b"\\",
    b"\"",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b",",
    b"=",
    b"#",
    b"_",
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    "\u{1f980}".as_bytes(),
    b"\\\\",
    b"%",
    b"~x",
    b"time",
];
const LONG: usize = 70_000;

/// One mutant.
pub(crate) fn mutant(target: &str, corpus: &[&[u8]], chance: &mut Chance) -> Vec<u8> {
    let kept = *chance.of(corpus);
    let mut mutant = match target {
        "health" | "sessions" | "app_names" | "discovery" | "envelope" | "letters" => {
            json::mutant(kept, chance)
        }
        "schedule" | "configuration" => text::mutant(target, corpus, chance),
        _ => kept.to_vec(),
    };
    // Bytes are mutated where nothing else is, and now and then everywhere.
    if mutant == kept || chance.once_in(4) {
        for _ in 0..=chance.below(4) {
            bytes(&mut mutant, corpus, chance);
        }
    }
    mutant
}

fn bytes(mutant: &mut Vec<u8>, corpus: &[&[u8]], chance: &mut Chance) {
    let at = chance.below(mutant.len() + 1);
    match chance.below(9) {
        0 => {
            if let Some(byte) = mutant.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => {
            if let Some(byte) = mutant.get_mut(at) {
                *byte = chance.next().to_le_bytes()[0];
            }
        }
        2 => drop(mutant.drain(chance.range(mutant.len()))),
        3 => mutant.truncate(at),
        4 => {
            let range = chance.range(mutant.len());
            let copy = mutant[range].to_vec();
            mutant.splice(at..at, copy);
        }
        5 => {
            let other = *chance.of(corpus);
            let copy = other[chance.range(other.len())].to_vec();
            mutant.splice(at..at, copy);
        }
        6 if chance.once_in(20) => {
            let filling = *chance.of(&STUMBLES);
            mutant.splice(at..at, filling.repeat(LONG / filling.len()));
        }
        _ => {
            let stumble = *chance.of(&STUMBLES);
            mutant.splice(at..at, stumble.iter().copied());
        }
    }
}
