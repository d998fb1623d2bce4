//! The three APIs of Qlik Sense: how each is asked, what its answer means, and the events of it.
//!
//! Everything here is pure but for the app store, which health polls read and app names fill.

mod app_names;
pub(crate) mod body;
mod events;
mod health;
pub(crate) mod lenient;
mod pseudonym;
pub(crate) mod request;
mod session_list;
mod sessions;

use std::sync::Arc;

use shared::config::{ExcludedUser, UserIds};
use shared::envelope::Unnumbered;
use shared::event::{AppLists, Event, Poll, Source};
use tokio::time::Instant;

pub(crate) use app_names::ListedApp;
pub(crate) use events::{Observation, TooLarge};
pub use session_list::SessionList;

use crate::app_store::AppStore;
use crate::endpoint::Endpoint;
use crate::http::Failure;
use crate::latest::{Said, SessionTotals};
use crate::outcome::Facts;
use sessions::Privacy;

const MIB: usize = 1024 * 1024;
/// Largest health answer: thousands of documents in each of its lists.
const MAX_HEALTH_BYTES: usize = 4 * MIB;
/// Largest session list: 4,000 sessions with directory groups of 4 KiB each.
const MAX_SESSIONS_BYTES: usize = 16 * MIB;
/// Largest list of apps: 100,000 of some 650 bytes.
const MAX_APP_NAMES_BYTES: usize = 64 * MIB;

/// Largest answer of an API, in bytes.
pub(crate) fn limit(source: Source) -> usize {
    match source {
        Source::Health => MAX_HEALTH_BYTES,
        Source::Sessions => MAX_SESSIONS_BYTES,
        Source::AppNames => MAX_APP_NAMES_BYTES,
    }
}

/// What answers mean, with what the meaning depends on.
#[derive(Debug)]
pub(crate) struct Meaning {
    apps: AppStore,
    privacy: Privacy,
    /// Whether session lists are kept as text.
    keeps_lists: bool,
}

/// What one answer said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What is published.
    pub(crate) content: Content,
    /// What the live view shows of it.
    pub(crate) facts: Facts,
    /// Members that were dropped.
    pub(crate) rejected: u64,
    /// The session list as text, where it is wanted.
    pub(crate) session_list: Option<SessionList>,
}

/// What is published of an answer, before it is cut into parts.
#[derive(Debug)]
pub(crate) enum Content {
    /// An engine's health with the names of its apps.
    Health(Box<events::HealthContent>),
    /// Sessions.
    Sessions(sessions::Published),
    /// Apps.
    AppNames(crate::app_store::Extraction),
}

impl Meaning {
    pub(crate) fn new(excluded: &[ExcludedUser], user_ids: &UserIds) -> Self {
        let privacy = Privacy::new(excluded, user_ids);
        Self { apps: AppStore::default(), privacy, keeps_lists: false }
    }

    /// Keeps session lists as text too, for the predecessor's topics.
    pub(crate) fn keeping_lists(mut self, keeps_lists: bool) -> Self {
        self.keeps_lists = keeps_lists;
        self
    }

    /// The same, with users that may be shown or not.
    pub(crate) fn showing_users(self, shows_users: bool) -> Self {
        Self { privacy: self.privacy.showing_users(shows_users), ..self }
    }

    /// Reads an answer.
    pub(crate) fn decode(&self, source: Source, body: &[u8]) -> Result<Answer, Failure> {
        let unusable = |wrong: body::Unusable| Failure::new(wrong.category, wrong.message);
        match source {
            Source::Health => health::decode(body).map_err(unusable).map(|(health, rejected)| {
                let apps = health::named_apps(&health.apps, &self.apps.names());
                let facts = Facts::Health {
                    cpu_percent: health.cpu.total,
                    sessions: health.session.total,
                    users: health.users.total,
                    apps_in_memory: health.apps.in_memory_docs.len(),
                    saturated: health.saturated,
                };
                let content = Content::Health(Box::new(events::HealthContent { health, apps }));
                Answer { content, facts, rejected: rejected.0, session_list: None }
            }),
            Source::Sessions => sessions::decode(body).map_err(unusable).map(|(all, rejected)| {
                let published = self.privacy.apply(all);
                let facts = Facts::Sessions {
                    sessions: published.session_count,
                    users: published.user_count,
                };
                let session_list =
                    self.keeps_lists.then(|| session_list::list(body, &self.privacy)).flatten();
                let content = Content::Sessions(published);
                Answer { content, facts, rejected: rejected.0, session_list }
            }),
            Source::AppNames => app_names::decode(body).map_err(unusable).map(|(all, rejected)| {
                let apps = all.len();
                let extraction = self.apps.extract(all, Instant::now());
                let facts = Facts::AppNames { apps, changed: changes(&extraction) };
                let content = Content::AppNames(extraction);
                Answer { content, facts, rejected: rejected.0, session_list: None }
            }),
        }
    }

    /// Says that the last answer of an API did not reach the outbox.
    pub(crate) fn unrecorded(&self, source: Source) {
        if source == Source::AppNames {
            self.apps.untold();
        }
    }
}

fn changes(extraction: &crate::app_store::Extraction) -> usize {
    extraction.apps.iter().filter(|app| app.change.is_some()).count()
}

/// The events of an answer, encoded, and what is shown of it.
pub(crate) fn events(
    endpoint: &Endpoint,
    observation: &Observation<'_>,
    poll: &Poll,
    content: Content,
) -> Result<(Vec<Unnumbered>, Option<Said>), TooLarge> {
    match content {
        Content::Health(content) => {
            let event = Event::Health(Box::new(shared::event::Health {
                server: endpoint.server.as_ref().clone(),
                poll: poll.clone(),
                health: content.health,
                apps: content.apps,
            }));
            let encoded = vec![observation.encode(endpoint, &event)?];
            let Event::Health(mut health) = event else { return Ok((encoded, None)) };
            // Nobody shows the names, and they are half of what is kept of a server.
            health.apps = AppLists::default();
            Ok((encoded, Some(Said::Health(Arc::from(health)))))
        }
        Content::Sessions(published) => {
            let said = Said::Sessions(Arc::new(SessionTotals {
                server: Arc::clone(&endpoint.server),
                virtual_proxy: endpoint.virtual_proxy.clone().unwrap_or_default(),
                host: endpoint.host.clone(),
                session_count: published.session_count,
                excluded_session_count: published.excluded_session_count,
                user_count: published.user_count,
                users: published.shown_users.clone(),
            }));
            let encoded = events::of_sessions(endpoint, observation, poll, published)?;
            Ok((encoded, Some(said)))
        }
        Content::AppNames(extraction) => {
            Ok((events::of_app_names(endpoint, observation, poll, extraction)?, None))
        }
    }
}
