"""The shapes of panels: what Grafana calls them and needs for them. Core panels alone."""

import re
from dataclasses import dataclass, field

# Nothing is polled more often by default, and twice a minute is what heartbeats do:
# shorter intervals would be empty ones.
LEAST_INTERVAL = "1m"
# Lines end where nothing was heard for this long, so that an outage is seen as a gap.
LONGEST_LINE_MS = 10 * 60 * 1000
# What Grafana calls the times of one answer and of joined ones.
TIMES = ("Time", "Time 1", "Time 2")
# What "now" means: longer than the intervals between polls that sites use.
NOW = "10m"


@dataclass
class Panel:
    """A panel before it has a place, an id and a language."""

    kind: str
    title: str
    description: str
    queries: list
    width: int
    height: int
    defaults: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    overrides: list = field(default_factory=list)
    transformations: list = field(default_factory=list)
    time_from: str = ""
    interval: str = LEAST_INTERVAL


def thresholds(*steps, below="green"):
    """Colours from values on; `below` is the colour before the first of them."""
    first = {"color": below, "value": None}
    return [first] + [{"color": color, "value": value} for color, value in steps]


def _defaults(unit, steps, color, **more):
    return {
        "color": {"mode": color},
        "mappings": [],
        "thresholds": {"mode": "absolute", "steps": steps or thresholds(below="text")},
        "unit": unit,
        **more,
    }


def _legend(calcs):
    return {"calcs": calcs, "displayMode": "table", "placement": "bottom", "showLegend": True}


def _reduced():
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def timeseries(title, description, queries, unit, width=12, height=8, steps=None, bars=False,
               least=0, most=None, time_from="", overrides=()):
    """Lines over time, or stacked bars of what happened in each interval."""
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 70 if bars else 8,
        "lineWidth": 1,
        "showPoints": "never" if bars else "auto",
        "pointSize": 4,
        "spanNulls": False if bars else LONGEST_LINE_MS,
        "stacking": {"group": "A", "mode": "normal" if bars else "none"},
        "thresholdsStyle": {"mode": "dashed" if steps else "off"},
    }
    bounds = {} if least is None else {"min": least}
    bounds |= {} if most is None else {"max": most}
    return Panel(
        "timeseries", title, description, queries, width, height,
        _defaults(unit, steps, "palette-classic", custom=custom, **bounds),
        {
            "legend": _legend(["sum"] if bars else ["lastNotNull", "max"]),
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        list(overrides),
        time_from=time_from,
    )


def dashed(reference):
    """Draws a query's lines dashed: a limit, not a load."""
    style = {"dash": [8, 6], "fill": "dash"}
    return {
        "matcher": {"id": "byFrameRefID", "options": reference},
        "properties": [
            {"id": "custom.lineStyle", "value": style},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }


def stat(title, description, queries, unit, width=4, height=4, steps=None, time_from=NOW,
         none="0"):
    """A number; `none` is shown when there is no answer."""
    return Panel(
        "stat", title, description, queries, width, height,
        _defaults(unit, steps, "thresholds", noValue=none),
        {
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": _reduced(),
            "textMode": "auto",
        },
        time_from=time_from,
    )


def bargauge(title, description, queries, unit, width=12, height=8, steps=None, least=0,
             most=None, time_from=NOW):
    """A bar for each answer, coloured by thresholds."""
    bounds = {"min": least} | ({} if most is None else {"max": most})
    return Panel(
        "bargauge", title, description, queries, width, height,
        _defaults(unit, steps, "thresholds", **bounds),
        {
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": _reduced(),
            "showUnfilled": True,
            "valueMode": "color",
        },
        time_from=time_from,
    )


def yes_and_no(yes, no):
    """What booleans mean: InfluxQL answers them as they are, Flux as 1 and 0."""
    (yes_text, yes_color), (no_text, no_color) = yes, no
    good = {"text": yes_text, "color": yes_color, "index": 0}
    bad = {"text": no_text, "color": no_color, "index": 1}
    return [{"type": "value", "options": {"true": good, "1": good, "false": bad, "0": bad}}]


def state_timeline(title, description, queries, mappings, width=24, height=6):
    """States over time, a row for each series."""
    defaults = _defaults("none", None, "thresholds", custom={"fillOpacity": 80, "lineWidth": 0})
    return Panel(
        "state-timeline", title, description, queries, width, height,
        defaults | {"mappings": mappings},
        {
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
    )


def table(title, description, queries, titles, width=24, height=8, overrides=(), steps=None,
          time_from="", sort="", before=()):
    """Rows; `titles` are the columns in their order with what stands above them.

    `before` are transformations that make the rows out of the answers.
    """
    if "Time" in titles:
        # InfluxQL calls the time so, Flux otherwise.
        titles = {"Time": titles["Time"], "_time": titles["Time"]} | titles
    organize = {
        # Joined answers bring a time each.
        "excludeByName": {} if "Time" in titles else dict.fromkeys(TIMES, True),
        "indexByName": {column: index for index, column in enumerate(titles)},
        "renameByName": {column: text for column, text in titles.items() if column != text},
    }
    defaults = _defaults(
        "none", steps, "thresholds",
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True,
                "inspect": False},
    )
    order = [{"desc": True, "displayName": sort}] if sort else []
    return Panel(
        "table", title, description, queries, width, height, defaults,
        {"cellHeight": "sm", "showHeader": True, "sortBy": order},
        list(overrides),
        [*before, {"id": "organize", "options": organize}],
        time_from,
    )


def column(name, **properties):
    """How a column of a table, named as it is shown, looks."""
    listed = [{"id": key.replace("_", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def row(title):
    """A line with a title above panels."""
    return Panel("row", title, "", [], 24, 1)


def in_flux(legend):
    """A legend for Flux, whose answers name tags as labels."""
    return re.sub(r"\{(\w+)\}", r"${__field.labels.\1}", legend)


def in_influxql(legend):
    """A legend for InfluxQL."""
    return re.sub(r"\{(\w+)\}", r"$tag_\1", legend)
