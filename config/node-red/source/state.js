// What `state` topics retain of each server: they fill the page at once after a start, until the first poll
// is heard. They give no alarm. An empty message means that the server has left the configuration.
const MAX_SERVERS = 1000;

const key = "/" + String(msg.topic).split("/").pop();
const servers = flow.get("servers") || {};
const state = msg.payload;
if (state === "" || state === null || state === undefined) {
    const gone = [];
    const places = { servers: "saturated", endpoints: "failing", proxies: null };
    for (const [place, alarm] of Object.entries(places)) {
        const entries = flow.get(place) || {};
        for (const about of Object.keys(entries).filter((other) => other === key || other.startsWith(`${key}/`))) {
            const { server, reading, source, virtualProxy } = entries[about];
            delete entries[about];
            if (alarm) {
                const name = server || reading.server;
                gone.push({ condition: { alarm, about, on: false, forgotten: true, server: name, source, virtualProxy } });
            }
        }
        flow.set(place, entries);
    }
    return [gone];
}
const known = servers[key];
if (typeof state !== "object" || Buffer.isBuffer(state) || Object.keys(servers).length >= MAX_SERVERS || (known && !known.retained)) {
    return null;
}
const value = (name) => (state[name] === undefined ? null : state[name]);
const reading = {
    server: String(state.server),
    description: state.description || "",
    host: state.host || "",
    time: value("last_poll"),
    intervalMs: Number.isFinite(state.interval_s) ? state.interval_s * 1000 : null,
    version: state.version || "",
    started: state.started || "",
    saturated: value("saturated"),
    cpuPercent: value("cpu_percent"),
    memoryCommittedMiB: value("memory_committed_mib"),
    memoryAllocatedMiB: value("memory_allocated_mib"),
    memoryFreeMiB: value("memory_free_mib"),
    memoryPhysicalMiB: value("memory_physical_mib"),
    engineSessions: value("engine_sessions"),
    engineSessionsActive: value("engine_sessions_active"),
    engineUsers: value("engine_users"),
    engineUsersActive: value("engine_users_active"),
    appsActive: value("apps_active"),
    appsLoaded: value("apps_loaded"),
    appsInMemory: value("apps_in_memory"),
};
servers[key] = { retained: true, heardAt: Date.now(), reading };
flow.set("servers", servers);
return null;
