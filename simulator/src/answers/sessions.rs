//! The proxy's list of sessions, one for each virtual proxy.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Answer, Asked, PLAIN, errors, xsrf};
use crate::{
    Oddities, Oddity,
    ledger::{Facts, Session},
    site::ServerState,
};

/// How many directory groups a user has under [`Oddity::LargeAttributes`]: about four kilobytes.
const MANY_GROUPS: usize = 80;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Element<'a> {
    user_directory: &'a str,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_missing")]
    attributes: Attributes,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_user: Option<bool>,
}

enum Attributes {
    List(Vec<Attribute>),
    Null,
    Missing,
}

/// An object with a single member.
struct Attribute(&'static str, String);

impl Attributes {
    fn is_missing(&self) -> bool {
        matches!(self, Attributes::Missing)
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Attributes::List(list) => list.serialize(serializer),
            Attributes::Null | Attributes::Missing => serializer.serialize_unit(),
        }
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

pub(super) fn answer(server: &ServerState, asked: &Asked<'_>, now: Duration) -> Answer {
    if asked.path == "/qps/health" {
        return Answer::text(StatusCode::OK, PLAIN, "");
    }
    if let Err(refusal) = xsrf::check(asked) {
        return *refusal;
    }
    if asked.path == "/qps/alive" {
        return Answer::json(&serde_json::json!({"value": true}), Facts::None);
    }
    let Some((index, virtual_proxy)) = virtual_proxy(server, asked.path) else {
        return errors::status(404);
    };
    let oddities = server.oddities();
    let sessions = server.remembered(index, sessions(server, index, now, oddities));
    let list: Vec<Element<'_>> = sessions
        .iter()
        .enumerate()
        .map(|(number, session)| element(number, session, oddities))
        .collect();
    let mut answer = Answer::json(&list, Facts::Sessions(sessions.clone()));
    answer.virtual_proxy = Some(virtual_proxy);
    answer
}

/// The virtual proxy that a path asks for: `/qps/session` or `/qps/{prefix}/session`.
fn virtual_proxy(server: &ServerState, path: &str) -> Option<(usize, Arc<str>)> {
    let inner = path.strip_prefix("/qps")?.strip_suffix("/session")?;
    let wanted = if inner.is_empty() { "/" } else { inner };
    let known = server.virtual_proxies().iter().enumerate();
    known.filter(|(_, name)| &***name == wanted).map(|(index, name)| (index, name.clone())).next()
}

fn sessions(
    server: &ServerState,
    virtual_proxy: usize,
    now: Duration,
    oddities: Oddities,
) -> Vec<Session> {
    let world = server.world();
    let mut sessions = world.sessions(server.index(), virtual_proxy, world.moment(now));
    if oddities.has(Oddity::HurtingUsers) {
        sessions.extend(world.hurting_sessions(server.index(), virtual_proxy));
    }
    if oddities.has(Oddity::MixedCaseUsers) {
        mix_cases(&mut sessions);
    }
    if oddities.has(Oddity::OddSessionIds) {
        for (number, session) in sessions.iter_mut().enumerate() {
            session.session_id = odd_id(number, &session.session_id);
        }
    }
    sessions
}

/// Lets every user of the list come a second time, written in another case.
fn mix_cases(sessions: &mut Vec<Session>) {
    let again: Vec<Session> = sessions
        .iter()
        .map(|session| Session {
            user_directory: session.user_directory.to_lowercase().into(),
            user_id: session.user_id.to_uppercase().into(),
            session_id: format!("{}-2", session.session_id).into(),
        })
        .collect();
    sessions.extend(again);
}

/// Anything that a client posted is a session id.
fn odd_id(number: usize, id: &Arc<str>) -> Arc<str> {
    match number % 4 {
        0 => format!("my \"session\", {number}={id}").into(),
        1 => format!("line\nbreak-{id}").into(),
        2 => format!("{id}\\").into(),
        _ => id.clone(),
    }
}

fn element(number: usize, session: &Session, oddities: Oddities) -> Element<'_> {
    Element {
        user_directory: &session.user_directory,
        user_id: &session.user_id,
        attributes: attributes(number, oddities),
        session_id: &session.session_id,
        new_user: (oddities.has(Oddity::NewUser) && number.is_multiple_of(2)).then_some(false),
    }
}

fn attributes(number: usize, oddities: Oddities) -> Attributes {
    if oddities.has(Oddity::MissingAttributes) {
        return if number.is_multiple_of(2) { Attributes::Null } else { Attributes::Missing };
    }
    let group = |name: &str| Attribute("group", name.to_owned());
    if oddities.has(Oddity::LargeAttributes) {
        let groups = (0..MANY_GROUPS).map(|group| {
            Attribute("group", format!("CN=Report readers {group},OU=Groups,DC=corp"))
        });
        return Attributes::List(groups.collect());
    }
    match number % 3 {
        0 => Attributes::List(vec![
            group("Everyone"),
            group("Finance"),
            Attribute("roles", String::new()),
        ]),
        _ => Attributes::List(Vec::new()),
    }
}
