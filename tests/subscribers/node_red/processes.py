"""Child processes, and waiting for what they do."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# What is awaited comes in seconds; a slow machine may need longer.
PATIENCE_S = 60
# How long a program may take to end by itself.
GRACE_S = 15


class Failed(Exception):
    """What was promised is not so."""


def check(so, text):
    """Fails with the text unless it is so."""
    if not so:
        raise Failed(text)


def eventually(what, look, patience=PATIENCE_S):
    """Looks until there is something, and returns it."""
    end = time.monotonic() + patience
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise Failed(f"waited {patience} s in vain for {what}")
        time.sleep(0.2)


def free_port():
    """A loopback port that is free now."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return some.getsockname()[1]


def listens(port):
    """Whether somebody listens at the port."""
    with socket.socket() as some:
        return some.connect_ex(("127.0.0.1", port)) == 0


class Processes:
    """All that was started; whatever happens, it is ended with this."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.running = {}

    def start(self, name, command, port=None, environment=None):
        """Starts a program, and waits until it listens if it has a port."""
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder, env=os.environ | (environment or {}),
            )
        self.running[name] = child
        if port:
            eventually(f"{name} at port {port}", lambda: self.alive(name) and listens(port))
        return child

    def alive(self, name):
        """That it has not ended by itself."""
        code = self.running[name].poll()
        check(code is None, f"{name} ended with {code}:\n{self.log(name)[-2000:]}")
        return True

    def log(self, name):
        """What it has printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self, name):
        """Asks it to end."""
        child = self.running.pop(name)
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def kill(self, name):
        """Kills it."""
        child = self.running.pop(name)
        child.kill()
        child.wait()

    def __enter__(self):
        # An end from outside ends what was started, too.
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.running)):
            with contextlib.suppress(ProcessLookupError):
                self.stop(name)


def foreign_connections(pid):
    """Connections of a process that leave this machine's loopback, as `/proc` has them."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(descriptor)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] not in inodes:
                continue
            for end in (fields[1], fields[2]):
                address = end.split(":")[0]
                # IPv4 addresses are written with their bytes turned around.
                if not (address.endswith("7F") or int(address, 16) == 0 or address == "0" * 24 + "01000000"):
                    found.append(f"{table} {end}")
    return found
