#!/usr/bin/env python3
"""Writes the flow: `config/node-red/generate.py`; with `--check`, says whether it differs.

Only needed to change it; Node-RED imports `footman-flow.json`. What the function nodes do and the
page are in `source/`. Python's standard library is enough.
"""

import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLOW = HERE / "footman-flow.json"
PREFIX = "qliksense/v1"
# A grid that the editor finds tidy: columns of nodes, and rows within a group.
COLUMNS = [150, 390, 630, 870]
ROW = 40
WIDTH = 1000


def identity(label):
    """Sixteen hex digits that stay the same as long as the label does."""
    return hashlib.sha256(f"footman {label}".encode()).hexdigest()[:16]


TAB = identity("tab")
BROKER = identity("broker")


class Flow:
    """The nodes, laid out group below group."""

    def __init__(self):
        self.nodes = []
        self.top = 40

    def group(self, name, words, rows):
        """A frame with a comment and rows of nodes: (column, node) each."""
        height = ROW * (len(rows) + 2)
        group = identity(f"group {name}")
        comment = node("comment", f"{name}: what it does", info=words)
        inside = [[(0, comment)], *rows]
        members = []
        for number, row in enumerate(inside):
            for column, one in row:
                one |= {"z": TAB, "g": group, "x": COLUMNS[column], "y": self.top + ROW * (number + 1)}
                members.append(one)
        self.nodes.append({
            "id": group, "type": "group", "z": TAB, "name": name, "style": {"label": True},
            "nodes": [one["id"] for one in members],
            "x": 34, "y": self.top, "w": WIDTH, "h": height,
        })
        self.nodes += members
        self.top += height + 20


def node(kind, name, wires=(), **properties):
    """A node, wired to others by their names: a list for each output."""
    return {
        "id": identity(name), "type": kind, "name": name, **properties,
        "wires": [[identity(other) for other in output] for output in wires],
    }


def function(name, source, wires=()):
    """A function node with its text from `source/`."""
    text = (HERE / "source" / source).read_text(encoding="utf-8").rstrip("\n")
    return node("function", name, wires, func=text, outputs=len(wires), timeout=0, noerr=0,
                initialize="", finalize="", libs=[])


def subscription(name, topic, wires):
    """A subscription; QoS 1, so that nothing is left out while Node-RED is busy."""
    return node("mqtt in", name, wires, topic=f"{PREFIX}/{topic}", qos="1", datatype="auto-detect",
                broker=BROKER, nl=False, rap=True, rh=0, inputs=0)


def page(name, url, wires):
    """A page that Node-RED serves."""
    return node("http in", name, wires, url=url, method="get", upload=False, skipBodyParsing=False,
                swaggerDoc="")


