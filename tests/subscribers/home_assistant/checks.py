"""What is compared, and through which troubles."""

import json
import signal

from .entities import PROGRAM_ENTITIES, SERVER_ENTITIES, slug
from .stack import NAMES
from .waiting import TooLate, until

OFF = ("unavailable", "unknown")


class Table:
    """The results, printed as they come."""

    def __init__(self):
        self.failed = 0

    def row(self, what: str, problems: list[str], compared: str = "") -> None:
        self.failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok  '}  {what:<58} {compared}", flush=True)
        for problem in problems[:10]:
            print(f"        {problem}", flush=True)

    def awaited(self, what: str, condition, seconds: float = 60) -> None:
        try:
            until(what, condition, seconds)
            self.row(what, [])
        except TooLate as late:
            self.row(what, [str(late)])


def all_of_them(house, home) -> int:
    """Runs everything in turn; gives the number of rows that failed."""
    table = Table()
    told = lambda name, entity: home.states().get(f"{entity[0]}.{slug(name)}_{entity[1]}", {})
    state = lambda name, kind, key: told(name, (kind, key)).get("state")
    is_up = lambda name: state(name, "sensor", "cpu") not in (*OFF, None)
    all_up = lambda: all(is_up(name) for name in house.names)

    table.awaited("every server has values", all_up)
    table.awaited("the writer and the collector are connected", lambda: (
        state("Footman collector host.a", "binary_sensor", "connected") == "on"
        and state("Footman writer host-b", "binary_sensor", "connected") == "on"))
    for name in NAMES:
        compare_values(table, house, home, name)
    for name in NAMES:
        compare_traits(table, home, name, SERVER_ENTITIES, "Qlik")
    for name, process in (("Footman collector host.a", "collector"), ("Footman writer host-b", "writer")):
        compare_traits(table, home, name, PROGRAM_ENTITIES[process], "Footman")

    first = NAMES[0]
    house.fault(1, "refused")
    table.awaited("a failing server: its values are unavailable", lambda: state(first, "sensor", "cpu") == "unavailable")
    table.awaited("… that it fails, and why, is said", lambda: (
        state(first, "binary_sensor", "poll_failing") == "on"
        and state(first, "sensor", "poll_failing_cause") == "connection_refused"
        and state(first, "sensor", "last_poll") not in OFF))
    table.row("… the others are not touched", [] if all(is_up(name) for name in NAMES[1:]) else ["another is gone"])
    house.fault(1, "none")
    table.awaited("it recovers", lambda: all_up() and state(first, "binary_sensor", "poll_failing") == "off")

    house.end("collector", signal.SIGKILL)
    gone = lambda: all(state(name, "sensor", "cpu") == "unavailable" for name in NAMES)
    table.awaited("the collector is killed: all is unavailable", gone)
    table.awaited("… and its device says so", lambda: (
        state("Footman collector host.a", "binary_sensor", "connected") == "off"))
    house.start_collector()
    table.awaited("it is started again", all_up)

    before = set(home.states())
    home.stop()
    home.start()
    table.awaited("Home Assistant restarts: the same entities are there", lambda: set(home.states()) == before and all_up())
    left = [entity for entity, said in home.states().items() if said["attributes"].get("restored")]
    table.row("… and none is a leftover", left)

    house.end("mosquitto", signal.SIGKILL)
    house.start_mosquitto()
    table.awaited("the broker is killed and restarts", all_up, 120)
    for name in NAMES:
        compare_values(table, house, home, name)

    house.names.remove(NAMES[1])
    house.end("collector")
    house.start_collector()
    table.awaited("a server leaves the configuration: its entities are gone", lambda: (
        not [entity for entity in home.states() if f".{slug(NAMES[1])}_" in entity] and all_up()), 90)
    devices = home.render(
        "{{ integration_entities('mqtt') | map('device_attr', 'name') | unique | list | tojson }}")
    table.row("… and so is its device", [NAMES[1]] if NAMES[1] in devices else [], ", ".join(sorted(devices)))
    table.row("Home Assistant's log has no complaint about MQTT", home.complaints())
    return table.failed


def compare_values(table: Table, house, home, name: str) -> None:
    """All numbers of a server at once are those of one answer of its engine and proxy."""
    number = NAMES.index(name) + 1
    differing: list[str] = []
    compared = 0

    def fits() -> bool:
        nonlocal differing, compared
        said = home.states()
        served = [entry for entry in house.answers() if entry["server"] == number - 1]
        healths = [entry["facts"]["health"] for entry in served if "health" in (entry["facts"] or {})][-5:]
        differing = ["nothing was served"]
        for facts in reversed(healths):
            wanted = {key: of(facts) for key, (*_, of) in SERVER_ENTITIES.items() if of}
            differing, compared = [], len(wanted)
            for (kind, key), value in wanted.items():
                found = said.get(f"{kind}.{slug(name)}_{key}", {}).get("state")
                if not is_same(found, value):
                    differing.append(f"{kind}.{slug(name)}_{key} is {found}, served was {value}")
            if not differing:
                break
        for key, virtual_proxy in (("default", "/"), ("hdr", "/hdr")):
            lists = [entry["facts"]["sessions"] for entry in served
                     if entry["virtual_proxy"] == virtual_proxy and "sessions" in (entry["facts"] or {})][-5:]
            for kind, count in (("sessions", len), ("users", users)):
                entity, counts = f"sensor.{slug(name)}_{kind}_{key}", {count(one) for one in lists}
                compared += 1
                if said.get(entity, {}).get("state") not in map(str, counts):
                    differing.append(f"{entity} is {said.get(entity, {}).get('state')}, served were {counts}")
        return not differing

    try:
        until(f"the values of {name}", fits, 30)
    except TooLate:
        pass
    table.row(f"values of {name}", differing, f"{compared} values are those of one answer")


def users(sessions: list[dict]) -> int:
    return len({(one["user_directory"], one["user_id"]) for one in sessions})


def is_same(found: str | None, wanted) -> bool:
    if isinstance(wanted, str):
        return found == wanted
    try:
        return abs(float(found) - wanted) < 0.06
    except (TypeError, ValueError):
        return False


def compare_traits(table: Table, home, name: str, entities: dict, manufacturer: str) -> None:
    """Units, classes, and the device in the registry."""
    said, problems = home.states(), []
    for (kind, key), (unit, device_class, state_class, _) in entities.items():
        entity = f"{kind}.{slug(name)}_{key}"
        found = said.get(entity, {}).get("attributes")
        if found is None:
            problems.append(f"{entity} is missing")
            continue
        wanted = {"unit_of_measurement": unit, "device_class": device_class, "state_class": state_class}
        differing = {trait: found.get(trait) for trait, value in wanted.items() if found.get(trait) != value}
        problems += [f"{entity}: {trait} is {value}, not {wanted[trait]}" for trait, value in differing.items()]
    any_entity = "binary_sensor.{}_{}".format(slug(name), "connected" if manufacturer == "Footman" else "saturated")
    device = home.render(
        "{{ [device_attr('%s', 'name'), device_attr('%s', 'manufacturer')] | tojson }}" % (any_entity, any_entity))
    if device != [name, manufacturer]:
        problems.append(f"the device is {json.dumps(device)}")
    unexpected = {entity.split(".")[0] + " " + entity for entity in said if f".{slug(name)}_" in entity}
    unexpected = {one.split(" ")[1] for one in unexpected} - {f"{kind}.{slug(name)}_{key}" for kind, key in entities}
    problems += [f"{entity} is not expected" for entity in sorted(unexpected)]
    table.row(f"units, classes and device of {name}", problems, f"{len(entities)} entities")
