//! The drivers under test, a file each.

mod embedded;
mod memory;
mod mqtt;
mod nats;

use shared::broker::{Delivery, Outgoing, stated_id};
use shared::envelope::{Origin, Unnumbered};
use shared::event::{AppNames, Event, Poll};
use shared::subject::{Subject, Token};
use shared::timestamp::Timestamp;

pub(crate) use embedded::Embedded;
pub(crate) use memory::Memory;
pub(crate) use mqtt::Mqtt;
pub(crate) use nats::Nats;

/// Room for every test's dead letters.
const DEAD_LETTER_BYTES: u64 = 16 << 20;

/// An event about `name`.
fn event(name: &str) -> Unnumbered {
    let now = Timestamp::now();
    let poll = Poll { scheduled: now, duration_ms: 1, interval_ms: 1, bytes: None };
    let event = Event::AppNames(AppNames {
        repository: name.to_owned(),
        poll,
        part: 1,
        parts: 1,
        full: true,
        apps: vec![],
    });
    Unnumbered::encode(&Origin::new("collector", "test"), name, now, &event).unwrap()
}

/// The event of a delivery as a replay publishes it: unchanged, and with an id that no broker takes
/// for a repetition.
fn replay(delivery: &Delivery) -> Outgoing {
    let id = format!("{}-replay-1", stated_id(&delivery.payload).unwrap());
    let subject = delivery.subject.for_replay().unwrap();
    Outgoing { subject, id, payload: delivery.payload.clone() }
}

fn subject(name: &str) -> Subject {
    Subject::app_names("qliksense", &Token::new(name))
}
