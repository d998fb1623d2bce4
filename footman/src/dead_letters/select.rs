//! Which of the letters are meant: by id, by the beginning of an id, or all with a reason.

use thiserror::Error;

use super::Which;
use super::places::Found;

/// Ids that are named when a beginning fits several.
const NAMED: usize = 5;

/// Why it is not clear which letter is meant.
#[derive(Debug, Error)]
pub(super) enum SelectError {
    #[error("there is no dead letter {id}: `footman dead-letters list` shows those there are")]
    None { id: String },
    #[error("{id} is the beginning of several ids: {}", ids.join(", "))]
    Several { id: String, ids: Vec<String> },
}

/// The letters that are meant, in their order, each once.
pub(super) fn chosen(mut found: Vec<Found>, which: &Which) -> Result<Vec<Found>, SelectError> {
    if which.all {
        if let Some(text) = &which.reason {
            let text = text.to_lowercase();
            found.retain(|found| found.header.reason.to_lowercase().contains(&text));
        }
        return Ok(found);
    }
    let mut places = std::collections::BTreeSet::new();
    for id in &which.ids {
        places.insert(place_of(&found, id)?);
    }
    let with_places = found.into_iter().enumerate();
    Ok(with_places.filter(|(place, _)| places.contains(place)).map(|(_, found)| found).collect())
}

/// The one letter with this id or beginning of an id.
pub(super) fn one(mut found: Vec<Found>, id: &str) -> Result<Found, SelectError> {
    let place = place_of(&found, id)?;
    Ok(found.swap_remove(place))
}

fn place_of(found: &[Found], id: &str) -> Result<usize, SelectError> {
    let ids = || found.iter().map(|found| found.header.event_id.as_str()).enumerate();
    if let Some((place, _)) = ids().find(|(_, known)| *known == id) {
        return Ok(place);
    }
    // ULIDs are the same in both cases.
    let begins = |known: &str| {
        known.get(..id.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(id))
    };
    let fitting: Vec<(usize, &str)> = ids().filter(|(_, known)| begins(known)).collect();
    match &fitting[..] {
        [(place, _)] => Ok(*place),
        [] => Err(SelectError::None { id: id.to_owned() }),
        several => {
            let mut ids: Vec<String> =
                several.iter().take(NAMED).map(|(_, known)| (*known).to_owned()).collect();
            if several.len() > NAMED {
                ids.push(format!("and {} more", several.len() - NAMED));
            }
            Err(SelectError::Several { id: id.to_owned(), ids })
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use shared::broker::LetterHeader;
    use shared::timestamp::Timestamp;

    use super::*;
    use crate::dead_letters::places::Place;

    pub(in crate::dead_letters) fn found(event_id: &str, reason: &str) -> Found {
        let time = Timestamp::from_nanos(0);
        let header = LetterHeader {
            event_id: event_id.to_owned(),
            subject: "qliksense/v1/health/sense1%2Ecorp".to_owned(),
            reason: reason.to_owned(),
            http_status: Some(400),
            first_time: time,
            last_time: time,
            count: 1,
            bytes: 2_048,
        };
        Found { place: Place::Group, header }
    }

    fn three() -> Vec<Found> {
        vec![found("01JA", "Field type conflict"), found("01JB", "conflict"), found("01J", "full")]
    }

    fn ids(which: &Which) -> Vec<String> {
        chosen(three(), which).unwrap().into_iter().map(|found| found.header.event_id).collect()
    }

    fn these(ids: &[&str]) -> Which {
        Which { ids: ids.iter().map(|&id| id.to_owned()).collect(), all: false, reason: None }
    }

    #[test]
    fn by_id_or_its_unique_beginning() {
        assert_eq!(ids(&these(&["01jb", "01JA", "01JB"])), ["01JA", "01JB"]);
        assert_eq!(ids(&these(&["01J"])), ["01J"], "a whole id is no beginning");
        let error = chosen(three(), &these(&["01"])).unwrap_err();
        assert!(error.to_string().contains("01JA, 01JB, 01J"), "{error}");
        let error = chosen(three(), &these(&["01JA", "02"])).unwrap_err();
        assert!(matches!(&error, SelectError::None { id } if id == "02"), "{error}");
        assert!(one(three(), "01J").is_ok() && one(three(), "é").is_err());
    }

    #[test]
    fn all_or_those_with_a_reason() {
        let all = |reason: Option<&str>| {
            ids(&Which { ids: vec![], all: true, reason: reason.map(str::to_owned) })
        };
        assert_eq!(all(None).len(), 3);
        assert_eq!(all(Some("CONFLICT")), ["01JA", "01JB"]);
        assert_eq!(all(Some("timeout")), Vec::<String>::new());
    }
}
