"""A dashboard out of panels: places, ids, variables, annotations, links; once in each language."""

from . import panels as shapes

DATASOURCE = {"type": "influxdb", "uid": "${ds}"}
# The data sources that the provisioning files make; others can be chosen in each dashboard.
DEFAULT_SOURCE = {
    "influxql": {"text": "Footman (InfluxQL)", "value": "footman-influxql"},
    "flux": {"text": "Footman (Flux)", "value": "footman-flux"},
}
LANGUAGE_NAMES = {"influxql": "InfluxQL", "flux": "Flux"}
COLUMNS = 24
# Grafana 11 writes this version of the classic model; newer ones read it.
SCHEMA_VERSION = 39


def build(language, name, title, description, variables, annotations, panels):
    """The dashboard as Grafana reads it."""
    family = f"footman-{language}"
    return {
        "annotations": {"list": [_own_annotations()] + [
            _annotation(language, *annotation) for annotation in annotations
        ]},
        "description": description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [_links(family)],
        "panels": list(_placed(language, panels)),
        "refresh": "1m",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["footman", family, "qlik-sense"],
        "templating": {"list": [_source(language)] + [
            variable[language] for variable in variables
        ]},
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": f"{title} ({LANGUAGE_NAMES[language]})",
        "uid": f"footman-{language}-{name}",
        "version": 1,
        "weekStart": "",
    }


def variable(name, label, influxql, measurements, tag):
    """A variable whose values are those of a tag; all of them to begin with.

    All of them is `.*`, so that points without the tag are shown as well.
    """
    predicate = " or ".join(
        f'r._measurement == "{measurement}"' for measurement in measurements
    )
    flux = (
        'import "influxdata/influxdb/schema"\n'
        f'schema.tagValues(bucket: v.defaultBucket, tag: "{tag}",'
        f" predicate: (r) => {predicate}, start: v.timeRangeStart)"
    )
    shape = {
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": DATASOURCE,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        # On each change of the time range.
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }
    return {"influxql": shape | {"query": influxql}, "flux": shape | {"query": flux}}


def text_variable(name, label, description, value):
    """A variable that is typed."""
    choice = {"selected": True, "text": value, "value": value}
    shape = {
        "current": choice,
        "description": description,
        "hide": 0,
        "label": label,
        "name": name,
        "options": [choice],
        "query": value,
        "skipUrlSync": False,
        "type": "textbox",
    }
    return {"influxql": shape, "flux": shape}


def _source(language):
    return {
        "current": {"selected": True, **DEFAULT_SOURCE[language]},
        "hide": 0,
        "includeAll": False,
        "label": f"Data source ({LANGUAGE_NAMES[language]})",
        "multi": False,
        "name": "ds",
        "options": [],
        "query": "influxdb",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def _links(family):
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [family],
        "targetBlank": False,
        "title": "",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }


def _own_annotations():
    return {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }


def _annotation(language, name, color, query):
    target = {"refId": "Anno", "query": getattr(query, language)}
    if language == "influxql":
        target |= {
            "fromAnnotations": True,
            "rawQuery": True,
            "resultFormat": "table",
            "tagsColumn": "server_name",
            "textColumn": "server_name",
        }
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "name": name,
        "target": target,
    }


def _placed(language, panels):
    """Panels from left to right, and below each other."""
    x = y = line_height = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, line_height = 0, y + line_height, 0
        place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
        yield _panel(language, panel, number, place)
        x, line_height = x + panel.width, max(line_height, panel.height)


def _panel(language, panel, number, place):
    written = {"gridPos": place, "id": number, "title": panel.title, "type": panel.kind}
    if panel.kind == "row":
        return written | {"collapsed": False, "panels": []}
    references = [chr(ord("A") + index) for index in range(len(panel.queries))]
    targets = list(zip(references, panel.queries))
    overrides = list(panel.overrides)
    if language == "flux":
        overrides += [
            _named(reference, query.legend) for reference, query in targets if query.legend
        ]
    written |= {
        "datasource": DATASOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": panel.defaults, "overrides": overrides},
        "interval": panel.interval,
        "options": panel.options,
        "targets": [_target(language, reference, query) for reference, query in targets],
    }
    if panel.transformations:
        written["transformations"] = panel.transformations
    if panel.time_from:
        written |= {"hideTimeOverride": False, "timeFrom": panel.time_from}
    return written


def _target(language, reference, query):
    target = {"datasource": DATASOURCE, "refId": reference}
    if language == "flux":
        return target | {"query": query.flux}
    target |= {
        "query": query.influxql,
        "rawQuery": True,
        "resultFormat": "table" if query.table else "time_series",
    }
    if query.legend:
        target["alias"] = shapes.in_influxql(query.legend)
    return target


def _named(reference, legend):
    return {
        "matcher": {"id": "byFrameRefID", "options": reference},
        "properties": [{"id": "displayName", "value": shapes.in_flux(legend)}],
    }
