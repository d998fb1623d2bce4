"""The entities that there should be: unit, device class, state class, and the value served.

Written from what Footman promises (docs/home-assistant.md) and what Qlik Sense says, not from
Footman's own messages.
"""

import re

# What Home Assistant makes of letters that are not Latin's first ones.
LETTERS = str.maketrans("äöüéåÄÖÜ", "aoueaaou")


def slug(name: str) -> str:
    """A name as it stands in an entity's id."""
    return re.sub(r"[^a-z0-9]+", "_", name.translate(LETTERS).lower()).strip("_")


def number(unit, of, device_class=None, state_class="measurement"):
    return (unit, device_class, state_class, of)


def hit_ratio(facts):
    return 100 * facts["cache_hits"] / facts["cache_lookups"]


TIME = (None, "timestamp", None, None)
TEXT = (None, None, None, None)
COUNTER = ("events", None, "total_increasing", None)

SERVER_ENTITIES = {
    ("sensor", "cpu"): number("%", lambda facts: facts["cpu_total"]),
    ("sensor", "memory_free"): number("MiB", lambda facts: facts["free"], "data_size"),
    ("sensor", "memory_committed"): number("MiB", lambda facts: facts["committed"], "data_size"),
    ("sensor", "memory_physical"): number("MiB", lambda facts: facts["total_physical"], "data_size"),
    ("sensor", "engine_sessions_active"): number("sessions", lambda facts: facts["session_active"]),
    ("sensor", "engine_sessions"): number("sessions", lambda facts: facts["session_total"]),
    ("sensor", "engine_users_active"): number("users", lambda facts: facts["users_active"]),
    ("sensor", "engine_users"): number("users", lambda facts: facts["users_total"]),
    ("sensor", "apps_active"): number("apps", lambda facts: facts["active_docs"]),
    ("sensor", "apps_loaded"): number("apps", lambda facts: facts["loaded_docs"]),
    ("sensor", "apps_in_memory"): number("apps", lambda facts: facts["in_memory_docs"]),
    ("sensor", "cache_hit_ratio"): number("%", hit_ratio),
    ("sensor", "version"): (None, None, None, lambda facts: facts["version"]),
    ("sensor", "started"): TIME,
    ("sensor", "last_poll"): TIME,
    ("sensor", "poll_failing_cause"): TEXT,
    ("sensor", "proxy_sessions"): number("sessions", None),
    ("sensor", "proxy_users"): number("users", None),
    ("sensor", "sessions_default"): number("sessions", None),
    ("sensor", "users_default"): number("users", None),
    ("sensor", "sessions_hdr"): number("sessions", None),
    ("sensor", "users_hdr"): number("users", None),
    ("binary_sensor", "saturated"): (None, "problem", None, lambda facts: "on" if facts["saturated"] else "off"),
    ("binary_sensor", "poll_failing"): (None, "problem", None, None),
}

EVERY_PROGRAM = {
    ("binary_sensor", "connected"): (None, "connectivity", None, None),
    ("binary_sensor", "trouble"): (None, "problem", None, None),
    ("sensor", "memory"): number("MiB", None, "data_size"),
    ("sensor", "version"): TEXT,
    ("sensor", "started"): TIME,
    ("sensor", "last_beat"): TIME,
}

PROGRAM_ENTITIES = {
    "collector": EVERY_PROGRAM | {
        ("sensor", "outbox"): number("events", None),
        ("sensor", "published"): COUNTER,
        ("sensor", "confirmed"): COUNTER,
        ("sensor", "lost"): COUNTER,
    },
    "writer": EVERY_PROGRAM | {
        ("sensor", "backlog"): number("events", None),
        ("sensor", "oldest_unwritten"): number("s", None, "duration"),
        ("sensor", "delivered"): COUNTER,
        ("sensor", "stored"): COUNTER,
        ("sensor", "dead_letters"): COUNTER,
        ("sensor", "redelivered"): COUNTER,
        ("sensor", "failed_writes"): ("requests", None, "total_increasing", None),
    },
}
