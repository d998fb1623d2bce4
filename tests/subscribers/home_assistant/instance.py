"""A running Home Assistant, and what it says over its REST API."""

import base64
import hashlib
import hmac
import json
import pathlib
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request

from .install import Installed
from .waiting import free_port, until

START_TIMEOUT_S = 120
YEAR_S = 365 * 24 * 3600


class HomeAssistant:
    """Home Assistant over an MQTT broker on this machine."""

    def __init__(self, installed: Installed, name: str, mqtt_port: int):
        base = installed.root / "tmp" if installed.root else installed.folder
        self.installed = installed
        self.folder = base / f"config-{name}-{secrets.token_hex(4)}"
        self.port = free_port()
        self.process = None
        (self.folder / ".storage").mkdir(parents=True)
        self.token = self._make_token()
        self._store("onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]})
        entry = {
            "entry_id": secrets.token_hex(16), "version": 1, "domain": "mqtt", "title": "mosquitto",
            "data": {"broker": "127.0.0.1", "port": mqtt_port, "discovery": True}, "options": {},
            "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user",
            "unique_id": None, "disabled_by": None,
        }
        self._store("core.config_entries", 1, {"entries": [entry]})
        (self.folder / "configuration.yaml").write_text(
            "homeassistant: {name: Test, latitude: 0, longitude: 0, elevation: 0,"
            " unit_system: metric, time_zone: UTC, country: SE, currency: SEK}\n"
            f"http: {{server_host: 127.0.0.1, server_port: {self.port}}}\n"
            "api:\nconfig:\nlogger: {default: info}\n"
        )

    def _store(self, key: str, version: int, data: dict) -> None:
        text = json.dumps({"version": version, "minor_version": 1, "key": key, "data": data})
        (self.folder / ".storage" / key).write_text(text)

    def _make_token(self) -> str:
        """Makes a user with a long-lived token in Home Assistant's own store."""
        user, refresh, key = secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(64)
        groups = [{"id": "system-admin", "name": "Administrators"}, {"id": "system-users", "name": "Users"},
                  {"id": "system-read-only", "name": "Read Only"}]
        self._store("auth", 1, {
            "users": [{"id": user, "group_ids": ["system-admin"], "is_owner": True, "is_active": True,
                       "name": "Test", "system_generated": False, "local_only": False}],
            "groups": groups, "credentials": [],
            "refresh_tokens": [{
                "id": refresh, "user_id": user, "client_id": None, "client_name": "test", "client_icon": None,
                "token_type": "long_lived_access_token", "created_at": "2024-01-01T00:00:00.000000+00:00",
                "access_token_expiration": float(10 * YEAR_S), "token": secrets.token_hex(64), "jwt_key": key,
                "last_used_at": None, "last_used_ip": None, "credential_id": None, "version": None,
            }],
        })
        encoded = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
        now = int(time.time())
        head = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        body = encoded(json.dumps({"iss": refresh, "iat": now - 60, "exp": now + YEAR_S}).encode())
        signed = hmac.new(key.encode(), head + b"." + body, hashlib.sha256).digest()
        return (head + b"." + body + b"." + encoded(signed)).decode()

    @property
    def log(self) -> pathlib.Path:
        return self.folder / "output.log"

    def start(self) -> None:
        command = self.installed.command(
            self.installed.python, "-m", "homeassistant", "--skip-pip",
            "-c", self.installed.inside(self.folder))
        with self.log.open("a") as words:
            self.process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT)
        until("Home Assistant is there", self._is_there, START_TIMEOUT_S)

    def _is_there(self) -> bool:
        if self.process.poll() is not None:
            raise SystemExit(f"Home Assistant has ended; {self.log} says why.")
        try:
            return self.ask("/api/config")["state"] == "RUNNING"
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def ask(self, path: str, body: dict | None = None):
        """Asks the REST API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {self.token}"},
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
        return json.loads(text) if text[:1] in "[{" else text

    def states(self) -> dict[str, dict]:
        """All entities of MQTT by their ids."""
        ours = set(self.render("{{ integration_entities('mqtt') | tojson }}"))
        return {state["entity_id"]: state for state in self.ask("/api/states") if state["entity_id"] in ours}

    def render(self, template: str):
        """What a template says; its way into the registries."""
        answer = self.ask("/api/template", {"template": template})
        return json.loads(answer) if isinstance(answer, str) else answer

    def complaints(self) -> list[str]:
        """Warnings and errors about MQTT in the log, templates and sensors among them."""
        words = self.log.read_text(errors="replace").splitlines()
        about = ("mqtt", "template", "sensor", "discovery")
        # That the broker was killed is what is tried.
        of_the_broker = ("Disconnected from MQTT server", "Failed to connect to MQTT server",
                         "Error returned from MQTT server: The connection was lost")
        return [line for line in words
                if (" WARNING " in line or " ERROR " in line or "Traceback" in line)
                and any(word in line.lower() for word in about)
                and not any(words in line for words in of_the_broker)]
