"""The pipeline beside Home Assistant: a simulated site, mosquitto, the collector, a writer."""

import json
import pathlib
import signal
import subprocess
import tempfile
import urllib.request

from .waiting import free_port, until

INTERVAL_S = 2
# Names as people give them: an umlaut, blanks, dots, a slash, an ampersand.
NAMES = ["sense1", "Zürich a/b.c & Co", "sense3.corp.com"]
VIRTUAL_PROXIES = ["/", "/hdr"]


class Stack:
    """Real programs as child processes, each with its words in a file."""

    def __init__(self, workspace: pathlib.Path, discovery: str):
        self.programs = workspace / "target/debug"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="home-assistant-"))
        self.discovery = discovery
        self.names = list(NAMES)
        self.mqtt_port, self.control_port = free_port(), free_port()
        # A network of loopback addresses that hardly another test has.
        self.network = f"127.{100 + self.control_port % 100}.{self.mqtt_port % 250}"
        self.running: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        self.start_mosquitto()
        self.run("simulator", [
            str(self.programs / "simulator"), "--servers", str(len(NAMES)), "--directory", str(self.folder / "certificates"),
            "--first-address", f"{self.network}.1", "--control", f"127.0.0.1:{self.control_port}",
            "--virtual-proxies", ",".join(VIRTUAL_PROXIES), "--day", "3600"])
        until("the site is there", lambda: self.site("state"), 60)
        self.start_writer()
        self.start_collector()

    def run(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("a") as words:
            self.running[name] = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT, cwd=self.folder)

    def start_mosquitto(self) -> None:
        config = self.folder / "mosquitto.conf"
        store = self.folder / "mosquitto"
        store.mkdir(exist_ok=True)
        store.chmod(0o777)  # mosquitto gives up root's rights
        self.folder.chmod(0o755)
        config.write_text(
            f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {store}/\nmax_queued_messages 0\n")
        self.run("mosquitto", ["mosquitto", "-c", str(config)])
        until("mosquitto is there", lambda: self.retained("$SYS/broker/version"), 20)

    def configuration(self) -> str:
        servers = "".join(
            f"      - host: {self.network}.{NAMES.index(name) + 1}:4747\n"
            f"        serverName: {json.dumps(name)}\n"
            f"        userSessions: {{enable: true, host: '{self.network}.{NAMES.index(name) + 1}:4243',"
            f" virtualProxies: [{', '.join(f'{{virtualProxy: {proxy}}}' for proxy in VIRTUAL_PROXIES)}]}}\n"
            for name in self.names)
        return (
            "Butler-SOS:\n  logLevel: info\n"
            "  cert: {clientCert: certificates/client.pem, clientCertKey: certificates/client_key.pem,"
            " clientCertCA: certificates/root.pem}\n"
            f"  userSessions: {{enableSessionExtract: true, pollingInterval: {INTERVAL_S * 1000}}}\n"
            f"  serversToMonitor:\n    pollingInterval: {INTERVAL_S * 1000}\n    servers:\n{servers}"
            f"  broker: {{type: mqtt, mqtt: {{url: 'mqtt://127.0.0.1:{self.mqtt_port}'}}}}\n"
            "  collector:\n    instance: host.a\n    outbox: {directory: data/outbox}\n"
            f"    homeAssistant: {{enable: true, discovery: {self.discovery}}}\n"
            "    http: {listen: '127.0.0.1:0'}\n"
            "  writer: {instance: host-b, lineProtocolFile: points.line, http: {listen: '127.0.0.1:0'}}\n")

    def start_collector(self) -> None:
        (self.folder / "footman.yaml").write_text(self.configuration())
        self.run("collector", [str(self.programs / "collector"), "--config", "footman.yaml"])

    def start_writer(self) -> None:
        (self.folder / "writer.yaml").write_text(self.configuration())
        self.run("writer", [str(self.programs / "writer"), "--config", "writer.yaml"])

    def end(self, name: str, how: int = signal.SIGTERM) -> None:
        program = self.running.pop(name)
        program.send_signal(how)
        program.wait(40)

    def stop(self) -> None:
        for name in reversed(list(self.running)):
            self.end(name)

    def site(self, path: str, method: str = "GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control_port}/{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            return None

    def fault(self, server: int, fault: str) -> None:
        assert self.site(f"fault?server={server}&endpoint=engine&fault={fault}", "POST"), "the fault is not taken"

    def answers(self) -> list[dict]:
        """What the site told, oldest first."""
        return [json.loads(line) for line in (self.site("ledger") or "").splitlines()]

    def retained(self, filter: str) -> dict[str, str]:
        """What mosquitto retains."""
        asked = subprocess.run(
            ["mosquitto_sub", "-p", str(self.mqtt_port), "-t", filter, "-W", "1", "-v", "--retained-only"],
            capture_output=True, text=True)
        return dict(line.split(" ", 1) for line in asked.stdout.splitlines() if " " in line)
