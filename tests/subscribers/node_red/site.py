"""The simulated site: steered over HTTP, and asked what it served."""

import json
import urllib.request

from .processes import free_port

# Engines of this one are saturated every now and then, all by their load.
SEED = 16
SERVERS = 3
VIRTUAL_PROXIES = ["/", "/hdr"]
# Seconds of a day: sessions come and go, engines become busy and quiet, within this test.
DAY_S = 240
# At the busiest time; more than fit into one event.
SESSIONS = 1300
INTERVAL_MS = 3000


class Site:
    """A running simulator."""

    def __init__(self, processes, program, network):
        self.control = free_port()
        self.file = processes.folder / "site.yaml"
        processes.start("simulator", [
            program, "--servers", SERVERS, "--directory", processes.folder / "certificates",
            "--seed", SEED, "--first-address", f"127.91.{network}.1", "--day", DAY_S,
            "--sessions", SESSIONS, "--virtual-proxies", ",".join(VIRTUAL_PROXIES),
            "--hurting-server-names", "--control", f"127.0.0.1:{self.control}",
            "--butler-sos-config", self.file, "--polling-interval", INTERVAL_MS,
        ], port=self.control)
        self.repository = f"127.91.{network}.1"
        self.names = [server["name"] for server in json.loads(self.ask("/state"))["servers"]]

    def ask(self, path, method="GET"):
        """Asks the control listener."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def fault(self, server, endpoint, fault):
        """Sets the fault of an endpoint; `none` ends it. Servers count from 1."""
        self.ask(f"/fault?server={server}&endpoint={endpoint}&fault={fault}", "POST")

    def served(self):
        """All answers, in the order of their leaving."""
        return [json.loads(line) for line in self.ask("/ledger").splitlines()]

    def health(self, server, entries=None):
        """The health answers of a server, from 1."""
        entries = self.served() if entries is None else entries
        return [entry for entry in entries if entry["server"] == server - 1 and "health" in entry["facts"]]

    def sessions(self, server, virtual_proxy, entries):
        """The lists of sessions of a virtual proxy."""
        return [
            entry for entry in entries
            if entry["server"] == server - 1 and entry["virtual_proxy"] == virtual_proxy and "sessions" in entry["facts"]
        ]
