//! Dead letters as people read them: the table, sizes and ages, JSON with line breaks. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use shared::subject::Subject;
use shared::timestamp::Timestamp;
use writer::reason;

use super::places::{Found, Place};
use crate::terminal;
pub(super) use crate::terminal::printable;

/// With less room beside the other columns, a reason has a line of its own.
const LEAST_REASON: usize = 40;
/// The longest name in the table.
const LONGEST_NAME: usize = 32;
/// Levels that are indented: what is nested deeper was not made to be read.
const DEEPEST: usize = 32;
const TITLES: [&str; 7] = ["EVENT", "KIND", "ABOUT", "FIRST", "LAST", "COUNT", "STATUS"];

/// The reason as others may read it, on one line; the whole of it is for `show`.
pub(super) fn short_reason(found: &Found) -> String {
    let reason = printable(&reason::for_log(&found.header.reason));
    match found.place {
        Place::Group => reason,
        Place::Outbox => format!("refused by the broker: {reason}"),
    }
}

/// The table: one line for each letter, at most `width` wide where that is known.
pub(super) fn table(found: &[Found], now: Timestamp, width: Option<usize>) -> String {
    let rows: Vec<[String; 7]> = found.iter().map(|found| cells(found, now)).collect();
    let mut widths = TITLES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let used: usize = widths.iter().map(|width| width + 2).sum();
    let room = width.map(|width| width.saturating_sub(used));
    let is_beside = room.is_none_or(|room| room >= LEAST_REASON);
    let mut text = String::new();
    let titles = TITLES.map(str::to_owned);
    line(&mut text, &titles, &widths, if is_beside { "REASON" } else { "" });
    for (row, found) in rows.iter().zip(found) {
        let reason = short_reason(found);
        if is_beside {
            line(&mut text, row, &widths, &cut(&reason, room));
        } else {
            line(&mut text, row, &widths, "");
            let room = width.map(|width| width.saturating_sub(2));
            let _written = writeln!(text, "  {}", cut(&reason, room));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(text: &mut String, cells: &[String; 7], widths: &[usize; 7], last: &str) {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let _written = write!(line, "{cell:width$}  ");
    }
    line.push_str(last);
    text.push_str(line.trim_end());
    text.push('\n');
}

fn cells(found: &Found, now: Timestamp) -> [String; 7] {
    let header = &found.header;
    let (kind, about) = kind_and_about(&header.subject);
    [
        printable(&header.event_id),
        kind,
        cut(&about, Some(LONGEST_NAME)),
        age(now.since(header.first_time)),
        age(now.since(header.last_time)),
        header.count.to_string(),
        header.http_status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
    ]
}

/// What an event is and about whom; an unknown subject as it is.
pub(super) fn kind_and_about(subject: &str) -> (String, String) {
    let subject = Subject::from_neutral(subject.to_owned());
    match subject.for_people() {
        Some((kind, about)) => (printable(kind), printable(&about)),
        None => ("?".to_owned(), printable(subject.as_topic())),
    }
}

/// A text in at most so many characters.
fn cut(text: &str, room: Option<usize>) -> String {
    room.map_or_else(|| text.to_owned(), |room| terminal::cut(text, room))
}

/// How long ago something was, in its largest unit.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A number of bytes, with one decimal where that says more.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

/// A number of things, in words.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// JSON with line breaks and indents, and nothing else changed: no number, no order.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            if character.is_control() {
                // Writing to a String cannot fail.
                let _written = write!(text, "\\u{:04x}", u32::from(character));
            } else {
                text.push(character);
            }
            continue;
        }
        match character {
            '{' | '[' => {
                text.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            other if other.is_ascii_whitespace() => {}
            other => {
                in_string = other == '"';
                text.push(other);
            }
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth.min(DEEPEST) {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::select::tests::found;

    const CONFLICT: &str = "partial write: field type conflict: input field \"total\" is string";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_table_for_wide_terminals() {
        let mut refused = found("01JB", "its packet has 9 bytes");
        refused.place = Place::Outbox;
        refused.header.http_status = None;
        refused.header.last_time = at(7_000);
        let table = table(&[found("01JA", CONFLICT), refused], at(7_200), Some(120));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "EVENT  KIND    ABOUT        FIRST  LAST  COUNT  STATUS  REASON",
                "01JA   health  sense1.corp  2h     2h    1      400     partial write: field type \
                 conflict: input field \"total\" is stri…",
                "01JB   health  sense1.corp  2h     3m    1      -       refused by the broker: its \
                 packet has 9 bytes",
            ]
        );
        assert_eq!(lines[1].chars().count(), 120);
    }

    #[test]
    fn a_table_for_narrow_ones_and_for_files() {
        let letters = [found("01JA", CONFLICT)];
        let narrow = table(&letters, at(5), Some(60));
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        assert!(narrow.lines().nth(2).unwrap().starts_with("  partial write: field"), "{narrow}");
        let file = table(&letters, at(5), None);
        assert!(file.ends_with("is string"), "{file}");
    }

    #[test]
    fn no_user_and_nothing_that_a_terminal_obeys() {
        let table =
            table(&[found("\u{1b}[2J", "unable to parse 'users,user=jane'")], at(0), Some(200));
        assert!(!table.contains("jane") && !table.contains('\u{1b}'), "{table}");
    }

    #[test]
    fn ages_and_sizes() {
        let ages = [0, 59, 60, 3_599, 7_200, 172_799, 172_800].map(Duration::from_secs).map(age);
        assert_eq!(ages, ["0s", "59s", "1m", "59m", "2h", "47h", "2d"]);
        assert_eq!([0, 1_023, 1_536, 256 << 20].map(size), ["0 B", "1023 B", "1.5 KiB", "256 MiB"]);
    }

    #[test]
    fn json_is_indented_and_not_changed() {
        let json = r#"{"z":  1.0,"a":[{}, [],  "x, {\"y\": [\\"],"n":12345678901234567890}"#;
        let text = indented(json);
        assert_eq!(
            text,
            "{\n  \"z\": 1.0,\n  \"a\": [\n    {},\n    [],\n    \"x, {\\\"y\\\": [\\\\\"\n  ],\n  \
             \"n\": 12345678901234567890\n}"
        );
        assert_eq!(indented("[\n\"\u{9b}\"\n]"), "[\n  \"\\u009b\"\n]");
        assert!(indented(&"[".repeat(100_000)).len() < 10_000_000);
    }
}
