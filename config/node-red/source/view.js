// Everything that the page and its JSON show, without a name of a user.
const now = Date.now();
const shown = (value, unit = "") => (value === null || value === undefined ? "–" : `${value}${unit}`);
const gib = (mib) => (typeof mib === "number" ? `${(mib / 1024).toFixed(1)} GiB` : "–");
const ago = (time) => {
    const s = Math.round((now - (typeof time === "number" ? time : Date.parse(time))) / 1000);
    const [value, unit] = s < 120 ? [s, "s"] : s < 7200 ? [s / 60, "min"] : s < 172800 ? [s / 3600, "h"] : [s / 86400, "days"];
    return Number.isNaN(s) ? "never" : `${Math.max(0, Math.round(value))} ${unit} ago`;
};
const byName = (a, b) => (a.server < b.server ? -1 : a.server > b.server ? 1 : a.key < b.key ? -1 : 1);

const endpoints = Object.values(flow.get("endpoints") || {});
const counted = Object.values(flow.get("proxies") || {}).filter((proxy) => proxy.counted);
const servers = {};
const row = (token, server) => {
    const key = "/" + token;
    servers[key] = servers[key] || { key, server, reading: null, proxies: [], failing: [], missed: 0 };
    return servers[key];
};
for (const [key, { reading }] of Object.entries(flow.get("servers") || {})) {
    row(key.slice(1), reading.server).reading = reading;
}
for (const { counted: { token, count }, incomplete } of counted) {
    row(token, count.server).proxies.push({ ...count, incomplete });
}
const elsewhere = []; // the repository is polled, but it is no engine
for (const endpoint of endpoints) {
    const { server, source, virtualProxy, category, message, since, ticks } = endpoint;
    const ofEngine = source !== "app-names";
    const target = ofEngine ? row(endpoint.token, server) : null;
    if (target) {
        target.missed += endpoint.missed;
    }
    if (since) {
        const failing = { server, source, virtualProxy, category, message, since, ticks, ago: ago(since) };
        (target ? target.failing : elsewhere).push(failing);
    }
}

const rows = Object.values(servers).sort(byName).map((one) => {
    const reading = one.reading || {};
    const stale = Boolean(reading.time) && now - Date.parse(reading.time) > Math.max(3 * (reading.intervalMs || 0), 10000);
    const healthFails = one.failing.some((failing) => failing.source === "health");
    const state = healthFails ? "failing" : !reading.time ? "unknown" : stale ? "stale" : reading.saturated ? "saturated" : "ok";
    const words = { failing: "does not answer", unknown: "not polled yet", stale: "old values", saturated: "saturated", ok: "well" };
    one.proxies.sort((a, b) => (a.virtualProxy < b.virtualProxy ? -1 : 1));
    const sum = (name) => one.proxies.reduce((total, proxy) => total + (proxy[name] || 0), 0);
    return {
        server: one.server, state, words: words[state], reading: one.reading,
        proxies: one.proxies, failing: one.failing, missedTicks: one.missed,
        sessions: one.proxies.length ? sum("sessions") : null,
        text: {
            description: reading.description || "", version: reading.version || "",
            cpu: shown(reading.cpuPercent, " %"), committed: gib(reading.memoryCommittedMiB), free: gib(reading.memoryFreeMiB),
            apps: `${shown(reading.appsActive)} / ${shown(reading.appsLoaded)} / ${shown(reading.appsInMemory)}`,
            sessions: one.proxies.length ? String(sum("sessions")) : "–", poll: reading.time ? ago(reading.time) : "never",
        },
    };
});

const open = flow.get("open") || {};
const programs = Object.entries(flow.get("programs") || {}).map(([about, program]) => {
    const state = open[`silent ${about}`] ? "silent" : program.said === "offline" ? "offline" : !program.time ? "waiting" : program.honest ? "ok" : "failing";
    const words = { silent: "silent", offline: "offline", waiting: "no heartbeat yet", ok: "does its work", failing: program.why || "does not do its work" };
    const { process, instance, version, honest, why, time, counters } = program;
    return { process, instance, version, honest, why, time, counters, state, words: words[state], ago: time ? ago(program.heardAt) : "never" };
}).sort((a, b) => (`${a.process} ${a.instance}` < `${b.process} ${b.instance}` ? -1 : 1));

const link = flow.get("link") || { connected: false };
const alarms = Object.values(open).map((alarm) => ({ ...alarm, ago: ago(alarm.since) }));
msg.payload = {
    time: new Date(now).toISOString(),
    connected: link.connected,
    heard: flow.get("heard") || { events: 0, ignored: 0 },
    servers: rows,
    elsewhere,
    programs,
    alarms,
    calm: alarms.length === 0,
    history: flow.get("history") || [],
};
// To the page, or as JSON.
return String(msg.req && msg.req.path).endsWith("/state") ? [null, msg] : [msg, null];
