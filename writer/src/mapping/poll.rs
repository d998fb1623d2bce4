//! `footman_poll`: one point for each poll of any source, failed ones too.

use shared::event::{Poll, Source};
use shared::timestamp::Timestamp;

use super::Emit;
use crate::point::{FieldValue, Point, Tags};
use crate::schema::{INTEGER, Schema};

const MEASUREMENT: &str = "footman_poll";
const NANOS_PER_MILLI: i64 = 1_000_000;

/// Whom a poll asked.
#[derive(Debug)]
pub(super) struct Polled<'a> {
    pub(super) server_name: &'a str,
    /// Without a port, so that a good and a failed poll share a series.
    pub(super) host: &'a str,
    pub(super) source: Source,
    pub(super) virtual_proxy: &'a str,
}

/// Makes the point of a poll whose request was sent at `time`.
pub(super) fn point(
    polled: &Polled<'_>,
    poll: &Poll,
    ok: bool,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    let tags = Tags::new()
        .with("server_name", polled.server_name)
        .with("host", polled.host)
        .with("source", polled.source.name())
        .with("virtual_proxy", polled.virtual_proxy)
        .encode();
    let lateness_ms = (time.nanos() - poll.scheduled.nanos()) / NANOS_PER_MILLI;
    emit(
        &Point::new(MEASUREMENT, &tags, time)
            .with("ok", Some(FieldValue::Bool(ok)))
            .with("duration_ms", schema.natural(INTEGER, Some(poll.duration_ms)))
            .with("lateness_ms", schema.integer(INTEGER, Some(lateness_ms)))
            .with("bytes", schema.natural(INTEGER, poll.bytes)),
    );
}
