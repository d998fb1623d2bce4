"""Failed polls: which server, which API, and why."""

from .dashboard import build, text_variable, variable
from .engine_queries import RESTART_MARKS
from .languages import (
    Filter, Query, columns, flux_from, group, how_many, over_time, total, window,
)
from .panels import bargauge, row, stat, table, thresholds, timeseries
from .site import ONLY_FOOTMAN

ERRORS = "${errors}"
TYPES = "/^(HEALTH_API|PROXY_API|APP_NAMES_EXTRACT)$/"
TAGS = {"server_name": "server", "virtual_proxy": "virtual_proxy"}
# Butler SOS counts its own failed writes in the same measurement.
FAILED = Filter(
    TAGS, absent=("virtual_proxy",),
    also=((f'"error_type" =~ {TYPES}', f"r.error_type =~ {TYPES}"),),
)
FAILED_SESSIONS = Filter(
    TAGS, absent=("virtual_proxy",),
    also=(("\"error_type\" = 'PROXY_API'", 'r.error_type == "PROXY_API"'),),
)
POLLS = Filter(TAGS, absent=("virtual_proxy",))

# What to look at, and the categories that mean it.
CAUSES = {
    "no answer in time": ("timeout",),
    "not reachable": (
        "connection_refused", "connection_reset", "host_not_found", "unreachable",
    ),
    "refused by Qlik Sense": (
        "auth_error", "not_found", "rate_limited", "http_4xx", "http_5xx",
    ),
    "certificate": ("certificate_error", "certificate_unreadable"),
    "answer not usable": ("unexpected_body", "decode", "too_large"),
    "not polled": ("skipped", "interrupted", "outbox_full"),
}
OTHER_CAUSES = "other"

VARIABLES = [
    variable(
        "server", "Server",
        'SHOW TAG VALUES FROM /^(cpu|footman_poll|${errors:regex})$/ WITH KEY = "server_name"',
        ["cpu", "footman_poll", ERRORS], "server_name",
    ),
    variable(
        "virtual_proxy", "Virtual proxy",
        'SHOW TAG VALUES FROM /^(footman_poll|${errors:regex})$/ WITH KEY = "virtual_proxy"',
        ["footman_poll", ERRORS], "virtual_proxy",
    ),
    text_variable(
        "errors", "Measurement",
        "errorTracking.influxdb.measurementName in the configuration.", "butler_sos_errors",
    ),
]


def _cause(cause, condition):
    """Failed polls of one cause in each interval."""
    influxql, flux = condition
    return Query(
        f'SELECT sum("error_count") FROM "{ERRORS}" WHERE $timeFilter{FAILED.influxql()}'
        f' AND "error_category" {influxql} GROUP BY time($__interval) fill(none)',
        # The category is a field, so the two are brought together first.
        flux_from(ERRORS, ["error_count", "error_category"], FAILED)
        + '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n'
        + f"  |> filter(fn: (r) => r.error_category {flux})\n"
        + '  |> rename(columns: {error_count: "_value"})\n'
        + '  |> set(key: "_field", value: "error_count")\n'
        + group([])
        + window("sum"),
        cause,
    )


def causes():
    """A query for each family of causes, and one for what belongs to none."""
    known = [category for family in CAUSES.values() for category in family]
    queries = []
    for cause, family in CAUSES.items():
        either = f"=~ /^({'|'.join(family)})$/"
        queries.append(_cause(cause, (either, either)))
    none = f"!~ /^({'|'.join(known)})$/"
    return queries + [_cause(OTHER_CAUSES, (none, none))]


def _rows(fields, order):
    """Single failed polls."""
    tags = ("server_name", "error_type", "virtual_proxy")
    selected = ", ".join(f'"{name}"' for name in tags + fields)
    last = " ORDER BY time DESC LIMIT 100" if order else ""
    return Query(
        f'SELECT {selected} FROM "{ERRORS}" WHERE $timeFilter{FAILED.influxql()}{last}',
        flux_from(ERRORS, list(fields), FAILED)
        + '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n'
        + "  |> group()\n"
        + f"  |> keep(columns: {columns('_time', *tags, *fields)})\n"
        + ('  |> sort(columns: ["_time"], desc: true)\n  |> limit(n: 100)\n' if order else ""),
        table=True,
    )


def _count_polls(column_name, failed):
    """Polls by server, or those that failed, as a column."""
    condition = ' AND "ok" = false' if failed else ""
    return Query(
        f'SELECT count("ok") AS "{column_name}" FROM "footman_poll" WHERE $timeFilter'
        f'{POLLS.influxql()}{condition} GROUP BY "server_name"',
        flux_from("footman_poll", ["ok"], POLLS)
        + ("  |> filter(fn: (r) => r._value == false)\n" if failed else "")
        + '  |> group(columns: ["server_name"])\n'
        + "  |> count()\n"
        + "  |> group()\n"
        + f'  |> rename(columns: {{_value: "{column_name}"}})\n',
        table=True,
    )


