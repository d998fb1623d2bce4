"""Node-RED from npm, and the flow in it."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

from .processes import Failed, check, eventually, free_port

# Node-RED 5 needs Node 22.9.
OLD, NEW, NEW_NEEDS = "4.1", "5.0", (22, 9)
SETTINGS = """module.exports = {{
    uiHost: "127.0.0.1", uiPort: {port}, flowFile: "flows.json", credentialSecret: false,
    disableEditor: true, telemetry: {{ enabled: false, updateNotification: false }},
    externalModules: {{ autoInstall: false, palette: {{ allowInstall: false, allowUpload: false }}, modules: {{ allowInstall: false }} }},
    logging: {{ console: {{ level: "info", metrics: false, audit: false }} }},
}};
"""


def version_for_this_node():
    """The newest that this machine's Node runs."""
    node = shutil.which("node")
    check(node and shutil.which("npm"), "node and npm are missing: install Node.js 18.5 or newer")
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = tuple(int(number) for number in re.findall(r"\d+", text)[:2])
    return (NEW if numbers >= NEW_NEEDS else OLD), text.strip()


def install(folder, version):
    """Installs it below `target/`, unless it is there."""
    place = folder / version
    package = place / "node_modules" / "node-red" / "package.json"
    if not package.exists():
        place.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--omit=optional", "--prefix", str(place), f"node-red@{version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"npm install failed:\n{done.stderr[-2000:]}")
    return place, json.loads(package.read_text())["version"]


class NodeRed:
    """A running Node-RED."""

    def __init__(self, processes, place):
        self.processes = processes
        self.folder = processes.folder
        self.port = free_port()
        home = self.folder / "node-red"
        home.mkdir()
        (home / "settings.js").write_text(SETTINGS.format(port=self.port))
        self.start_command = ["node", place / "node_modules" / "node-red" / "red.js", "--userDir", home]
        self.start()

    def start(self):
        """Starts it (again) with the flow that it has."""
        self.process = self.processes.start("node-red", self.start_command, port=self.port)

    def call(self, path, body=None, **headers):
        """Asks it over HTTP: the answer's headers and text."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.headers, answer.read().decode()
        except OSError as error:
            raise Failed(f"{path}: {error}") from error

    def import_flow(self, file, port):
        """Imports the flow as it lies in the repository; only the broker's port is this test's own, and a
        tab is beside it, on which alarms, counts and readings are attached as an operator would."""
        flow = json.loads(Path(file).read_text())
        for node in flow:
            if node["type"] == "mqtt-broker":
                node["port"] = str(port)
        flow += self.attached(flow)
        self.call("/flows", flow, **{"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"})
        eventually("the page", self.serves)

    def serves(self):
        """Whether the flow's pages are there; they come a moment after the flow."""
        try:
            return self.state()
        except Failed:
            return None

    def attached(self, flow):
        """A tab that writes what leaves the flow to files."""
        nodes = [{"id": "a0", "type": "tab", "label": "attached"}]
        for number, (name, member) in enumerate([("alarms", "alarm"), ("sessions", "payload"), ("servers", "payload")]):
            link, change, text, file = (f"a{number}{letter}" for letter in "abcd")
            out = next(node for node in flow if node["type"] == "link out" and node["name"] == f"Footman {name}")
            out["links"] = [link]
            rule = {"t": "set", "p": "payload", "pt": "msg", "to": member, "tot": "msg"}
            place = {"z": "a0", "x": 100, "y": 100}
            nodes += [
                {"id": link, "type": "link in", "links": [out["id"]], "wires": [[change]], **place},
                {"id": change, "type": "change", "rules": [rule], "wires": [[text]], **place},
                {"id": text, "type": "json", "property": "payload", "action": "str", "wires": [[file]], **place},
                {"id": file, "type": "file", "filename": str(self.folder / f"{name}.jsonl"), "filenameType": "str",
                 "appendNewline": True, "createDir": False, "overwriteFile": "false", "encoding": "none", "wires": [[]], **place},
            ]
        return nodes

    def left(self, name):
        """What has left the flow so far: `alarms`, `sessions` or `servers`."""
        file = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def state(self):
        """What the page shows, as JSON."""
        return json.loads(self.call("/footman/state")[1])

    def page(self):
        """The page, with its headers."""
        return self.call("/footman")

    def complaints(self):
        """Lines of its log that say that something is wrong."""
        lines = self.processes.log("node-red").splitlines()
        return [line for line in lines if "[error]" in line or "[warn]" in line]
