//! `app_names`: which apps the repository lists, under which names, and which are gone.

use shared::event::{AppNames, Change, Source};
use shared::timestamp::Timestamp;

use super::Emit;
use super::poll::{self, Polled};
use crate::point::{FieldValue, Point, Tags};
use crate::schema::Schema;

const FIRST_PART: u32 = 1;

pub(super) fn points(event: &AppNames, time: Timestamp, schema: &Schema, emit: &mut Emit<'_>) {
    for app in &event.apps {
        let tags =
            Tags::new().with("repository", &event.repository).with("app_id", &app.id).encode();
        let state = match app.change {
            Some(Change::Gone) => "gone",
            Some(Change::New | Change::Renamed) | None => "present",
        };
        emit(
            &Point::new("app_names", &tags, time)
                .with("name", Some(FieldValue::text(&*app.name)))
                .with("state", Some(FieldValue::text(state))),
        );
    }
    if event.part == FIRST_PART {
        let polled = Polled {
            server_name: &event.repository,
            host: &event.repository,
            source: Source::AppNames,
            virtual_proxy: "",
        };
        poll::point(&polled, &event.poll, true, time, schema, emit);
    }
}
