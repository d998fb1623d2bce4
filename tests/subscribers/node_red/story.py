"""What happens to the site, the programs and the broker, and what the flow has to say of it."""

import html
import json
import re
import subprocess
import time

from . import compare
from .house import Mosquitto, Nats, Programs
from .processes import check, eventually, foreign_connections
from .site import INTERVAL_MS, SERVERS, VIRTUAL_PROXIES

# Beats come every 30 s, silence is said after 90 s and looked for every 10 s.
SILENCE_PATIENCE_S = 150


def told(text):
    """Says what has been seen."""
    print(f"  {time.strftime('%H:%M:%S')}  {text}", flush=True)


class Story:
    """One run."""

    def __init__(self, processes, built, site, node_red, flow):
        self.processes, self.built, self.site = processes, built, site
        self.node_red, self.flow = node_red, flow
        self.capture = list

    def row(self, server):
        """A server's row on the page, from 1."""
        name = self.site.names[server - 1]
        return next((row for row in self.node_red.state()["servers"] if row["server"] == name), None)

    def alarms(self, **wanted):
        """Alarms that have left the flow."""
        return [alarm for alarm in self.node_red.left("alarms") if wanted.items() <= alarm.items()]

    def everybody_is_shown(self):
        """Every server with its values and sessions."""
        def look():
            rows = [self.row(server) for server in range(1, SERVERS + 1)]
            whole = all(row and row["reading"] and len(row["proxies"]) == len(VIRTUAL_PROXIES) for row in rows)
            return whole and not any(row["failing"] for row in rows)
        eventually("every server on the page", look)

    def over_mosquitto(self):
        """The long part: faults, saturation, silence, a restart of the broker, and messages that are no events."""
        mosquitto = Mosquitto(self.processes)
        self.retained_before(mosquitto)
        self.node_red.import_flow(self.flow, mosquitto.port)
        eventually("Node-RED at the broker", lambda: self.node_red.state()["connected"])
        programs = Programs(self.processes, self.built, self.site, mosquitto, "mqtt")
        programs.start("writer")
        programs.start("collector")
        self.capture = self.captures(mosquitto)
        self.everybody_is_shown()
        self.beats(programs)
        told(f"{SERVERS} servers, their sessions and both programs are shown")

        writer = programs.instance("writer")
        self.processes.kill(programs.process("writer"))
        killed = time.monotonic()
        eventually("offline on the page", lambda: self.program("writer", writer)["state"] == "offline")
        told("the writer was killed, and is shown as offline at once")

        self.fails(2, "engine", "503", [("health", "")], "http_5xx")
        self.fails(3, "proxy", "refused", [("sessions", proxy) for proxy in VIRTUAL_PROXIES], "connection_refused")
        self.fails(1, "repository", "503", [("app-names", "")], "http_5xx", server_name=self.site.repository)
        self.fails(1, "engine", "hang", [("health", "")], "timeout")
        self.looks_right()
        self.compared(complete=True)

        self.repeated(mosquitto)
        self.nonsense(mosquitto)
        self.silent(writer, killed)
        programs.start("writer")
        eventually("the end of the silence", lambda: self.alarms(alarm="silent", state="ends", instance=writer), 90)
        told("the writer is back, and the silence has ended")

        self.broker_restarts(mosquitto)
        self.compared(complete=False)
        for program in ("collector", "writer"):
            self.processes.stop(programs.process(program))
        check(not foreign_connections(self.node_red.process.pid), "Node-RED has connections to other machines")
        self.processes.stop("capture")
        self.capture = list
        self.processes.stop("mosquitto")

    def over_nats(self):
        """The short part: nats-server's MQTT listener."""
        self.node_red.state()
        for name in ("alarms", "sessions", "servers"):
            (self.processes.folder / f"{name}.jsonl").unlink(missing_ok=True)
        nats = Nats(self.processes)
        # What was known of the other broker is to be forgotten: as after a restart.
        self.processes.stop("node-red")
        self.node_red.start()
        self.node_red.import_flow(self.flow, nats.port)
        eventually("Node-RED at the MQTT listener", lambda: self.node_red.state()["connected"])
        programs = Programs(self.processes, self.built, self.site, nats, "nats")
        programs.start("collector")
        programs.start("writer")
        self.everybody_is_shown()
        self.beats(programs)
        self.fails(2, "engine", "refused", [("health", "")], "connection_refused")
        self.compared(complete=True)

    def retained_before(self, mosquitto):
        """What a broker may hold before Node-RED sees it: an old state, a program that is gone, and an event
        that somebody retained although no event is to be."""
        state = {"server": "from <state>", "state": "ok", "cpu_percent": 42, "last_poll": "2026-01-01T00:00:00Z", "interval_s": 2}
        self.publish(mosquitto, "qliksense/v1/state/retained", json.dumps(state), "-r")
        self.publish(mosquitto, "qliksense/v1/status/writer/gone%2E1", "offline", "-r")

    def publish(self, mosquitto, topic, payload, *further):
        """Publishes with mosquitto's own client."""
        command = ["mosquitto_pub", "-p", str(mosquitto.port), "-q", "1", "-t", topic, *further]
        subprocess.run([*command, "-s" if payload else "-n"], input=payload.encode(), check=True, timeout=30)

    def captures(self, mosquitto):
        """Writes down what is on the bus."""
        self.processes.start("capture", ["mosquitto_sub", "-p", mosquitto.port, "-q", "1", "-F", "%t %p", "-t", "qliksense/v1/#"])
        return lambda: [line.split(" ", 1) for line in self.processes.log("capture").splitlines()]

    def program(self, process, instance):
        """A program on the page."""
        programs = self.node_red.state()["programs"]
        return next((one for one in programs if (one["process"], one["instance"]) == (process, instance)), {"state": None})

    def beats(self, programs):
        """Both programs are there and do their work."""
        for process in ("collector", "writer"):
            instance = programs.instance(process)
            eventually(f"a beat of the {process}", lambda: self.program(process, instance)["state"] == "ok", 90)

    def fails(self, server, endpoint, fault, sources, cause, server_name=None):
        """An endpoint fails for some polls and is well again: one alarm at the beginning, one at the end."""
        name = server_name or self.site.names[server - 1]
        before = len(self.node_red.left("alarms"))

        def alarms(state):
            # On a busy machine a poll of some other endpoint may time out now and then.
            later = self.node_red.left("alarms")[before:]
            mine = [one for one in later if one["alarm"] == "failing" and one["state"] == state and one["cause"] == cause]
            return [one for one in mine if one["server"] == name and (one["source"], one["virtualProxy"]) in sources]

        def failing():
            rows = self.node_red.state()
            shown = [one for row in rows["servers"] for one in row["failing"]] + rows["elsewhere"]
            return [one for one in shown if one["server"] == name and (one["source"], one["virtualProxy"]) in sources]

        eventually(f"{name} to be well", lambda: not failing())
        self.site.fault(server, endpoint, fault)
        eventually(f"{fault} of server {server}'s {endpoint}", lambda: len(alarms("begins")) >= len(sources))
        # Several polls fail meanwhile, and nothing more is said.
        eventually("three failed polls on the page", lambda: len([one for one in failing() if one["ticks"] >= 3]) == len(sources))
        if sources == [("health", "")]:
            check(self.row(server)["state"] == "failing", "the page does not say that the server does not answer")
        self.site.fault(server, endpoint, "none")
        eventually(f"the end of {fault}", lambda: len(alarms("ends")) >= len(sources))
        for state in ("begins", "ends"):
            have = sorted((one["source"], one["virtualProxy"]) for one in alarms(state))
            check(have == sorted(sources), f"{state}: {have}, not {sources}")
        told(f"{fault} at the {endpoint}: {alarms('begins')[0]['text'][:100]} ... and its end")

    def compared(self, complete):
        """Everything that left the flow against everything that the site served."""
        node_red, site = self.node_red, self.site
        served = site.served()
        until = served[-1]["number"]
        for server in range(1, SERVERS + 1):
            # What was served until now has been told when something later has.
            facts = site.health(server, served)[-1]["facts"]["health"]
            eventually(f"newer values of server {server}", lambda: self.newest(server) > (facts["started"], facts["calls"]))
        readings, counts = node_red.left("servers"), node_red.left("sessions")
        entries = site.served()
        seen = compare.readings(site, readings, entries)
        if complete:
            compare.nothing_is_missing(site, seen, entries, until, self.late_answers())
        in_parts = compare.counts(site, counts, entries)
        edges = compare.saturation(site, lambda: node_red.left("alarms"), readings, entries, seen)
        told(f"{len(readings)} readings and {len(counts)} counts ({in_parts} of several parts) are what the site served; saturation began and ended {edges} times")
        return in_parts, edges

    def newest(self, server):
        """The newest start and count of calls that was told of a server."""
        readings = [one for one in self.node_red.left("servers") if one["server"] == self.site.names[server - 1]]
        return (readings[-1]["started"], readings[-1]["calls"]) if readings else ("", 0)

    def late_answers(self):
        """Polls that timed out: on a busy machine an answer may leave the site just too late."""
        failed = [json.loads(payload) for topic, payload in self.capture() if "/failed-polls/" in topic]
        return sum(event["data"]["category"] == "timeout" for event in failed)

    def looks_right(self):
        """The page: all names, escaped; no script, no name of a user."""
        headers, page = self.node_red.page()
        check("default-src 'none'" in headers["Content-Security-Policy"], "no policy for the page")
        check("<script" not in page and "://" not in page.split("</head>")[0], "the page needs more than itself")
        shown = html.unescape(page)
        for name in self.site.names:
            check(name in shown, f"{name!r} is not on the page")
            check(not set(name) & set("<>&\"'") or name not in page, f"{name!r} is not escaped")
        check("from <state>" in shown and "from <state>" not in page, "the retained state is not on the page, or not escaped")
        users = {one["user_id"] for entry in self.site.served() if "sessions" in entry["facts"] for one in entry["facts"]["sessions"]}
        state = json.dumps(self.node_red.state(), ensure_ascii=False)
        # Some users and some servers have the same hurting name, on purpose.
        plain = [user for user in users if re.fullmatch(r"[a-z]+\.[a-z]+|anonymous.+", user)]
        named = [user for user in plain if user in shown or user in state]
        check(plain and not named, f"users are named: {named}")
        told(f"the page shows every server and none of {len(plain)} users")

    def repeated(self, mosquitto):
        """Deliveries that come again change nothing."""
        again = [(topic, payload) for topic, payload in self.capture() if topic.split("/")[2] in ("health", "sessions", "failed-polls")]
        alarms, counts = len(self.alarms(alarm="failing")), len(self.node_red.left("sessions"))
        sample = again[:: max(1, len(again) // 60)] + again[-12:]
        for topic, payload in sample:
            self.publish(mosquitto, topic, payload)
        check(len(self.alarms(alarm="failing")) == alarms, "a repetition gave an alarm")
        check(len(self.node_red.left("sessions")) >= counts, "counts went away")
        self.compared(complete=True)
        told(f"{len(sample)} events came again and changed nothing")

    def nonsense(self, mosquitto):
        """Messages that are no events, or hold what nobody knows."""
        ignored = self.node_red.state()["heard"]["ignored"]
        texts = ["", "no JSON", "7", "true", "null", "[]", "{}", '{"type":"qliksense.health.v1"}',
                 '{"type":"qliksense.health.v2","time":"2026-01-01T00:00:00Z","data":{}}',
                 '{"type":"qliksense.health.v1","time":"yesterday","data":{}}']
        for text in texts:
            self.publish(mosquitto, "qliksense/v1/health/x", text)
        eventually("what is no event", lambda: self.node_red.state()["heard"]["ignored"] >= ignored + len(texts))
        stranger = {"specversion": "1.0", "id": "x", "type": "qliksense.health.v1", "time": "2026-01-01T00:00:00.5Z", "new": 1,
                    "data": {"server": {"name": "a stranger", "new": {}}, "health": {"cpu": {"total": 5, "new": []}, "mem": None}}}
        self.publish(mosquitto, "qliksense/v1/health/__proto__", json.dumps(stranger), "-r")
        eventually("a stranger", lambda: "a stranger" in [row["server"] for row in self.node_red.state()["servers"]])
        lines = (self.processes.folder / "servers.jsonl").read_text().splitlines()
        (self.processes.folder / "servers.jsonl").write_text("".join(f"{line}\n" for line in lines if "a stranger" not in line))
        told(f"{len(texts)} messages that are no events were ignored, and an event with unknown members was taken")

    def silent(self, writer, killed):
        """A program that was killed, and one that was gone before, are told once each."""
        for instance in (writer, "gone.1"):
            eventually(f"silence of {instance}", lambda: self.alarms(alarm="silent", state="begins", instance=instance), SILENCE_PATIENCE_S)
            check(len(self.alarms(alarm="silent", instance=instance)) == 1, f"{instance} was told more than once")
        check(not self.alarms(alarm="silent", process="collector"), "the collector was called silent")
        told(f"the killed writer was called silent {time.monotonic() - killed:.0f} s later, once")

    def broker_restarts(self, mosquitto):
        """The broker goes away and comes back."""
        silent = len(self.alarms(alarm="silent"))
        self.processes.stop("mosquitto")
        eventually("the page to say that the broker is away", lambda: not self.node_red.state()["connected"])
        check("no connection to the broker" in self.node_red.page()[1], "the page does not say it")
        mosquitto.start()
        eventually("Node-RED at the broker again", lambda: self.node_red.state()["connected"])
        before = {server: self.newest(server) for server in range(1, SERVERS + 1)}
        for server, last in before.items():
            eventually("newer values", lambda: self.newest(server) > last)
        check(len(self.alarms(alarm="silent")) == silent, "somebody was called silent")
        self.publish(mosquitto, "qliksense/v1/status/writer/gone%2E1", "", "-r")
        told("the broker was restarted, and values come again")