def now():
    red = thresholds(("red", 1))
    return [
        row("The last hour"),
        stat(
            "Failed polls",
            "Polls of any server and API that brought nothing in the last hour. "
            "None is normal; one now and then is a busy engine.",
            [total(ERRORS, "error_count", [], FAILED, "failed polls")], "none", width=12,
            steps=thresholds(("yellow", 1), ("red", 10)), time_from="1h",
        ),
        stat(
            "Servers with failed polls",
            "How many servers had a failed poll in the last hour.",
            [how_many(ERRORS, "error_count", "sum", ["server_name"], FAILED, "servers")],
            "none", width=12, steps=red, time_from="1h",
        ),
        _five_minutes(timeseries(
            "Failed polls by server over the last hour",
            "In five minutes each, by server and API: HEALTH_API is the engine (port 4747), "
            "PROXY_API the proxy (4243), APP_NAMES_EXTRACT the repository (4242). One server "
            "alone: look there. All of them at once: look at the network or at the certificates.",
            [over_time(ERRORS, "error_count", "sum", ["server_name", "error_type"], FAILED,
                       "{server_name} {error_type}")],
            "none", width=24, bars=True, time_from="1h",
        )),
    ]


def _five_minutes(panel):
    panel.interval = "5m"
    return panel


def reasons():
    grouped = {"aggregations": [], "operation": "groupby"}
    added = {"aggregations": ["sum"], "operation": "aggregate"}
    fields = {
        "server_name": grouped, "error_type": grouped, "error_category": grouped,
        "error_count": added,
    }
    return [
        row("Causes"),
        timeseries(
            "Failed polls by cause",
            "No answer in time: a busy engine, or a firewall that drops. Not reachable: the "
            "service is stopped, or the name is wrong. Refused by Qlik Sense: the certificate's "
            "rights or the virtual proxy's prefix. Certificate: expired, or of another site. "
            "Answer not usable: often the port of the proxy (443) in place of the engine's. "
            "Not polled: the previous poll still ran, or the program was not running.",
            causes(), "none", width=24, bars=True,
        ),
        table(
            "Failed polls by cause and server",
            "Each cause in the words of the stored points.",
            [_rows(("error_category", "error_count"), order=False)],
            {"server_name": "Server", "error_type": "API", "error_category": "Cause",
             "error_count (sum)": "Failed polls"},
            width=12, sort="Failed polls",
            before=[{"id": "groupBy", "options": {"fields": fields}}],
        ),
        bargauge(
            "Proxy-session poll failures by virtual proxy",
            "In the last 24 hours. One virtual proxy alone: its prefix in the configuration is "
            "wrong, or it is not linked to that proxy. All of one server: its proxy service.",
            [total(ERRORS, "error_count", ["server_name", "virtual_proxy"], FAILED_SESSIONS,
                   "{server_name} {virtual_proxy}")],
            "none", steps=thresholds(("yellow", 1), ("red", 10)), time_from="24h",
        ),
        table(
            "Latest failed polls",
            "The last 100, with what the operating system, the TLS library or Qlik Sense said.",
            [_rows(("error_category", "error_code", "http_status", "request_url"), order=True)],
            {"Time": "Time", "server_name": "Server", "error_type": "API",
             "virtual_proxy": "Virtual proxy", "error_category": "Cause", "error_code": "Code",
             "http_status": "HTTP status", "request_url": "URL"},
        ),
    ]


def polls():
    share = {
        "alias": "Share", "mode": "binary", "replaceFields": False,
        "binary": {"left": "failed", "operator": "/", "right": "polls"},
    }
    percent = {
        "matcher": {"id": "byName", "options": "Share"},
        "properties": [{"id": "unit", "value": "percentunit"}],
    }
    return [
        row("All polls"),
        table(
            "Share of polls that failed",
            "Of all polls of each server within the time range. A server without a share had no "
            "failed poll. " + ONLY_FOOTMAN,
            [_count_polls("polls", failed=False), _count_polls("failed", failed=True)],
            {"server_name": "Server", "polls": "Polls", "failed": "Failed", "Share": "Share"},
            width=12, overrides=[percent],
            before=[
                {"id": "joinByField", "options": {"byField": "server_name", "mode": "outer"}},
                {"id": "calculateField", "options": share},
            ],
        ),
        timeseries(
            "Polls by API",
            "How many polls ended in each interval, failed ones included. " + ONLY_FOOTMAN,
            [over_time("footman_poll", "ok", "count", ["source"], POLLS, "{source}")],
            "none", bars=True,
        ),
        timeseries(
            "Poll duration",
            "From the request to the end of its answer or to its failure, the longest in each "
            "interval. Near the timeout (5 s by default): the server is overloaded. "
            + ONLY_FOOTMAN,
            [over_time("footman_poll", "duration_ms", "max", ["server_name", "source"], POLLS,
                       "{server_name} {source}")],
            "ms",
        ),
        timeseries(
            "Poll lateness",
            "From the moment a poll was due to its request. More than a second: too many servers "
            "for collector.maxConcurrentPolls, or a busy machine. " + ONLY_FOOTMAN,
            [over_time("footman_poll", "lateness_ms", "max", ["source"], POLLS, "{source}")],
            "ms",
        ),
    ]


def dashboard(language):
    return build(
        language, "failed-polls", "Qlik Sense failed polls",
        "Which polls brought nothing, and why; for data that Footman or Butler SOS wrote.",
        VARIABLES,
        [("Engine restarts", "orange", RESTART_MARKS)],
        now() + reasons() + polls(),
    )
