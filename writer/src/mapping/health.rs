//! An engine's health: eight measurements named by the predecessor, the misspelt `comitted` included.

use shared::event::{App, EngineHealth, Health, Source, Text};
use shared::timestamp::Timestamp;

use super::Emit;
use super::poll::{self, Polled};
use super::server_tags::{server_tags, without_port};
use super::uptime::uptime;
use crate::line_protocol::EncodedTags;
use crate::point::{FieldValue, Point};
use crate::schema::{COUNT, CPU, INTEGER, MEMORY, Schema, Version};

/// Ids of session apps begin like this; they have no name of their own.
const SESSION_APP_PREFIX: &str = "SessionApp";

pub(super) fn points<S: Text>(
    event: &Health<S>,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    let tags = server_tags(&event.server).encode();
    let health = &event.health;
    emit(
        &Point::new("sense_server", &tags, time)
            .with_text("version", health.version.as_ref().map(S::as_ref))
            .with_text("started", health.started.as_ref().map(S::as_ref))
            .with(
                "uptime",
                health.started_at().map(|started| FieldValue::text(uptime(started, time))),
            ),
    );
    let memory = &health.mem;
    emit(
        &Point::new("mem", &tags, time)
            .with("comitted", schema.float(MEMORY, memory.committed))
            .with("allocated", schema.float(MEMORY, memory.allocated))
            .with("free", schema.float(MEMORY, memory.free))
            .with("total_physical", schema.float(MEMORY, memory.total_physical)),
    );
    apps(event, &tags, time, schema, emit);
    counters(health, &tags, time, schema, emit);
    let polled = Polled {
        server_name: event.server.name.as_ref(),
        host: without_port(event.server.host.as_ref()),
        source: Source::Health,
        virtual_proxy: "",
    };
    poll::point(&polled, &event.poll, true, time, schema, emit);
}

fn counters<S>(
    health: &EngineHealth<S>,
    tags: &EncodedTags,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    emit(&Point::new("cpu", tags, time).with("total", schema.float(CPU, health.cpu.total)));
    emit(
        &Point::new("session", tags, time)
            .with("active", schema.integer(COUNT, health.session.active))
            .with("total", schema.integer(COUNT, health.session.total)),
    );
    emit(
        &Point::new("users", tags, time)
            .with("active", schema.integer(COUNT, health.users.active))
            .with("total", schema.integer(COUNT, health.users.total)),
    );
    let cache = &health.cache;
    emit(
        &Point::new("cache", tags, time)
            .with("hits", schema.integer(COUNT, cache.hits))
            .with("lookups", schema.integer(COUNT, cache.lookups))
            .with("added", schema.integer(INTEGER, cache.added))
            .with("replaced", schema.integer(INTEGER, cache.replaced))
            .with("bytes_added", schema.integer(INTEGER, cache.bytes_added)),
    );
    emit(
        &Point::new("saturated", tags, time)
            .with("saturated", health.saturated.map(FieldValue::Bool)),
    );
}

/// The names of the fields about one list of documents.
struct ListFields {
    count: &'static str,
    ids: &'static str,
    names: &'static str,
    session_names: &'static str,
}

const ACTIVE: ListFields = ListFields {
    count: "active_docs_count",
    ids: "active_docs",
    names: "active_docs_names",
    session_names: "active_session_docs_names",
};
const LOADED: ListFields = ListFields {
    count: "loaded_docs_count",
    ids: "loaded_docs",
    names: "loaded_docs_names",
    session_names: "loaded_session_docs_names",
};
const IN_MEMORY: ListFields = ListFields {
    count: "in_memory_docs_count",
    ids: "in_memory_docs",
    names: "in_memory_docs_names",
    session_names: "in_memory_session_docs_names",
};

fn apps<S: Text>(
    event: &Health<S>,
    tags: &EncodedTags,
    time: Timestamp,
    schema: &Schema,
    emit: &mut Emit<'_>,
) {
    let (engine, apps) = (&event.health.apps, &event.apps);
    let include = schema.include_fields;
    let mut point = Point::new("apps", tags, time);
    for (fields, ids, apps, included) in [
        (ACTIVE, &engine.active_docs, &apps.active, include.active),
        (LOADED, &engine.loaded_docs, &apps.loaded, include.loaded),
        (IN_MEMORY, &engine.in_memory_docs, &apps.in_memory, include.in_memory),
    ] {
        let count = i64::try_from(ids.len()).ok();
        point = point.with(fields.count, schema.integer(INTEGER, count));
        let (mut listed, mut names) = (String::new(), Names::default());
        if included {
            listed = ids.join(",");
            if schema.app_names_enabled {
                names = Names::new(ids, apps);
            }
        }
        // What is gated off is written as an empty text, so that panels find the field.
        point = point
            .with(fields.ids, Some(FieldValue::text(listed)))
            .with(fields.names, Some(list(names.apps, schema)))
            .with(fields.session_names, Some(list(names.session_apps, schema)));
    }
    emit(
        &point
            .with("calls", schema.integer(COUNT, engine.calls))
            .with("selections", schema.integer(COUNT, engine.selections)),
    );
}

/// The names of a list's apps and the ids of its session apps, both sorted.
#[derive(Default)]
struct Names<'a> {
    apps: Vec<&'a str>,
    session_apps: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// An id stands for itself where the event knows no name.
    fn new<S: Text>(ids: &'a [S], apps: &'a [App<S>]) -> Self {
        let known = apps.iter().map(|app| {
            let id = app.id.as_ref();
            (id, app.name.as_ref().map_or(id, S::as_ref))
        });
        let unknown = ids.iter().map(|id| (id.as_ref(), id.as_ref())).skip(apps.len());
        let mut names = Self { apps: Vec::with_capacity(ids.len()), session_apps: Vec::new() };
        for (id, name) in known.chain(unknown) {
            if id.starts_with(SESSION_APP_PREFIX) {
                names.session_apps.push(id);
            } else {
                names.apps.push(name);
            }
        }
        sort(&mut names.apps);
        sort(&mut names.session_apps);
        names
    }
}

/// Sorts by UTF-16 code units, as the predecessor's language does.
fn sort(names: &mut [&str]) {
    if names.iter().all(|name| name.is_ascii()) {
        // The same order, found faster.
        names.sort_unstable();
    } else {
        names.sort_by(|left, right| left.encode_utf16().cmp(right.encode_utf16()));
    }
}

/// A list as a text: each name in quotes for 1.x, bare for the others.
fn list(names: Vec<&str>, schema: &Schema) -> FieldValue<'static> {
    let mut text = String::with_capacity(names.iter().map(|name| name.len() + 3).sum());
    for name in names {
        if !text.is_empty() {
            text.push(',');
        }
        if schema.version == Version::V1 {
            text.push('"');
            text.push_str(name);
            text.push('"');
        } else {
            text.push_str(name);
        }
    }
    FieldValue::text(text)
}
