//! A program's sign of life: `footman_heartbeat`, and the predecessor's memory points.

use shared::event::Heartbeat;
use shared::timestamp::Timestamp;

use super::Emit;
use crate::point::{FieldValue, Point, Tags};
use crate::schema::{FLOAT, INTEGER, Schema};

const BYTES_PER_MB: f64 = 1_048_576.0;
/// The predecessor rounds megabytes to two decimals.
const ROUNDING: f64 = 100.0;

pub(super) fn points(event: &Heartbeat, time: Timestamp, schema: &Schema, emit: &mut Emit<'_>) {
    let tags =
        Tags::new().with("process", &event.process).with("instance", &event.instance).encode();
    let counters = &event.counters;
    let integer = |value: Option<u64>| schema.natural(INTEGER, value);
    emit(
        &Point::new("footman_heartbeat", &tags, time)
            .with("version", Some(FieldValue::text(&*event.version)))
            .with("honest", Some(FieldValue::Bool(event.honest)))
            .with("uptime_s", integer(Some(event.uptime_s)))
            .with("published", integer(counters.published))
            .with("confirmed", integer(counters.confirmed))
            .with("delivered", integer(counters.delivered))
            .with("stored", integer(counters.stored))
            .with("dead_lettered", integer(counters.dead_lettered))
            .with("redelivered", integer(counters.redelivered))
            .with("failed_writes", integer(counters.failed_writes))
            .with("outbox", integer(counters.outbox))
            .with("backlog", integer(counters.backlog))
            .with("lost", integer(counters.lost))
            .with("oldest_unwritten_s", schema.float(FLOAT, counters.oldest_unwritten_s))
            .with("resident_mb", megabytes(event.memory.resident_bytes, schema)),
    );
    if let (Some(instance), true) = (&schema.memory_usage_instance, event.uptime_monitor) {
        memory_point(instance, event, time, schema, emit);
    }
}

fn memory_point(
    instance: &str,
    event: &Heartbeat,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    let tags =
        Tags::new().with("butler_sos_instance", instance).with("version", &event.version).encode();
    let allocated = megabytes(event.memory.allocated_bytes, schema);
    emit(
        &Point::new("butlersos_memory_usage", &tags, time)
            .with("heap_used", allocated.clone())
            .with("heap_total", allocated)
            .with("external", schema.float(FLOAT, Some(0.0)))
            .with("process_memory", megabytes(event.memory.resident_bytes, schema)),
    );
}

fn megabytes(bytes: u64, schema: &Schema) -> Option<FieldValue<'static>> {
    let rounded = (bytes as f64 / BYTES_PER_MB * ROUNDING).round() / ROUNDING;
    schema.float(FLOAT, Some(rounded))
}
