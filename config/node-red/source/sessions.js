// Counts the sessions of each virtual proxy, one message for each poll.
// A poll of more than 1,000 sessions comes in parts, which share its time; it counts when all are there,
// and each event counts once, by its id. Only counts leave this node: names of users are not kept.
const MAX_PROXIES = 10000; // far more than a site has; names come from outside
const MAX_PARTS = 1000; // a million sessions

const isNewer = (a, b) => !b || (a.epoch === b.epoch ? a.sequence > b.sequence : a.time > b.time);
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

const data = msg.payload.data;
const parts = data.parts;
if (!Number.isInteger(parts) || parts < 1 || parts > MAX_PARTS || !Array.isArray(data.sessions)) {
    return null;
}
const proxies = flow.get("proxies") || {};
const key = "/" + msg.about.join("/");
if (!proxies[key] && Object.keys(proxies).length >= MAX_PROXIES) {
    return null;
}

const proxy = proxies[key] || { incomplete: 0 };
const poll = `${msg.place.epoch} ${msg.place.time}`;
if (proxy.counted && proxy.counted.poll === poll) {
    return null;
}
if (!proxy.joining || proxy.joining.poll !== poll) {
    const last = proxy.joining || proxy.counted;
    if (last && !isNewer(msg.place, last.place)) {
        return null;
    }
    // Of the poll before something is still missing, and a newer one is here: it is given up.
    proxy.incomplete += proxy.joining ? 1 : 0;
    proxy.joining = { poll, place: msg.place, listed: {} };
}
const { listed } = proxy.joining;
listed[String(msg.payload.id)] = data.sessions.length;
proxy.heardAt = Date.now();
proxies[key] = proxy;
if (Object.keys(listed).length < parts) {
    flow.set("proxies", proxies);
    return null;
}

const server = data.server || {};
proxy.joining = null;
proxy.counted = {
    poll,
    place: msg.place,
    token: msg.about[0],
    count: {
        server: String(server.name),
        virtualProxy: String(data.virtualProxy),
        host: data.host || "",
        time: msg.payload.time,
        intervalMs: data.poll ? number(data.poll.intervalMs) : null,
        sessions: number(data.sessionCount),
        excludedSessions: number(data.excludedSessionCount),
        users: number(data.userCount),
        listed: Object.values(listed).reduce((sum, some) => sum + some, 0),
        parts,
    },
};
flow.set("proxies", proxies);
const { count } = proxy.counted;
node.status({ fill: "green", shape: "dot", text: `${count.server} ${count.virtualProxy}: ${count.sessions}` });
return { topic: `${count.server} ${count.virtualProxy}`, payload: count };
