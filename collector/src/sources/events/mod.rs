//! From what an answer said to encoded events, cut into parts that the brokers take.

use shared::envelope::{EncodeError, MAX_EVENT_BYTES, Origin, Unnumbered};
use shared::event::{AppChange, AppLists, AppNames, EngineHealth, Event, Poll, Session, Sessions};
use shared::timestamp::Timestamp;

use super::sessions::Published;
use crate::app_store::Extraction;
use crate::endpoint::Endpoint;
use crate::parts::{Bounds, json_length, split};

/// Sessions in a part.
const SESSIONS_IN_A_PART: usize = 1_000;
/// Apps in a part.
const APPS_IN_A_PART: usize = 500;
/// Room for what differs between an empty part and a full one: the digits of its numbers.
const SLACK_BYTES: usize = 64;

/// An engine's health with the names of its apps.
#[derive(Debug)]
pub(crate) struct HealthContent {
    pub(crate) health: EngineHealth,
    pub(crate) apps: AppLists,
}

/// By whom and when something was observed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) time: Timestamp,
}

/// An event that exceeds what brokers take, even in parts.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl Observation<'_> {
    /// Encodes an event about the endpoint's server.
    pub(crate) fn encode(
        &self,
        endpoint: &Endpoint,
        event: &Event,
    ) -> Result<Unnumbered, TooLarge> {
        Unnumbered::encode(self.origin, &endpoint.server.name, self.time, event).map_err(|error| {
            // Our own types always make JSON.
            if let EncodeError::Json(error) = &error {
                tracing::error!(%error, "An event cannot be written as JSON.");
            }
            TooLarge
        })
    }

    /// Bytes left for the items of a part, given the part without any.
    fn room(&self, endpoint: &Endpoint, empty: &Event) -> Result<usize, TooLarge> {
        let used = self.encode(endpoint, empty)?.size() + SLACK_BYTES;
        MAX_EVENT_BYTES.checked_sub(used).ok_or(TooLarge)
    }
}

/// The parts of one poll of sessions.
pub(super) fn of_sessions(
    endpoint: &Endpoint,
    observation: &Observation<'_>,
    poll: &Poll,
    published: Published,
) -> Result<Vec<Unnumbered>, TooLarge> {
    let Published {
        session_count,
        excluded_session_count,
        user_count,
        user_id_key,
        sessions,
        users,
        shown_users: _,
    } = published;
    let event = |part, parts, sessions, users| {
        Event::Sessions(Sessions {
            server: endpoint.server.as_ref().clone(),
            poll: poll.clone(),
            virtual_proxy: endpoint.virtual_proxy.clone().unwrap_or_default(),
            host: endpoint.host.clone(),
            part,
            parts,
            session_count,
            excluded_session_count,
            user_count,
            user_id_key: user_id_key.clone(),
            sessions,
            users,
        })
    };
    let bytes = observation.room(endpoint, &event(1, 1, Vec::new(), None))?;
    let size: usize = sessions.iter().map(|session| session_length(session) + 1).sum();
    if sessions.len() <= SESSIONS_IN_A_PART && size <= bytes {
        return Ok(vec![observation.encode(endpoint, &event(1, 1, sessions, None))?]);
    }
    // Several parts: the first one also lists the users, for the summary of the poll.
    let listed = event(1, 1, Vec::new(), Some(users.clone()));
    let first_bytes = observation.room(endpoint, &listed)?;
    let bounds = Bounds { items: SESSIONS_IN_A_PART, first_bytes, bytes };
    let cut = split(sessions, bounds, session_length).ok_or(TooLarge)?;
    let parts = number(cut.len());
    let mut users = Some(users);
    cut.into_iter()
        .zip(1..)
        .map(|(sessions, part)| {
            observation.encode(endpoint, &event(part, parts, sessions, users.take()))
        })
        .collect()
}

/// The parts of one extraction of app names.
pub(super) fn of_app_names(
    endpoint: &Endpoint,
    observation: &Observation<'_>,
    poll: &Poll,
    extraction: Extraction,
) -> Result<Vec<Unnumbered>, TooLarge> {
    let event = |part, parts, apps| {
        Event::AppNames(AppNames {
            repository: endpoint.server.name.clone(),
            poll: poll.clone(),
            part,
            parts,
            full: extraction.full,
            apps,
        })
    };
    let bytes = observation.room(endpoint, &event(1, 1, Vec::new()))?;
    let bounds = Bounds { items: APPS_IN_A_PART, first_bytes: bytes, bytes };
    let cut = split(extraction.apps, bounds, app_length).ok_or(TooLarge)?;
    let parts = number(cut.len());
    cut.into_iter()
        .zip(1..)
        .map(|(apps, part)| observation.encode(endpoint, &event(part, parts, apps)))
        .collect()
}

fn number(parts: usize) -> u32 {
    u32::try_from(parts).unwrap_or(u32::MAX)
}

/// The length of a session as JSON.
fn session_length(session: &Session) -> usize {
    let user_id =
        session.user_id.as_ref().map_or(0, |user_id| r#""userId":,"#.len() + json_length(user_id));
    r#"{"userDirectory":,"sessionId":}"#.len()
        + json_length(&session.user_directory)
        + user_id
        + json_length(&session.session_id)
}

/// The largest length of an app as JSON.
fn app_length(app: &AppChange) -> usize {
    r#"{"id":,"name":,"change":"renamed"}"#.len() + json_length(&app.id) + json_length(&app.name)
}

#[cfg(test)]
mod tests;
