//! The sessions of a virtual proxy: a summary, a list and, where wanted, a point per session.
//!
//! Summary and list are made from the first part alone, since the parts of one poll share a time.

use std::collections::HashSet;

use shared::event::{Session, Sessions, Source};
use shared::timestamp::Timestamp;

use super::Emit;
use super::poll::{self, Polled};
use super::server_tags::{server_tags, without_port};
use crate::line_protocol::MAX_TEXT_BYTES;
use crate::point::{FieldValue, Point};
use crate::schema::{COUNT, INTEGER, Schema, Version};

const FIRST_PART: u32 = 1;

pub(super) fn points(event: &Sessions, time: Timestamp, schema: &Schema, emit: &mut Emit<'_>) {
    let base = server_tags(&event.server)
        .with("user_session_virtual_proxy", &event.virtual_proxy)
        .with("user_session_host", &event.host);
    if event.part == FIRST_PART {
        let tags = base.encode();
        let users = user_list(event);
        let count = schema.natural(COUNT, Some(event.session_count));
        let excluded = schema.natural(INTEGER, Some(event.excluded_session_count));
        emit(
            &Point::new("user_session_summary", &tags, time)
                .with("session_count", count.clone())
                .with("excluded_session_count", excluded)
                .with_text("session_user_id_list", Some(&users)),
        );
        emit(
            &Point::new("user_session_list", &tags, time)
                .with("session_count", count.filter(|_| schema.version != Version::V1))
                .with_text("session_user_id_list", Some(&users)),
        );
        let polled = Polled {
            server_name: &event.server.name,
            host: without_port(&event.server.host),
            source: Source::Sessions,
            virtual_proxy: &event.virtual_proxy,
        };
        poll::point(&polled, &event.poll, true, time, schema, emit);
    }
    if !schema.session_details {
        return;
    }
    for session in &event.sessions {
        let user_id = session.user_id.as_deref();
        let tags = base
            .clone()
            .with("user_session_id", &session.session_id)
            .with("user_session_user_directory", &session.user_directory)
            .with("user_session_user_id", user_id.unwrap_or_default())
            .encode();
        emit(
            &Point::new("user_session_details", &tags, time)
                .with("session_id", Some(FieldValue::text(&*session.session_id)))
                .with("user_directory", Some(FieldValue::text(&*session.user_directory)))
                .with_text("user_id", user_id),
        );
    }
}

/// The distinct users with commas between, in order of appearance, as many as fit whole.
fn user_list(event: &Sessions) -> String {
    let Some(users) = &event.users else {
        let mut seen = HashSet::new();
        let users = event.sessions.iter().map(user).filter(|user| seen.insert(user.clone()));
        return join_fitting(users);
    };
    join_fitting(users.iter())
}

/// `directory\id`; the directory alone where ids are dropped.
fn user(session: &Session) -> String {
    match &session.user_id {
        Some(id) => format!("{}\\{id}", session.user_directory),
        None => session.user_directory.clone(),
    }
}

fn join_fitting(users: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::new();
    for user in users {
        let user = user.as_ref();
        let comma = usize::from(!text.is_empty());
        if text.len() + comma + user.len() > MAX_TEXT_BYTES {
            break;
        }
        if comma > 0 {
            text.push(',');
        }
        text.push_str(user);
    }
    text
}
