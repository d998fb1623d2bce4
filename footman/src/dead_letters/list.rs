//! `footman dead-letters list`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use shared::broker::LetterHeader;
use shared::timestamp::Timestamp;

use super::places::{Found, Place, Places};
use super::text::{count, short_reason, size, table};
use super::{print, remark};
use crate::terminal::columns;

/// A letter as a line of JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(flatten)]
    header: LetterHeader,
    refused_by: &'static str,
}

/// Prints one line for each letter.
pub(super) async fn list(places: &Places, json: bool) -> anyhow::Result<ExitCode> {
    let found = places.headers().await?;
    if json {
        for found in found {
            print(&json_line(found)?);
        }
    } else {
        let width = columns();
        if !found.is_empty() {
            print(&table(&found, Timestamp::now(), width));
        }
        print(&summary(&found, places.limit_bytes));
    }
    if let Some(text) = &places.remark {
        remark(text);
    }
    Ok(ExitCode::SUCCESS)
}

fn json_line(found: Found) -> anyhow::Result<String> {
    let reason = short_reason(&Found { place: Place::Group, ..found.clone() });
    let refused_by = match found.place {
        Place::Group => "writer",
        Place::Outbox => "broker",
    };
    let line = Line { header: LetterHeader { reason, ..found.header }, refused_by };
    serde_json::to_string(&line).context("a dead letter cannot be written as JSON")
}

/// How many there are, how much of their room they take, and what can be done.
fn summary(found: &[Found], limit_bytes: u64) -> String {
    if found.is_empty() {
        return "There are no dead letters.".to_owned();
    }
    let at = |place| found.iter().filter(move |found| found.place == place);
    let bytes = |place| at(place).map(|found| found.header.bytes).sum::<u64>();
    let mut text = format!(
        "{}, {} of {} (broker.deadLetters.maxBytes).",
        count(at(Place::Group).count(), "dead letter", "dead letters"),
        size(bytes(Place::Group)),
        size(limit_bytes),
    );
    let refused = at(Place::Outbox).count();
    if refused > 0 {
        let words = "that the broker refused";
        text = format!(
            "{text} {} {words}, {}.",
            count(refused, "more", "more"),
            size(bytes(Place::Outbox))
        );
    }
    text.push_str(
        "\n`footman dead-letters show ID` shows one whole; `replay` has it stored once the cause is \
         mended; `delete` gives it up.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::select::tests::found;

    #[test]
    fn lines_for_machines_name_no_user() {
        let letter = found("01JA", "unable to parse 'users,user=jane'");
        let line = json_line(Found { place: Place::Outbox, ..letter }).unwrap();
        assert_eq!(
            line,
            r#"{"eventId":"01JA","subject":"qliksense/v1/health/sense1%2Ecorp","reason":"unable to parse a line","httpStatus":400,"firstTime":"1970-01-01T00:00:00.000000000Z","lastTime":"1970-01-01T00:00:00.000000000Z","count":1,"bytes":2048,"refusedBy":"broker"}"#
        );
    }

    #[test]
    fn the_summary_counts_both_places() {
        let mut letters = vec![found("01JA", "full"), found("01JB", "full")];
        assert!(summary(&letters, 1 << 20).starts_with("2 dead letters, 4 KiB of 1 MiB ("));
        letters[1].place = Place::Outbox;
        let text = summary(&letters, 1 << 20);
        assert!(text.starts_with("1 dead letter, 2 KiB of 1 MiB"), "{text}");
        assert!(text.contains("1 more that the broker refused, 2 KiB."), "{text}");
        assert_eq!(summary(&[], 1), "There are no dead letters.");
    }
}
