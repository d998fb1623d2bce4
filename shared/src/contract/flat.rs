//! The flat topics for small clients: every member is always there, null when it is not known.
//!
//! They are made from several events, by the collector, so their schemas are written by hand.

use serde_json::{Map, Value, json};

/// The longest message of a failure, in characters.
const LONGEST_MESSAGE: usize = 200;

/// What a member holds.
enum Form {
    Text,
    Time,
    Flag,
    Whole,
    Number,
    State,
    Message,
}

use Form::{Flag, Message, Number, State, Text, Time, Whole};

type Member = (&'static str, Form, &'static str);

const STATE: &[Member] = &[
    ("server", Text, "The server's name, `serverName` of the configuration."),
    ("description", Text, "`serverDescription` of the configuration."),
    ("host", Text, "The engine's `host:port`, as configured."),
    ("process", Text, "The program that says this."),
    ("instance", Text, "Its instance name."),
    (
        "state",
        State,
        "`failing` when the last poll of the health failed, `unknown` before the first answer and when the last one is too old, otherwise `saturated` or `ok`.",
    ),
    (
        "failing",
        Flag,
        "Whether any endpoint of the server fails: health, or the sessions of a virtual proxy.",
    ),
    ("failing_since", Time, "Since when, if it does."),
    ("failing_cause", Text, "Why, if it does: a category as in failed polls."),
    ("failing_message", Message, "Why, if it does, in words."),
    ("last_poll", Time, "When the health was polled last."),
    ("last_poll_ms", Whole, "How long that took, in milliseconds."),
    ("interval_s", Number, "Time between two polls of the health, in seconds."),
    ("version", Text, "The engine's version."),
    ("started", Time, "Start of the engine."),
    ("uptime_s", Whole, "Seconds from the start of the engine to the last answer."),
    ("saturated", Flag, "High resource use, as the engine says."),
    (
        "cpu_percent",
        Number,
        "Percent of the processors used by the engine, the mean of 30 seconds.",
    ),
    ("memory_committed_mib", Number, "Memory committed by the engine's process, in MiB."),
    ("memory_allocated_mib", Number, "Memory committed and reserved, in MiB."),
    (
        "memory_free_mib",
        Number,
        "The smaller of free physical and free virtual memory of the machine, in MiB.",
    ),
    ("memory_physical_mib", Number, "Physical memory of the machine, in MiB; newer engines only."),
    ("engine_sessions_active", Whole, "Engine sessions with an action now."),
    ("engine_sessions", Whole, "Engine sessions."),
    ("engine_users_active", Whole, "Users with an action now."),
    ("engine_users", Whole, "Users with engine sessions."),
    ("apps_active", Whole, "Documents with an action now."),
    ("apps_loaded", Whole, "Documents open in a session."),
    ("apps_in_memory", Whole, "Documents in memory."),
    ("calls", Whole, "Requests since the engine's start."),
    ("selections", Whole, "Selections since the engine's start."),
    ("cache_hits", Whole, "Hits of the result cache since the engine's start."),
    ("cache_lookups", Whole, "Lookups in the result cache since the engine's start."),
    ("cache_hit_percent", Number, "Hits in percent of the lookups; null without lookups."),
    ("proxy_sessions", Whole, "Sessions of all virtual proxies, excluded users among them."),
    ("proxy_users", Whole, "The sum of the users of each virtual proxy, without excluded ones."),
];

const PROGRAM: &[Member] = &[
    ("process", Text, "`collector`, `writer` or `footman`."),
    ("instance", Text, "The program's instance name."),
    ("version", Text, "The program's version."),
    ("connected", Flag, "Whether its newest heartbeat is at most 90 seconds old."),
    ("honest", Flag, "Whether it does its work, as its newest heartbeat says."),
    ("why", Text, "Why it does not."),
    ("last_beat", Time, "When its newest heartbeat was made."),
    ("started", Time, "Start of the process."),
    ("uptime_s", Whole, "Seconds since the start."),
    ("resident_mib", Number, "Memory of the process, in MiB."),
    ("published", Whole, "Events handed to the broker."),
    ("confirmed", Whole, "Events that the broker confirmed."),
    ("delivered", Whole, "Deliveries received."),
    ("stored", Whole, "Events whose points are stored."),
    ("dead_lettered", Whole, "Events that became dead letters."),
    ("redelivered", Whole, "Deliveries that came again."),
    ("failed_writes", Whole, "Requests to InfluxDB that failed."),
    ("outbox", Whole, "Events in the outbox."),
    ("backlog", Whole, "Deliveries held and not yet acked."),
    ("oldest_unwritten_s", Number, "Age of the oldest delivery that is not stored, in seconds."),
    (
        "lost",
        Whole,
        "Events that were confirmed, or given up for their age, and that nobody settled.",
    ),
];

/// Members of a state that are never null.
const STATE_ALWAYS: &[&str] =
    &["server", "description", "host", "process", "instance", "state", "failing"];
/// Members of a program that are never null.
const PROGRAM_ALWAYS: &[&str] = &[
    "process",
    "instance",
    "version",
    "connected",
    "honest",
    "last_beat",
    "started",
    "uptime_s",
    "resident_mib",
];

impl Form {
    fn schema(&self, may_be_null: bool) -> Value {
        let (kind, further) = match self {
            Text => ("string", json!({})),
            Time => ("string", json!({"format": "date-time"})),
            Message => ("string", json!({"maxLength": LONGEST_MESSAGE})),
            State => ("string", json!({"enum": ["ok", "saturated", "failing", "unknown"]})),
            Flag => ("boolean", json!({})),
            Whole => ("integer", json!({})),
            Number => ("number", json!({})),
        };
        let mut schema = json!({"type": kind});
        if may_be_null {
            schema["type"] = json!([kind, "null"]);
        }
        if let (Value::Object(schema), Value::Object(further)) = (&mut schema, further) {
            schema.extend(further);
        }
        schema
    }
}

fn object(description: &str, members: &[Member], always: &[&str]) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, form, description)| {
            let mut schema = form.schema(!always.contains(name));
            schema["description"] = (*description).into();
            ((*name).to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = members.iter().map(|(name, ..)| *name).collect();
    json!({
        "description": description, "type": "object", "properties": properties,
        "required": required,
    })
}

/// The latest of a server.
pub(super) fn state() -> Value {
    let description = "The latest of a server. A value whose answer is no longer fresh is null.";
    let mut schema = object(description, STATE, STATE_ALWAYS);
    let number =
        |description: &str| json!({"type": ["integer", "null"], "description": description});
    schema["patternProperties"] = json!({
        "^proxy_sessions_.+$": number("Sessions of that virtual proxy, excluded users among them."),
        "^proxy_users_.+$": number("Users of that virtual proxy, without excluded ones."),
        "^tag_.+$": {"type": "string", "description": "The server's own tag of that name."},
    });
    schema
}

/// The latest of a program.
pub(super) fn program() -> Value {
    object("The newest heartbeat of a program, flat.", PROGRAM, PROGRAM_ALWAYS)
}
