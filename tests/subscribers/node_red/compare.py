"""What the flow told against what the site served."""

from datetime import datetime, timezone

from .processes import check, eventually
from .site import SERVERS, VIRTUAL_PROXIES

# A reading of the flow, and what the simulator calls the same.
FIELDS = {
    "version": "version",
    "cpuPercent": "cpu_total",
    "memoryCommittedMiB": "committed",
    "memoryAllocatedMiB": "allocated",
    "memoryFreeMiB": "free",
    "memoryPhysicalMiB": "total_physical",
    "engineSessions": "session_total",
    "engineSessionsActive": "session_active",
    "engineUsers": "users_total",
    "engineUsersActive": "users_active",
    "appsActive": "active_docs",
    "appsLoaded": "loaded_docs",
    "appsInMemory": "in_memory_docs",
    "selections": "selections",
    "cacheHits": "cache_hits",
    "cacheLookups": "cache_lookups",
    "saturated": "saturated",
}


def nanoseconds(text):
    """A time of an event."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))


def readings(site, told, entries):
    """Every reading is what the site served, once. Returns the first and the last answer seen of each server."""
    served = {}
    for entry in entries:
        if "health" in entry["facts"]:
            facts = entry["facts"]["health"]
            served[site.names[entry["server"]], facts["started"], facts["calls"]] = entry
    seen = {}
    for reading in told:
        identity = (reading["server"], reading["started"], reading["calls"])
        check(identity in served, f"nobody served {identity}")
        check(identity not in seen, f"twice: {identity}")
        entry = seen[identity] = served[identity]
        for ours, theirs in FIELDS.items():
            want = entry["facts"]["health"][theirs]
            check(reading[ours] == want, f"{identity}: {ours} is {reading[ours]}, the site said {want}")
    return {identity: entry["number"] for identity, entry in seen.items()}


def nothing_is_missing(site, seen, entries, until, excused):
    """Of each server, every answer up to a number was told, from the first one that was; but for so many as
    came too late for their poll."""
    missing = 0
    for server in range(1, SERVERS + 1):
        numbers = [number for (name, *_), number in seen.items() if name == site.names[server - 1]]
        check(numbers, f"nothing was told of server {server}")
        for entry in site.health(server, entries):
            if min(numbers) <= entry["number"] <= until and entry["number"] not in numbers:
                missing += 1
    check(missing <= excused, f"{missing} answers were not told, and {excused} polls timed out")


def counts(site, told, entries):
    """Every count of sessions is that of the list which the proxy sent, once. Returns how many came in parts."""
    seen = set()
    for count in told:
        server = site.names.index(count["server"]) + 1
        sent = nanoseconds(count["time"])
        lists = site.sessions(server, count["virtualProxy"], entries)
        entry = next((entry for entry in lists if entry["time_ns"] >= sent), None)
        where = f"{count['server']} {count['virtualProxy']} {count['time']}"
        check(entry is not None, f"nobody served {where}")
        check(entry["number"] not in seen, f"twice: {where}")
        seen.add(entry["number"])
        sessions = entry["facts"]["sessions"]
        users = {(one["user_directory"], one["user_id"]) for one in sessions}
        want = {"sessions": len(sessions), "listed": len(sessions), "excludedSessions": 0, "users": len(users)}
        have = {name: count[name] for name in want}
        check(have == want, f"{where}: {have}, the site said {want}")
        check(count["parts"] == max(1, -(-len(sessions) // 1000)), f"{where}: {count['parts']} parts")
    for server in range(1, SERVERS + 1):
        for virtual_proxy in VIRTUAL_PROXIES:
            numbers = {entry["number"] for entry in site.sessions(server, virtual_proxy, entries)}
            check(numbers & seen, f"nothing was counted at server {server} {virtual_proxy}")
    return sum(count["parts"] > 1 for count in told)


def saturation(site, alarms, told, entries, seen):
    """Saturation begins and ends in the alarms where it does in the answers that were told. Returns how often.

    `alarms` reads them anew: they come beside the readings, so some may be missing yet, or ahead.
    """
    edges = 0
    numbers = set(seen.values())
    for server in range(1, SERVERS + 1):
        expected, before = [], False
        for entry in site.health(server, entries):
            if entry["number"] not in numbers:
                continue
            saturated = entry["facts"]["health"]["saturated"]
            if saturated != before:
                expected.append("begins" if saturated else "ends")
            before = saturated
        name = site.names[server - 1]
        last = max(nanoseconds(reading["time"]) for reading in told if reading["server"] == name)

        def states():
            mine = [one for one in alarms() if one["alarm"] == "saturated" and one["server"] == name]
            return [one["state"] for one in mine if nanoseconds(one["time"]) <= last]

        eventually(f"saturation of {name}: {expected}, not {states()}", lambda: states() == expected, patience=10)
        edges += len(expected)
    return edges
