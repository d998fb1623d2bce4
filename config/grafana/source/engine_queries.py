"""Questions about engines and sessions that no general form of question covers."""

from .languages import (
    AT_THE_END, IN_ORDER, SERVER, Filter, Query, columns, flux_from, group, window,
)

BY_SERVER = ("server_name",)
BY_PROXY = ("user_session_host", "user_session_virtual_proxy")
SESSIONS = Filter(
    {"server_name": "server", "user_session_virtual_proxy": "virtual_proxy"},
    # Butler SOS left the servers' tags out of these points when it wrote into InfluxDB 2.
    absent=("server_name",),
)

# The counters of an engine begin at zero when it starts.
RESTART_MARKS = Query(
    'SELECT "server_name", "less" FROM (SELECT difference("calls") AS "less" FROM "apps"'
    f" WHERE $timeFilter{SERVER.influxql()} GROUP BY \"server_name\")"
    ' WHERE "less" < 0 AND $timeFilter',
    flux_from("apps", ["calls"], SERVER)
    + group(BY_SERVER)
    + IN_ORDER
    + "  |> toFloat()\n  |> difference()\n  |> filter(fn: (r) => r._value < 0.0)\n"
    + "  |> group()\n"
    + "  |> keep(columns: " + columns("_time", "server_name") + ")\n"
    + '  |> rename(columns: {server_name: "text"})\n',
)
RESTARTS = Query(
    'SELECT count(distinct("started")) - 1 AS "restarts" FROM "sense_server"'
    f" WHERE $timeFilter{SERVER.influxql()} GROUP BY \"server_name\"",
    flux_from("sense_server", ["started"], SERVER)
    + group(BY_SERVER)
    + "  |> distinct()\n  |> count()\n  |> map(fn: (r) => ({r with _value: r._value - 1}))\n"
    + AT_THE_END,
    "{server_name}",
)
HIT_RATIO = Query(
    'SELECT 100 * "hit" / "asked" AS "ratio" FROM (SELECT'
    ' non_negative_difference(last("hits")) AS "hit",'
    ' non_negative_difference(last("lookups")) AS "asked"'
    f' FROM "cache" WHERE $timeFilter{SERVER.influxql()}'
    ' GROUP BY time($__interval), "server_name" fill(none))'
    ' WHERE "asked" > 0 AND $timeFilter GROUP BY "server_name"',
    flux_from("cache", ["hits", "lookups"], SERVER)
    + group(BY_SERVER)
    + IN_ORDER
    + window("last")
    + "  |> toFloat()\n  |> difference(nonNegative: true)\n"
    + '  |> pivot(rowKey: ["_time", "server_name"], columnKey: ["_field"], valueColumn: "_value")\n'
    + "  |> filter(fn: (r) => exists r.hits and exists r.lookups and r.lookups > 0.0)\n"
    + '  |> map(fn: (r) => ({_time: r._time, _measurement: "cache", _field: "ratio",'
    + " server_name: r.server_name, _value: 100.0 * r.hits / r.lookups}))\n"
    + group(BY_SERVER),
    "{server_name}",
)
MISSES = Query(
    'SELECT "asked" - "hit" AS "misses" FROM (SELECT'
    ' non_negative_derivative(last("hits"), 1s) AS "hit",'
    ' non_negative_derivative(last("lookups"), 1s) AS "asked"'
    f' FROM "cache" WHERE $timeFilter{SERVER.influxql()}'
    ' GROUP BY time($__interval), "server_name" fill(none))'
    ' WHERE $timeFilter GROUP BY "server_name"',
    flux_from("cache", ["hits", "lookups"], SERVER)
    + group(BY_SERVER)
    + IN_ORDER
    + window("last")
    + "  |> toFloat()\n  |> derivative(unit: 1s, nonNegative: true)\n"
    + '  |> pivot(rowKey: ["_time", "server_name"], columnKey: ["_field"], valueColumn: "_value")\n'
    + "  |> filter(fn: (r) => exists r.hits and exists r.lookups)\n"
    + '  |> map(fn: (r) => ({_time: r._time, _measurement: "cache", _field: "misses",'
    + " server_name: r.server_name, _value: r.lookups - r.hits}))\n"
    + group(BY_SERVER),
    "{server_name} misses",
)
COMMITTED_SHARE = Query(
    'SELECT 100 * last("comitted") / last("total_physical") AS "share" FROM "mem"'
    f" WHERE $timeFilter{SERVER.influxql()} GROUP BY \"server_name\"",
    flux_from("mem", ["comitted", "total_physical"], SERVER)
    + group(BY_SERVER)
    + IN_ORDER
    + "  |> last()\n  |> toFloat()\n"
    + '  |> pivot(rowKey: ["_time", "server_name"], columnKey: ["_field"], valueColumn: "_value")\n'
    + "  |> filter(fn: (r) => exists r.comitted and exists r.total_physical)\n"
    + '  |> map(fn: (r) => ({_time: r._time, _measurement: "mem", _field: "share",'
    + " server_name: r.server_name, _value: 100.0 * r.comitted / r.total_physical}))\n"
    + group(BY_SERVER),
    "{server_name}",
)
USERS_BY_PROXY = Query(
    'SELECT count(distinct("user_id")) FROM "user_session_details"'
    f" WHERE $timeFilter{SESSIONS.influxql()}"
    ' GROUP BY time($__interval), "user_session_virtual_proxy" fill(none)',
    flux_from("user_session_details", ["user_id"], SESSIONS)
    + group(["user_session_virtual_proxy"])
    + window("(column, tables=<-) => tables |> distinct(column: column) |> count()"),
    "{user_session_virtual_proxy}",
)
BUSIEST = Query(
    'SELECT max("last") FROM (SELECT last("total") AS "last" FROM "cpu"'
    f" WHERE $timeFilter{SERVER.influxql()} GROUP BY \"server_name\")",
    flux_from("cpu", ["total"], SERVER) + group(BY_SERVER) + IN_ORDER + "  |> last()\n"
    + group([]) + "  |> max()\n",
    "load",
)
