//! The part of the repository's filter language that a monitor uses on apps.

use std::time::Duration;

use jiff::Timestamp;

use crate::world::App;

/// A filter: conditions joined by `or`, of which one must hold.
#[derive(Debug, PartialEq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq)]
enum Condition {
    Id(String),
    Name(String),
    ModifiedAfter(Duration),
}

impl Filter {
    /// Reads a filter; `None` is one that is not understood, which the repository answers with 400.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split(" or ").map(|part| condition(part.trim())).collect::<Option<_>>().map(Self)
    }

    pub(super) fn matches(&self, app: &App) -> bool {
        self.0.iter().any(|condition| match condition {
            Condition::Id(id) => app.id.eq_ignore_ascii_case(id),
            Condition::Name(name) => app.name == *name,
            Condition::ModifiedAfter(time) => app.modified > *time,
        })
    }
}

fn condition(text: &str) -> Option<Condition> {
    let mut words = text.splitn(3, ' ');
    let (member, operator, value) = (words.next()?, words.next()?, words.next()?);
    let quoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    match (member.to_ascii_lowercase().as_str(), operator) {
        // Ids are written with and without quotes in the wild.
        ("id", "eq") => Some(Condition::Id(quoted.unwrap_or(value).to_owned())),
        ("name", "eq") => Some(Condition::Name(quoted?.replace("''", "'"))),
        ("modifieddate", "gt") => {
            let time: Timestamp = quoted?.parse().ok()?;
            let millisecond = u64::try_from(time.as_millisecond()).ok()?;
            Some(Condition::ModifiedAfter(Duration::from_millis(millisecond)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        let ids = Filter::parse("id eq a1 or id eq 'b2'").unwrap();
        assert_eq!(ids, Filter(vec![Condition::Id("a1".into()), Condition::Id("b2".into())]));
        let since = Filter::parse("modifiedDate gt '1970-01-01T00:00:01.000Z'").unwrap();
        assert_eq!(since, Filter(vec![Condition::ModifiedAfter(Duration::from_secs(1))]));
        assert_eq!(Filter::parse("id is a1"), None);
        assert_eq!(Filter::parse("name eq unquoted"), None);
    }
}
