// Keeps the newest health of each server; what comes again or late changes nothing.
const MAX_SERVERS = 1000; // far more than a site has; names come from outside

// Within one start of a program the sequence decides, otherwise the time.
const isNewer = (a, b) => !b || (a.epoch === b.epoch ? a.sequence > b.sequence : a.time > b.time);
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
const length = (list) => (Array.isArray(list) ? list.length : null);

const part = (whole, name) => (typeof whole[name] === "object" && whole[name] !== null ? whole[name] : {});

const [server, poll, health] = ["server", "poll", "health"].map((name) => part(msg.payload.data, name));
const [mem, cpu, session] = ["mem", "cpu", "session"].map((name) => part(health, name));
const [users, apps, cache] = ["users", "apps", "cache"].map((name) => part(health, name));
const servers = flow.get("servers") || {};
const key = "/" + msg.about[0];
if (servers[key] ? !isNewer(msg.place, servers[key].place) : Object.keys(servers).length >= MAX_SERVERS) {
    return null;
}

const saturated = typeof health.saturated === "boolean" ? health.saturated : null;
const reading = {
    server: String(server.name),
    description: server.description || "",
    host: server.host || "",
    tags: server.tags || {},
    time: msg.payload.time,
    intervalMs: number(poll.intervalMs),
    durationMs: number(poll.durationMs),
    version: health.version || "",
    started: health.started || "",
    saturated,
    cpuPercent: number(cpu.total),
    memoryCommittedMiB: number(mem.committed),
    memoryAllocatedMiB: number(mem.allocated),
    memoryFreeMiB: number(mem.free),
    memoryPhysicalMiB: number(mem.totalPhysical),
    engineSessions: number(session.total),
    engineSessionsActive: number(session.active),
    engineUsers: number(users.total),
    engineUsersActive: number(users.active),
    appsActive: length(apps.active_docs),
    appsLoaded: length(apps.loaded_docs),
    appsInMemory: length(apps.in_memory_docs),
    calls: number(apps.calls),
    selections: number(apps.selections),
    cacheHits: number(cache.hits),
    cacheLookups: number(cache.lookups),
};
servers[key] = { place: msg.place, heardAt: Date.now(), reading };
flow.set("servers", servers);
node.status({ fill: "green", shape: "dot", text: `${Object.keys(servers).length} servers` });

// An engine that does not say whether it is saturated neither begins nor ends an alarm.
const condition = saturated === null ? null : {
    condition: {
        alarm: "saturated", about: key, on: saturated, server: reading.server, host: reading.host,
        time: reading.time, intervalMs: reading.intervalMs,
        cause: saturated ? `CPU ${reading.cpuPercent ?? "?"} %, ${reading.memoryFreeMiB ?? "?"} MiB free` : "",
    },
};
return [condition, { topic: reading.server, payload: reading }];
