//! A failed poll: a point of the predecessor's error measurement, and one of `footman_poll`.

use shared::event::{FailedPoll, Source};
use shared::timestamp::Timestamp;

use super::Emit;
use super::poll::{self, Polled};
use super::server_tags::without_port;
use crate::point::{FieldValue, Point, Tags};
use crate::schema::{ERROR_NUMBER, Schema};

pub(super) fn points(event: &FailedPoll, time: Timestamp, schema: &Schema, emit: &mut Emit<'_>) {
    if let Some(measurement) = &schema.failed_polls {
        error_point(measurement, event, time, schema, emit);
    }
    let host = match event.source {
        Source::Health | Source::Sessions => without_port(&event.server.host),
        Source::AppNames => &event.server.name,
    };
    let polled = Polled {
        server_name: &event.server.name,
        host,
        source: event.source,
        virtual_proxy: event.virtual_proxy.as_deref().unwrap_or_default(),
    };
    poll::point(&polled, &event.poll, false, time, schema, emit);
}

fn error_point(
    measurement: &str,
    event: &FailedPoll,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    let (error_type, host) = match event.source {
        Source::Health => ("HEALTH_API", &event.host),
        Source::Sessions => ("PROXY_API", &event.host),
        Source::AppNames => ("APP_NAMES_EXTRACT", &event.server.name),
    };
    let tags = Tags::new()
        .with("error_type", error_type)
        .with("server_name", &event.server.name)
        .with("host", host)
        .with("virtual_proxy", event.virtual_proxy.as_deref().unwrap_or_default())
        .encode();
    let number = |value: Option<u64>| schema.natural(ERROR_NUMBER, value);
    emit(
        &Point::new(measurement, &tags, time)
            // An event may stand for several ticks; the predecessor would have written each.
            .with("error_count", number(Some(event.ticks.max(1))))
            .with("error_category", Some(FieldValue::text(event.category.name())))
            .with_text("error_code", event.code.as_deref())
            .with("http_status", number(event.http_status.map(u64::from)))
            .with_text("request_url", event.url.as_deref())
            .with("request_timeout_ms", number(event.timeout_ms))
            .with_text("remote_address", event.remote_address.as_deref())
            .with("remote_port", number(event.remote_port.map(u64::from)))
            .with_text("syscall", event.syscall.as_deref()),
    );
}
