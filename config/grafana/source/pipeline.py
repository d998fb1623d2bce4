"""The pipeline itself: programs, what waits, what was not stored."""

from .dashboard import build, variable
from .languages import Filter, increase, latest_point, over_time, rate
from .panels import column, row, state_timeline, table, thresholds, timeseries, yes_and_no
from .site import ONLY_FOOTMAN

BEATS = "footman_heartbeat"
BY_PROGRAM = ("process", "instance")
PROGRAM = Filter({"process": "process", "instance": "instance"})
EVERYTHING = Filter({})
WHO = "{process} {instance}"

VARIABLES = [
    variable(tag, label, f'SHOW TAG VALUES FROM "{BEATS}" WITH KEY = "{tag}"', [BEATS], tag)
    for tag, label in (("process", "Process"), ("instance", "Instance"))
]


def beat(field, function="max", legend=WHO):
    return over_time(BEATS, field, function, BY_PROGRAM, PROGRAM, legend)


def counted(field):
    return increase(BEATS, field, BY_PROGRAM, PROGRAM, WHO)


def programs():
    return [
        row("Programs"),
        table(
            "Heartbeats",
            "The last beat of each program within the time range. Each beats every 30 seconds: "
            "an older one is a program that is stopped, cannot reach the broker, or whose beats "
            "nobody stores. " + ONLY_FOOTMAN,
            [latest_point(
                BEATS,
                ["version", "honest", "uptime_s", "resident_mb", "outbox", "backlog",
                 "oldest_unwritten_s"],
                BY_PROGRAM, PROGRAM,
            )],
            {"process": "Process", "instance": "Instance", "Time": "Last beat",
             "honest": "Does its work", "version": "Version", "uptime_s": "Uptime",
             "resident_mb": "Memory", "outbox": "Outbox", "backlog": "Held",
             "oldest_unwritten_s": "Lag"},
            overrides=[
                column("Last beat", unit="dateTimeFromNow"), column("Uptime", unit="s"),
                column("Memory", unit="mbytes"), column("Lag", unit="s"),
                column("Does its work", mappings=yes_and_no(("yes", "green"), ("no", "red"))),
            ],
        ),
        state_timeline(
            "Does its work",
            "What each program says of itself: polls end and the broker takes their events; "
            "deliveries are stored. No: its log and its page /readyz say what is missing. "
            + ONLY_FOOTMAN,
            [over_time(BEATS, "honest", "min", BY_PROGRAM, PROGRAM, WHO, boolean=True)],
            yes_and_no(("yes", "green"), ("no", "red")),
        ),
        timeseries(
            "Beats",
            "Beats of each program that were stored: two a minute. Beats that were late arrive "
            "with their own time, so a hole that fills up later was an outage without a loss. "
            + ONLY_FOOTMAN,
            [beat("uptime_s", "count")], "none",
        ),
        timeseries(
            "Resident memory",
            "What each program has of the machine's memory. It does not grow with what waits. "
            + ONLY_FOOTMAN,
            [beat("resident_mb")], "mbytes",
        ),
    ]


def waiting():
    return [
        row("What waits"),
        timeseries(
            "Lag",
            "How long the oldest event that a writer holds has waited to be stored. Seconds are "
            "normal. Minutes: InfluxDB is slow or away; the writer's page /readyz says which. "
            + ONLY_FOOTMAN,
            [beat("oldest_unwritten_s")], "s", steps=thresholds(("yellow", 60), ("red", 300)),
        ),
        timeseries(
            "Held by writers",
            "Deliveries that a writer has taken and not yet stored. At its limit while it catches "
            "up; it falls to near zero afterwards. " + ONLY_FOOTMAN,
            [beat("backlog")], "none",
        ),
        timeseries(
            "Outbox",
            "Events that wait on the collector's disk. Growing: the broker is away, or, with the "
            "embedded one, InfluxDB is. Nothing is lost until the outbox is full. "
            + ONLY_FOOTMAN,
            [beat("outbox")], "none",
        ),
        timeseries(
            "Events",
            "Events each second: published and confirmed by the broker, delivered to writers, "
            "stored. All alike means that nothing piles up. " + ONLY_FOOTMAN,
            [
                rate(BEATS, field, BY_PROGRAM, PROGRAM, f"{WHO} {field}")
                for field in ("published", "confirmed", "delivered", "stored")
            ],
            "ops",
        ),
    ]


def not_stored():
    return [
        row("What did not go well"),
        timeseries(
            "Failed writes",
            "Requests that InfluxDB did not answer with success. They are repeated, so none of "
            "them is a loss; many of them are a reason to look at InfluxDB. " + ONLY_FOOTMAN,
            [counted("failed_writes")], "none", bars=True,
        ),
        timeseries(
            "Dead letters",
            "Events that InfluxDB refused for good; they are kept. `footman dead-letters list` "
            "says which and why; mend the cause, then `footman dead-letters replay`. "
            + ONLY_FOOTMAN,
            [counted("dead_lettered")], "none", bars=True,
        ),
        timeseries(
            "Lost",
            "Events that the broker confirmed and forgot, and that the collector has no more. "
            "The collector's log names them. Look at the broker's limits. " + ONLY_FOOTMAN,
            [counted("lost")], "none", bars=True,
        ),
        timeseries(
            "Redelivered",
            "Deliveries that came again, after a writer or a connection ended. They overwrite "
            "what is stored. Many without a restart: the connection to the broker is bad. "
            + ONLY_FOOTMAN,
            [counted("redelivered")], "none", bars=True,
        ),
    ]


def polling():
    return [
        row("Polling"),
        timeseries(
            "Poll durations by API",
            "From the request to the end of its answer, on average. " + ONLY_FOOTMAN,
            [over_time("footman_poll", "duration_ms", "mean", ["source"], EVERYTHING,
                       "{source}")],
            "ms",
        ),
        timeseries(
            "Memory as Butler SOS told it",
            "The collector's memory on the schedule of uptimeMonitor, where "
            "storeInInfluxdb.butlerSOSMemoryUsage is on. Butler SOS wrote its own here.",
            [over_time("butlersos_memory_usage", "process_memory", "mean",
                       ["butler_sos_instance"], EVERYTHING, "{butler_sos_instance}")],
            "mbytes",
        ),
    ]


def dashboard(language):
    return build(
        language, "pipeline", "Footman pipeline",
        "Whether Footman does its work: programs, what waits, what was not stored.",
        VARIABLES,
        [],
        programs() + waiting() + not_stored() + polling(),
    )
