//! The apps that the repository has told of: names for health events, and what changed.
//!
//! Names are replaced whole after a complete answer and kept when a poll fails. What changed is
//! told against them; after an extraction that could not be recorded everything is told again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use shared::event::{AppChange, Change};
use tokio::time::Instant;

use crate::sources::ListedApp;

/// Time between two full lists: subscribers that missed changes are right again after it.
const FULL_LIST_EVERY: Duration = Duration::from_hours(24);
/// Beginning of the ids of session apps, which have no name.
const SESSION_APP: &str = "SessionApp";

/// Names by app id, at one moment.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    by_id: HashMap<String, String>,
}

impl KnownNames {
    #[cfg(test)]
    pub(crate) fn of<const N: usize>(names: [(&str, &str); N]) -> Self {
        let by_id = names.into_iter().map(|(id, name)| (id.to_owned(), name.to_owned())).collect();
        Self { by_id }
    }

    /// The name of an app that has one.
    pub(crate) fn name_of(&self, id: &str) -> Option<&str> {
        if id.starts_with(SESSION_APP) {
            return None;
        }
        self.by_id.get(id).map(String::as_str)
    }
}

/// The store: written by the poll of app names, read by every health poll.
#[derive(Debug, Default)]
pub(crate) struct AppStore {
    names: RwLock<Arc<KnownNames>>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// Whether there was an extraction.
    any: bool,
    /// The last full list that was recorded.
    full: Option<Instant>,
}

/// What one extraction tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extraction {
    pub(crate) full: bool,
    pub(crate) apps: Vec<AppChange>,
}

impl AppStore {
    /// The names known now.
    pub(crate) fn names(&self) -> Arc<KnownNames> {
        Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a complete list, and gives what is to be told of it at `now`.
    pub(crate) fn extract(&self, listed: Vec<ListedApp>, now: Instant) -> Extraction {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.names();
        let full = told.full.is_none_or(|last| now.duration_since(last) >= FULL_LIST_EVERY);
        let mut by_id = HashMap::with_capacity(listed.len());
        let mut apps = Vec::new();
        for ListedApp { id, name } in listed {
            let change = match known.by_id.get(&id) {
                _ if !told.any => None,
                None => Some(Change::New),
                Some(before) if *before != name => Some(Change::Renamed),
                Some(_) => None,
            };
            let first = by_id.insert(id.clone(), name.clone()).is_none();
            if first && (full || change.is_some()) {
                apps.push(AppChange { id, name, change });
            }
        }
        let mut gone: Vec<AppChange> = known
            .by_id
            .iter()
            .filter(|(id, _)| !by_id.contains_key(*id))
            .map(|(id, name)| AppChange {
                id: id.clone(),
                name: name.clone(),
                change: Some(Change::Gone),
            })
            .collect();
        gone.sort_by(|one, other| one.id.cmp(&other.id));
        apps.append(&mut gone);
        told.any = true;
        if full {
            told.full = Some(now);
        }
        *self.names.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(KnownNames { by_id });
        Extraction { full, apps }
    }

    /// Says that the last extraction reached nobody: the next one is a full list.
    pub(crate) fn untold(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).full = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(apps: &[(&str, &str)]) -> Vec<ListedApp> {
        let app = |(id, name): &(&str, &str)| ListedApp {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
        };
        apps.iter().map(app).collect()
    }

    fn change(id: &str, name: &str, change: Option<Change>) -> AppChange {
        AppChange { id: id.to_owned(), name: name.to_owned(), change }
    }

    #[test]
    fn full_first_then_what_changed() {
        let store = AppStore::default();
        let now = Instant::now();
        let first = store.extract(listed(&[("a", "A"), ("b", "B")]), now);
        assert!(first.full);
        assert_eq!(first.apps, [change("a", "A", None), change("b", "B", None)]);

        let same = store.extract(listed(&[("b", "B"), ("a", "A")]), now);
        assert_eq!(same, Extraction { full: false, apps: vec![] });

        let changed = store.extract(listed(&[("a", "A2"), ("c", "C")]), now);
        assert!(!changed.full);
        assert_eq!(
            changed.apps,
            [
                change("a", "A2", Some(Change::Renamed)),
                change("c", "C", Some(Change::New)),
                change("b", "B", Some(Change::Gone)),
            ]
        );
        assert_eq!(store.names().name_of("a"), Some("A2"));
        assert_eq!(store.names().name_of("b"), None);
    }

    #[test]
    fn full_again_after_a_day_and_after_a_loss() {
        let store = AppStore::default();
        let start = Instant::now();
        store.extract(listed(&[("a", "A")]), start);
        let before = start + FULL_LIST_EVERY - Duration::from_secs(1);
        assert!(!store.extract(listed(&[("a", "A")]), before).full);
        let day = store.extract(listed(&[("b", "B")]), start + FULL_LIST_EVERY);
        let expected = [change("b", "B", Some(Change::New)), change("a", "A", Some(Change::Gone))];
        assert_eq!((day.full, day.apps.as_slice()), (true, expected.as_slice()));

        store.untold();
        let again = store.extract(listed(&[("b", "B")]), start + FULL_LIST_EVERY);
        assert_eq!(again, Extraction { full: true, apps: vec![change("b", "B", None)] });
    }

    #[test]
    fn repeated_ids_are_told_once_and_session_apps_have_no_name() {
        let store = AppStore::default();
        let apps = listed(&[("a", "A"), ("a", "A"), ("SessionApp_1", "S")]);
        assert_eq!(store.extract(apps, Instant::now()).apps.len(), 2);
        assert_eq!(store.names().name_of("SessionApp_1"), None);
        assert_eq!(store.names().name_of("SessionAppX"), None);
    }
}
