//! Mutants of texts: words and lines that are missing, twice, elsewhere, or another's.

use crate::chance::Chance;

const SCHEDULE: [&str; 44] = [
    "every",
    "at",
    "after",
    "before",
    "on",
    "the",
    "of",
    "in",
    "and",
    ",",
    "also",
    "except",
    "starting",
    "start",
    "between",
    "through",
    "-",
    "first",
    "last",
    "weekend",
    "weekday",
    "second",
    "minutes",
    "hour",
    "day",
    "days",
    "week",
    "month",
    "year",
    "day of the week",
    "day of the year",
    "day instance",
    "week of the month",
    "mon",
    "sat",
    "feb",
    "june",
    "0",
    "31st",
    "53",
    "2147483647",
    "99999999999",
    "8:15 pm",
    "24:00",
];
const YAML: [&str; 24] = [
    "null",
    "~",
    "true",
    "\"\"",
    "''",
    "[]",
    "{}",
    "- ",
    "-1",
    "1e400",
    ".inf",
    ".nan",
    "0x10",
    "00123",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "|",
    "99999999999999999999",
    "30s",
    "7d",
    "1GiB",
    "http://user:pass@[::1",
];

/// A mutant of one of the kept texts.
pub(crate) fn mutant(target: &str, corpus: &[&[u8]], chance: &mut Chance) -> Vec<u8> {
    let (kept, other): (&&[u8], &&[u8]) = (chance.of(corpus), chance.of(corpus));
    let (kept, other) = (String::from_utf8_lossy(kept), String::from_utf8_lossy(other));
    if target == "schedule" {
        let words = pieces(&kept, &other, ' ', &SCHEDULE, chance);
        words.join(" ").into_bytes()
    } else {
        let lines = pieces(&kept, &other, '\n', &[], chance);
        let lines: Vec<String> = lines.iter().map(|line| value(line, chance)).collect();
        lines.join("\n").into_bytes()
    }
}

fn pieces(
    kept: &str,
    other: &str,
    separator: char,
    more: &[&str],
    chance: &mut Chance,
) -> Vec<String> {
    let mut pieces: Vec<String> = kept.split(separator).map(str::to_owned).collect();
    let others: Vec<&str> = other.split(separator).collect();
    for _ in 0..=chance.below(4) {
        let at = chance.below(pieces.len());
        match chance.below(6) {
            0 if pieces.len() > 1 => drop(pieces.remove(at)),
            1 => pieces.insert(at, (*chance.of(&others)).to_owned()),
            2 => {
                let copies: Vec<String> = others[chance.range(others.len())]
                    .iter()
                    .map(|&piece| piece.to_owned())
                    .collect();
                pieces.splice(at..at, copies);
            }
            3 => {
                let with = chance.below(pieces.len());
                pieces.swap(at, with);
            }
            _ if more.is_empty() => {}
            4 => pieces.insert(at, (*chance.of(more)).to_owned()),
            _ => (*chance.of(more)).clone_into(&mut pieces[at]),
        }
    }
    pieces
}

/// A line, now and then with another value, depth or key.
fn value(line: &str, chance: &mut Chance) -> String {
    if !chance.once_in(12) {
        return line.to_owned();
    }
    match (line.split_once(": "), chance.below(4)) {
        (Some((key, _)), 0 | 1) => format!("{key}: {}", chance.of(&YAML)),
        (Some((key, value)), 2) => format!("{key}x: {value}"),
        _ => format!("  {line}"),
    }
}
