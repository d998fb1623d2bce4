//! Events to points: the contract with existing databases and their dashboards.
//!
//! Pure, and fed by the event alone, so that the same event always gives the same points. One file
//! per kind of event; the types of the fields are in [`crate::schema`].

mod app_names;
mod failed_poll;
mod health;
mod heartbeat;
mod poll;
mod server_tags;
mod sessions;
mod uptime;

use shared::envelope::Envelope;
use shared::event::Event;

use crate::line_protocol::Lines;
use crate::point::Point;
use crate::schema::Schema;

/// Takes the points of an event, one after the other.
pub type Emit<'e> = dyn FnMut(&Point<'_>) + 'e;

/// Makes the points of an event.
pub fn points(envelope: &Envelope, schema: &Schema, emit: &mut Emit<'_>) {
    let time = envelope.time;
    match &envelope.event {
        Event::Health(event) => health::points(event, time, schema, emit),
        Event::Sessions(event) => sessions::points(event, time, schema, emit),
        Event::AppNames(event) => app_names::points(event, time, schema, emit),
        Event::FailedPoll(event) => failed_poll::points(event, time, schema, emit),
        Event::Heartbeat(event) => heartbeat::points(event, time, schema, emit),
    }
}

/// Adds the lines of an event.
pub fn push_lines(envelope: &Envelope, schema: &Schema, lines: &mut Lines) {
    points(envelope, schema, &mut |point| lines.push(point));
}

#[cfg(test)]
mod field_types;
#[cfg(test)]
mod tests;
