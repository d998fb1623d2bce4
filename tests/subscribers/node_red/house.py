"""The brokers and Footman's programs."""

import os

from .processes import free_port

ANYBODY = "allow_anonymous true\n"


class Mosquitto:
    """A real mosquitto that keeps what it has over a restart."""

    def __init__(self, processes):
        self.processes = processes
        self.port = free_port()
        self.file = processes.folder / "mosquitto.conf"
        # `user` keeps it from changing to one who may not write here.
        self.file.write_text(
            f"listener {self.port} 127.0.0.1\n{ANYBODY}user root\npersistence true\n"
            f"persistence_location {processes.folder}/\nautosave_interval 60\n"
            "max_queued_messages 0\nlog_dest stderr\n"
        )
        self.start()

    def start(self):
        """Starts it (again) over the same data."""
        debian = "/usr/sbin/mosquitto"
        program = debian if os.path.exists(debian) else "mosquitto"
        self.processes.start("mosquitto", [program, "-c", self.file], port=self.port)

    def settings(self):
        """What Footman's programs are told."""
        return {
            "FOOTMAN__BROKER__TYPE": "mqtt",
            "FOOTMAN__BROKER__MQTT__URL": f"mqtt://127.0.0.1:{self.port}",
            "FOOTMAN__BROKER__MQTT__CONSUMER_SLOTS": "1",
        }


class Nats:
    """A real nats-server with its MQTT listener."""

    def __init__(self, processes):
        nats, self.port = free_port(), free_port()
        file = processes.folder / "nats.conf"
        file.write_text(
            f'server_name: footman\nlisten: "127.0.0.1:{nats}"\n'
            f'jetstream {{ store_dir: "{processes.folder}/nats" }}\n'
            f'mqtt {{ host: "127.0.0.1", port: {self.port} }}\n'
        )
        processes.start("nats-server", ["nats-server", "-c", file], port=self.port)
        self.address = f"nats://127.0.0.1:{nats}"

    def settings(self):
        """What Footman's programs are told."""
        return {"FOOTMAN__BROKER__TYPE": "nats", "FOOTMAN__BROKER__NATS__SERVERS": f'["{self.address}"]'}


class Programs:
    """A collector and a writer over one of the brokers."""

    def __init__(self, processes, built, site, broker, name):
        self.processes, self.built, self.site, self.name = processes, built, site, name
        self.environment = broker.settings() | {
            "FOOTMAN__COLLECTOR__OUTBOX__DIRECTORY": str(processes.folder / f"outbox-{name}"),
            "FOOTMAN__APP_NAMES__EXTRACT_INTERVAL": "5000",
            "FOOTMAN__INFLUXDB_CONFIG__ENABLE": "false",
            "FOOTMAN__WRITER__LINE_PROTOCOL_FILE": str(processes.folder / f"points-{name}.lp"),
        }

    def start(self, program):
        """Starts `collector` or `writer`."""
        port = free_port()
        listen = {f"FOOTMAN__{program.upper()}__HTTP__LISTEN": f"127.0.0.1:{port}"}
        command = [self.built / program, "--config", self.site.file, "--instance", self.instance(program)]
        self.processes.start(self.process(program), command, port=port, environment=self.environment | listen)

    def process(self, program):
        """Its name among the processes."""
        return f"{program}-{self.name}"

    def instance(self, program):
        """Its instance, of which a topic has to escape a part."""
        return f"{program[0]}.{self.name}"
