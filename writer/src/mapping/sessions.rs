//! The sessions of a virtual proxy: a summary, a list and, where wanted, a point per session.
//!
//! Summary and list are made from the first part alone, since the parts of one poll share a time.

use std::collections::HashSet;

use shared::event::{Sessions, Source, Text};
use shared::timestamp::Timestamp;

use super::Emit;
use super::poll::{self, Polled};
use super::server_tags::{server_tags, without_port};
use crate::line_protocol::{EncodedTags, MAX_TEXT_BYTES};
use crate::point::{FieldValue, Point};
use crate::schema::{COUNT, INTEGER, Schema, Version};

const FIRST_PART: u32 = 1;

pub(super) fn points<S: Text>(
    event: &Sessions<S>,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    let base = server_tags(&event.server)
        .with("user_session_virtual_proxy", event.virtual_proxy.as_ref())
        .with("user_session_host", event.host.as_ref());
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
            server_name: event.server.name.as_ref(),
            host: without_port(event.server.host.as_ref()),
            source: Source::Sessions,
            virtual_proxy: event.virtual_proxy.as_ref(),
        };
        poll::point(&polled, &event.poll, true, time, schema, emit);
    }
    if !schema.session_details {
        return;
    }
    // Each session sets, or takes away, the same three tags.
    let (mut tags, mut encoded) = (base, EncodedTags::default());
    for session in &event.sessions {
        let (id, directory) = (session.session_id.as_ref(), session.user_directory.as_ref());
        let user_id = session.user_id.as_ref().map(S::as_ref);
        tags.set("user_session_id", id);
        tags.set("user_session_user_directory", directory);
        tags.set("user_session_user_id", user_id.unwrap_or_default());
        tags.encode_into(&mut encoded);
        emit(
            &Point::new("user_session_details", &encoded, time)
                .with("session_id", Some(FieldValue::text(id)))
                .with("user_directory", Some(FieldValue::text(directory)))
                .with_text("user_id", user_id),
        );
    }
}

/// The distinct users with commas between, in order of appearance, as many as fit whole.
fn user_list<S: Text>(event: &Sessions<S>) -> String {
    let Some(users) = &event.users else {
        let (mut seen, mut text) = (HashSet::new(), String::new());
        for session in &event.sessions {
            let directory = session.user_directory.as_ref();
            let id = session.user_id.as_ref().map(S::as_ref);
            if seen.insert((directory, id)) && !push_fitting(&mut text, directory, id) {
                break;
            }
        }
        return text;
    };
    let mut text = String::new();
    for user in users {
        if !push_fitting(&mut text, user.as_ref(), None) {
            break;
        }
    }
    text
}

/// Adds `directory\id`, or the directory alone where ids are dropped, unless it is too much.
fn push_fitting(text: &mut String, directory: &str, id: Option<&str>) -> bool {
    let comma = usize::from(!text.is_empty());
    let user = directory.len() + id.map_or(0, |id| id.len() + 1);
    if text.len() + comma + user > MAX_TEXT_BYTES {
        return false;
    }
    if comma > 0 {
        text.push(',');
    }
    text.push_str(directory);
    if let Some(id) = id {
        text.push('\\');
        text.push_str(id);
    }
    true
}
