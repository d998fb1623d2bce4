"""The site at a glance: engines, memory, sessions, apps, cache."""

from .dashboard import build, variable
from .engine_queries import (
    BUSIEST, BY_PROXY, BY_SERVER, COMMITTED_SHARE, HIT_RATIO, MISSES, RESTART_MARKS, RESTARTS,
    SESSIONS, USERS_BY_PROXY,
)
from .languages import (
    SERVER, Filter, how_many, latest_point, latest_sum, latest_table, over_time, rate,
    summed_over_time,
)
from .panels import (
    bargauge, column, dashed, row, stat, state_timeline, table, thresholds, timeseries,
    yes_and_no,
)

EVERYTHING = Filter({})
ONLY_FOOTMAN = "Only Footman writes this."
# Qlik's own limits: an engine calls itself saturated above 90 % of the processors.
CPU_LIMITS = thresholds(("yellow", 80), ("red", 90))
MEMORY_LIMITS = thresholds(("yellow", 80), ("red", 90))
# Less than this is little for an engine that is to open an app; in MB.
FREE_MEMORY = thresholds(("yellow", 4096), ("green", 8192), below="red")

VARIABLES = [
    variable(
        "server", "Server", 'SHOW TAG VALUES FROM "cpu" WITH KEY = "server_name"', ["cpu"],
        "server_name",
    ),
    variable(
        "virtual_proxy", "Virtual proxy",
        'SHOW TAG VALUES FROM "user_session_summary" WITH KEY = "user_session_virtual_proxy"',
        ["user_session_summary"], "user_session_virtual_proxy",
    ),
]


def per_server(measurement, field, legend="{server_name}", function="mean"):
    return over_time(measurement, field, function, BY_SERVER, SERVER, legend)


def now():
    return [
        row("Now"),
        stat(
            "Servers that answer",
            "Servers whose engine answered within the last ten minutes. "
            "Fewer than you have: look at the dashboard of failed polls.",
            [how_many("cpu", "total", "last", BY_SERVER, SERVER, "servers")], "none",
        ),
        stat(
            "Engine sessions",
            "Sessions of all engines, the last answer of each. An open app is a session.",
            [latest_sum("session", "total", BY_SERVER, SERVER, "sessions")], "none",
        ),
        stat(
            "Users of engines",
            "Users with an engine session, added up over servers: somebody on two counts twice.",
            [latest_sum("users", "total", BY_SERVER, SERVER, "users")], "none",
        ),
        stat(
            "Proxy sessions",
            "Logins at all virtual proxies. Excluded users are counted, too.",
            [latest_sum("user_session_summary", "session_count", BY_PROXY, SESSIONS, "sessions")],
            "none", steps=thresholds(("yellow", 275), ("red", 325)),
        ),
        stat(
            "Apps in memory",
            "Apps in the memory of all engines. 50 and more on one server is much, 70 very much.",
            [latest_sum("apps", "in_memory_docs_count", BY_SERVER, SERVER, "apps")], "none",
        ),
        stat(
            "Most processor load",
            "The busiest engine, on average of half a minute as Qlik Sense measures it. "
            "Above 90 % it calls itself saturated.",
            [BUSIEST], "percent", steps=CPU_LIMITS, none="?",
        ),
        state_timeline(
            "Saturated",
            "An engine says itself that it is saturated: more than 90 % of the processors for "
            "half a minute, or of the physical memory. Users wait then. Look which apps are in "
            "memory and who reloads; move apps or users to another server.",
            [over_time("saturated", "saturated", "max", BY_SERVER, SERVER, "{server_name}",
                       boolean=True)],
            yes_and_no(("saturated", "red"), ("fine", "green")),
        ),
    ]


def load():
    return [
        row("Processors and memory"),
        timeseries(
            "Processor load",
            "What the engines use of their servers' processors. Lasting values above 80 % mean "
            "that users wait.",
            [per_server("cpu", "total")], "percent", steps=CPU_LIMITS,
        ),
        timeseries(
            "Memory",
            "What each engine has committed, and what its server has free. Committed memory that "
            "only grows is normal up to the engine's lower limit (70 % by default); free memory "
            "near zero is not. " + "Dashed: the physical memory. " + ONLY_FOOTMAN
            + " This holds for the dashed lines alone, and for newer versions of Qlik Sense.",
            [
                per_server("mem", "comitted", "{server_name} committed"),
                per_server("mem", "free", "{server_name} free"),
                per_server("mem", "total_physical", "{server_name} physical"),
            ],
            "mbytes", overrides=[dashed("C")],
        ),
        bargauge(
            "Committed of the physical memory",
            "How much of its server's memory each engine has committed. Above the engine's upper "
            "limit (90 % by default) it throws apps out of memory, and users wait for them. "
            + ONLY_FOOTMAN + " Qlik Sense sends the physical memory since 2024.",
            [COMMITTED_SHARE], "percent", steps=MEMORY_LIMITS, most=100,
        ),
        bargauge(
            "Free memory",
            "What each server has free. Below 4 GB is little: find what else runs there.",
            [over_time("mem", "free", "last", BY_SERVER, SERVER, "{server_name}")],
            "mbytes", steps=FREE_MEMORY,
        ),
    ]


