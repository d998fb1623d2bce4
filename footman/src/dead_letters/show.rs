//! `footman dead-letters show`: the whole letter, which is what it is for.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use shared::broker::DeadLetter;
use shared::timestamp::Timestamp;

use super::places::{Place, Places};
use super::print;
use super::select;
use super::text::{age, count, indented, kind_and_about, printable};

/// Prints one letter.
pub(super) async fn show(places: &Places, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let found = select::one(places.headers().await?, id)?;
    let letter = places.get(&found).await?.context("it was stored or deleted just now")?;
    if json {
        print(&serde_json::to_string(&letter)?);
    } else {
        print(&whole(&letter, found.place, Timestamp::now()));
    }
    Ok(ExitCode::SUCCESS)
}

fn whole(letter: &DeadLetter, place: Place, now: Timestamp) -> String {
    let DeadLetter { first_time, last_time, .. } = letter;
    let (kind, about) = kind_and_about(&letter.subject);
    let times = count(usize::try_from(letter.count).unwrap_or(usize::MAX), "time", "times");
    let refused_by = match place {
        Place::Group => "the writer, for what InfluxDB said or because it cannot be read",
        Place::Outbox => "the broker, which will never take it",
    };
    let status = letter.http_status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    let mut text = format!(
        "Event        {}\nKind         {kind}\nAbout        {about}\nSubject      {}\n\
         Refused by   {refused_by}\nFirst time   {first_time} ({} ago)\nLast time    {last_time} \
         ({} ago), {times} so far\nHTTP status  {status}\nReason       {}\n",
        printable(&letter.event_id),
        printable(&letter.subject),
        age(now.since(*first_time)),
        age(now.since(*last_time)),
        printable(&letter.reason),
    );
    // Writing to a String cannot fail.
    if !letter.lines.is_empty() {
        let _written = writeln!(text, "Refused lines");
        for line in &letter.lines {
            let _written = writeln!(text, "  {}", printable(line));
        }
    }
    match (&letter.event, &letter.event_base64) {
        (Some(event), _) => {
            let _written = write!(text, "Event as it was published\n{}", indented(event.get()));
        }
        (None, Some(base64)) => {
            let _written = write!(text, "Event as it was published, no JSON, in base64\n{base64}");
        }
        (None, None) => text.push_str("The event itself is missing."),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_shown_and_nothing_a_terminal_obeys() {
        let event = br#"{"id":"01JA","data":{"user":"jane"}}"#;
        let subject = "qliksense/v1/health/sense1%2Ecorp".to_owned();
        let letter = DeadLetter {
            lines: vec!["m,user=jane f=\"\u{1b}[2J\" 1".to_owned()],
            http_status: Some(400),
            count: 3,
            ..DeadLetter::new("01JA".to_owned(), subject, event, "conflict".to_owned())
        };
        let now = letter.last_time.plus(std::time::Duration::from_secs(90));
        let text = whole(&letter, Place::Group, now);
        for part in [
            "Event        01JA\n",
            "About        sense1.corp\n",
            "(1m ago), 3 times so far\n",
            "HTTP status  400\nReason       conflict\n",
            "Refused lines\n  m,user=jane f=\"\\u{1b}[2J\" 1\n",
            "    \"user\": \"jane\"\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_is_no_json_is_shown_in_base64() {
        let (id, subject) = ("01JA".to_owned(), "p/v1/x".to_owned());
        let letter = DeadLetter::new(id, subject, b"\xff\xfe", "no JSON".to_owned());
        let text = whole(&letter, Place::Outbox, letter.last_time);
        assert!(text.ends_with("in base64\n//4="), "{text}");
        assert!(text.contains("Refused by   the broker"), "{text}");
    }
}
