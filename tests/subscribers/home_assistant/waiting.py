"""Waiting for what has to come, and ports that are free."""

import socket
import time


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class TooLate(Exception):
    """What was awaited did not come."""


def until(what: str, condition, seconds: float = 60):
    """Waits until the condition gives something true, and gives that."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TooLate(f"not within {seconds} s: {what}")
        time.sleep(0.5)
    return found
