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
use shared::event::{Event, Server, Text};
use thiserror::Error;

use crate::line_protocol::Lines;
use crate::point::Point;
use crate::schema::Schema;

/// Takes the points of an event, one after the other.
pub type Emit<'e> = dyn FnMut(&Point<'_>) + 'e;

/// Makes the points of an event.
pub fn points<S: Text>(envelope: &Envelope<S>, schema: &Schema, emit: &mut Emit<'_>) {
    let time = envelope.time;
    match &envelope.event {
        Event::Health(event) => health::points(event, time, schema, emit),
        Event::Sessions(event) => sessions::points(event, time, schema, emit),
        Event::AppNames(event) => app_names::points(event, time, schema, emit),
        Event::FailedPoll(event) => failed_poll::points(event, time, schema, emit),
        Event::Heartbeat(event) => heartbeat::points(event, time, schema, emit),
    }
}

/// The most that the lines of one event may take: nine times the largest event. Each session of an
/// event repeats the server's tags, so that a made-up event of 1 MiB could become gigabytes.
pub const MAX_LINES_BYTES: usize = 8 << 20;
/// The most that the tags of a server may take: InfluxDB refuses longer series.
pub const MAX_TAGS_BYTES: usize = 65_535;

/// Why an event becomes no lines. No event of a collector is like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Excessive {
    /// Its server has more tags than InfluxDB takes.
    #[error("the server's tags have {bytes} bytes, and InfluxDB takes {MAX_TAGS_BYTES} at most")]
    Tags {
        /// What they have.
        bytes: usize,
    },
    /// It has too many points, or too large ones.
    #[error("its points would take more than {MAX_LINES_BYTES} bytes")]
    Lines,
}

/// Adds the lines of an event.
///
/// # Errors
/// An event that would exhaust the memory; some of its lines may have been added.
pub fn push_lines<S: Text>(
    envelope: &Envelope<S>,
    schema: &Schema,
    lines: &mut Lines,
) -> Result<(), Excessive> {
    let bytes = tags_bytes(&envelope.event);
    if bytes > MAX_TAGS_BYTES {
        return Err(Excessive::Tags { bytes });
    }
    let most = lines.body().len().saturating_add(MAX_LINES_BYTES);
    points(envelope, schema, &mut |point| {
        if lines.body().len() <= most {
            lines.push(point);
        }
    });
    if lines.body().len() > most { Err(Excessive::Lines) } else { Ok(()) }
}

/// What the tags take that every point about a server repeats.
fn tags_bytes<S: Text>(event: &Event<S>) -> usize {
    let length = |text: &S| text.as_ref().len();
    match event {
        Event::Health(event) => server_bytes(&event.server),
        Event::Sessions(event) => {
            server_bytes(&event.server) + length(&event.virtual_proxy) + length(&event.host)
        }
        Event::FailedPoll(event) => server_bytes(&event.server),
        Event::AppNames(event) => event.repository.len(),
        Event::Heartbeat(_) => 0,
    }
}

fn server_bytes<S: Text>(server: &Server<S>) -> usize {
    let length = |text: &S| text.as_ref().len();
    let own = server.tags.iter().map(|(name, value)| length(name) + length(value));
    own.sum::<usize>() + length(&server.name) + length(&server.description) + length(&server.host)
}

#[cfg(test)]
mod field_types;
#[cfg(test)]
mod tests;