def answer(name, **headers):
    """Sends a page."""
    headers |= {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return node("http response", name, statusCode="200", headers=headers)


def way_out(name):
    """Where an operator attaches what he likes."""
    return node("link out", name, mode="link", links=[])


def debug(name, active, complete):
    """Shows messages in the editor's sidebar."""
    return node("debug", name, active=active, tosidebar=True, console=False, tostatus=False,
                complete=complete, targetType="full" if complete == "true" else "msg",
                statusVal="", statusType="auto")


def button(name, wires, **timing):
    """Begins something by the clock, or when it is clicked."""
    timing = {"repeat": "", "once": False, "onceDelay": "0.1"} | timing
    return node("inject", name, wires, props=[{"p": "payload"}], crontab="", topic="", payload="",
                payloadType="date", **timing)


def kinds(name, wires):
    """Parts events by their type."""
    rules = [{"t": "eq", "v": f"qliksense.{kind}.v1", "vt": "str"} for kind in KINDS]
    return node("switch", name, wires, property="payload.type", propertyType="msg", rules=rules,
                checkall="true", repair=False, outputs=len(rules))


def template(name, source, wires):
    """Fills a page in."""
    text = (HERE / "source" / source).read_text(encoding="utf-8")
    return node("template", name, wires, field="payload", fieldType="msg", format="html",
                syntax="mustache", template=text, output="str")


def tab(words):
    """The tab with what an operator may change."""
    changeable = {"SILENCE_SECONDS": "90", "FAILED_POLLS": "1"}
    env = [{"name": name, "value": value, "type": "num"} for name, value in changeable.items()]
    return {"id": TAB, "type": "tab", "label": "Footman", "disabled": False, "info": words, "env": env}


def broker():
    """The one place that says where the broker is. 3.1.1, since nats-server speaks nothing newer."""
    never = {
        f"{when}{what}": value
        for when in ("birth", "close", "will")
        for what, value in (("Topic", ""), ("Qos", "0"), ("Retain", "false"), ("Payload", ""), ("Msg", {}))
    }
    return {
        "id": BROKER, "type": "mqtt-broker", "name": "Footman's broker", "broker": "127.0.0.1",
        "port": "1883", "clientid": "", "autoConnect": True, "usetls": False, "protocolVersion": "4",
        "keepalive": "60", "cleansession": True, "autoUnsubscribe": True, **never,
        "userProps": "", "sessionExpiry": "",
    }


KINDS = ["health", "sessions", "app-names", "failed-polls", "heartbeats"]
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def flow():
    """All nodes, as Node-RED exports them."""
    words = json.loads((HERE / "source" / "words.json").read_text(encoding="utf-8"))
    layout = Flow()
    events, alarms, view = ["Events only"], ["Begins or ends"], ["What the page shows"]
    layout.group("Listen", words["listen"], [
        [(0, subscription("Health", "health/+", [events])), (1, function("Events only", "events.js", [["Kind"]]))],
        [(0, subscription("Sessions", "sessions/+/+", [events])), (2, kinds("Kind", [
            ["Newest health", "Does polling fail?"],
            ["Count sessions", "Does polling fail?"],
            ["Does polling fail?"],
            ["Does polling fail?"],
            ["Who beats"],
        ]))],
        [(0, subscription("App names", "app-names/+", [events]))],
        [(0, subscription("Failed polls", "failed-polls/+/+", [events]))],
        [(0, subscription("Heartbeats", "heartbeats/+/+", [events]))],
    ])
    layout.group("Servers", words["servers"], [
        [(2, function("Newest health", "health.js", [alarms, ["Footman servers"]])), (3, way_out("Footman servers"))],
        [(0, subscription("State, kept by the broker", "state/+", [["Until the first poll"]])),
         (2, function("Until the first poll", "state.js", [alarms]))],
    ])
    layout.group("Polls that fail", words["failing"], [
        [(2, function("Does polling fail?", "failing.js", [alarms]))],
    ])
    layout.group("Sessions", words["sessions"], [
        [(2, function("Count sessions", "sessions.js", [["Footman sessions", "Show counts"]])), (3, way_out("Footman sessions"))],
        [(3, debug("Show counts", False, "payload"))],
    ])
    layout.group("Silence", words["silence"], [
        [(0, button("Every ten seconds", [["Who is silent"]], repeat="10", once=True, onceDelay="1")),
         (2, function("Who is silent", "silence.js", [alarms]))],
        [(2, function("Who beats", "heartbeats.js", [alarms]))],
        [(0, subscription("Online or offline", "status/+/+", [["What the broker keeps"]])),
         (2, function("What the broker keeps", "status.js", [alarms]))],
        [(0, node("status", "Is the broker there?", [["Connected or not"]], scope=[identity("Health")])),
         (2, function("Connected or not", "connection.js"))],
    ])
    layout.group("Alarms", words["alarms"], [
        [(1, function("Begins or ends", "alarms.js", [["Footman alarms", "Show alarms"]])), (3, way_out("Footman alarms"))],
        [(3, debug("Show alarms", True, "payload"))],
    ])
    layout.group("Page", words["page"], [
        [(0, page("The page", "/footman", [view])), (1, function("What the page shows", "view.js", [["Page"], ["Send JSON"]])),
         (2, template("Page", "page.html", [["Send page"]])),
         (3, answer("Send page", **{"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}))],
        [(0, page("Its JSON", "/footman/state", [view])), (3, answer("Send JSON"))],
    ])
    layout.group("Begin anew", words["anew"], [
        [(0, button("Forget all", [["Forget"]])), (2, function("Forget", "forget.js"))],
    ])
    return [tab(words["tab"]), broker(), *layout.nodes]


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    text = json.dumps(flow(), indent=2, ensure_ascii=False) + "\n"
    same = FLOW.exists() and FLOW.read_text(encoding="utf-8") == text
    if not same and check:
        sys.exit(f"{FLOW.name} differs from its source, run generate.py")
    if not same:
        FLOW.write_text(text, encoding="utf-8")
    print("nothing differs" if same else FLOW.name)


if __name__ == "__main__":
    main()