def sessions():
    return [
        row("Sessions and users"),
        timeseries(
            "Engine sessions by server",
            "All engine sessions, and those with an action just now. Much more on one server than "
            "on others: look at the load balancing rules.",
            [
                per_server("session", "total", "{server_name}"),
                per_server("session", "active", "{server_name} active"),
            ],
            "none",
        ),
        timeseries(
            "Users by server",
            "Users with an engine session, and those with an action just now.",
            [
                per_server("users", "total", "{server_name}"),
                per_server("users", "active", "{server_name} active"),
            ],
            "none",
        ),
        timeseries(
            "Proxy sessions by virtual proxy",
            "Logins at each virtual proxy, added up over its proxies. A fall to zero in office "
            "hours means that nobody can log in there.",
            [summed_over_time("user_session_summary", "session_count", BY_PROXY,
                              ["user_session_virtual_proxy"], SESSIONS,
                              "{user_session_virtual_proxy}")],
            "none",
        ),
        timeseries(
            "Users by virtual proxy",
            "Different users with a login at each virtual proxy. Empty when the details of "
            "sessions are not stored or user ids are dropped.",
            [USERS_BY_PROXY], "none",
        ),
        timeseries(
            "Proxy sessions by server and virtual proxy",
            "Logins at each proxy service, named by its address, and virtual proxy.",
            [over_time("user_session_summary", "session_count", "mean", BY_PROXY, SESSIONS,
                       "{user_session_host} {user_session_virtual_proxy}")],
            "none", width=24,
        ),
    ]


def apps():
    wrapped = {"type": "auto", "wrapText": True}
    return [
        row("Apps"),
        timeseries(
            "Apps in memory by server",
            "Apps in memory, and those of them that somebody has open. Apps without users stay "
            "in memory until the engine needs room.",
            [
                per_server("apps", "in_memory_docs_count", "{server_name}"),
                per_server("apps", "loaded_docs_count", "{server_name} open"),
            ],
            "none",
        ),
        timeseries(
            "Requests to engines",
            "Calls that engines answer, and selections that users make, each second.",
            [
                rate("apps", "calls", BY_SERVER, SERVER, "{server_name} calls"),
                rate("apps", "selections", BY_SERVER, SERVER, "{server_name} selections"),
            ],
            "ops",
        ),
        table(
            "Which apps are in memory",
            "The last answer of each server. Session apps have no name; they are made by mashups "
            "and end with their session.",
            [latest_table(
                "apps",
                ["in_memory_docs_count", "in_memory_docs_names", "in_memory_session_docs_names"],
                BY_SERVER, SERVER,
            )],
            {
                "server_name": "Server",
                "in_memory_docs_count": "Apps",
                "in_memory_docs_names": "Names",
                "in_memory_session_docs_names": "Session apps",
            },
            overrides=[
                column("Server", custom_width=160), column("Apps", custom_width=80),
                column("Names", custom_cellOptions=wrapped),
            ],
        ),
        table(
            "Apps of the repository",
            "Which apps there are or were, as last told within the time range: the full list comes "
            "at the start and once a day, so choose a day or more. " + ONLY_FOOTMAN,
            [latest_point("app_names", ["name", "state"], ["repository", "app_id"], EVERYTHING)],
            {"name": "App", "state": "State", "Time": "Told", "app_id": "Id",
             "repository": "Repository"},
        ),
    ]


def cache():
    return [
        row("Cache"),
        timeseries(
            "Cache hit ratio",
            "How many of the lookups found a result in the cache. Low for a while after a start "
            "or a reload. Below 20 % with many lookups: apps or users that are unlike each other, "
            "or too little memory.",
            [HIT_RATIO], "percent", most=100,
        ),
        timeseries(
            "Cache hits and misses",
            "Lookups each second that found something, and that did not. Where there are few of "
            "both, the ratio says nothing.",
            [rate("cache", "hits", BY_SERVER, SERVER, "{server_name} hits"), MISSES],
            "ops",
        ),
    ]


def engines():
    return [
        row("Engines"),
        table(
            "Version and uptime",
            "What each engine said last of itself. Different versions within a site are an "
            "upgrade that was not finished.",
            [latest_table("sense_server", ["version", "started", "uptime"], BY_SERVER, SERVER)],
            {"server_name": "Server", "version": "Version", "started": "Started",
             "uptime": "Uptime"},
            width=16,
        ),
        bargauge(
            "Restarts",
            "How often each engine was started anew within the time range; each is also marked "
            "in the graphs. A restart that nobody ordered: look at the engine's own log.",
            [RESTARTS], "none", width=8, steps=thresholds(("yellow", 1), ("red", 3)), time_from="",
        ),
    ]


def dashboard(language):
    return build(
        language, "site", "Qlik Sense site",
        "The site at a glance, for data that Footman or Butler SOS wrote.",
        VARIABLES,
        [("Engine restarts", "orange", RESTART_MARKS)],
        now() + load() + sessions() + apps() + cache() + engines(),
    )
