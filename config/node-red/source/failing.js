// Follows each endpoint (a server's health, each of its virtual proxies, the repository): does polling it
// fail? Any event of a good poll ends the failing; what comes again or late changes nothing.
const MAX_ENDPOINTS = 10000; // far more than a site has; names come from outside
const MAX_MESSAGE = 500; // characters that are kept of a cause
// These tell of ticks that are over, missed by the collector itself; the server may be well.
const OF_THE_PAST = ["interrupted", "outbox_full"];

const isNewer = (a, b) => !b || (a.epoch === b.epoch ? a.sequence > b.sequence : a.time > b.time);
const count = (value) => (Number.isSafeInteger(value) && value > 0 ? value : 1);

const data = msg.payload.data;
const isFailure = msg.kind === "failed-polls";
const source = isFailure ? String(data.source) : msg.kind;
const virtualProxy = typeof data.virtualProxy === "string" ? data.virtualProxy : "";
const endpoints = flow.get("endpoints") || {};
const key = "/" + [msg.about[0], source, virtualProxy].join("/");
if (endpoints[key] ? !isNewer(msg.place, endpoints[key].place) : Object.keys(endpoints).length >= MAX_ENDPOINTS) {
    return null;
}

const server = data.server || { name: data.repository };
const endpoint = endpoints[key] || { fails: 0, since: null, ticks: 0, missed: 0 };
endpoint.place = msg.place;
endpoint.heardAt = Date.now();
endpoint.server = String(server.name);
endpoint.token = msg.about[0];
endpoint.source = source;
endpoint.virtualProxy = virtualProxy;
endpoint.intervalMs = data.poll && Number.isFinite(data.poll.intervalMs) ? data.poll.intervalMs : null;
endpoints[key] = endpoint;

const condition = {
    alarm: "failing", about: key, server: endpoint.server, source, virtualProxy, host: data.host || server.host || "",
    time: msg.payload.time, intervalMs: endpoint.intervalMs,
};
let isKnown = true; // whether this says that the endpoint is well, or that it is not
if (isFailure && OF_THE_PAST.includes(data.category)) {
    endpoint.missed += count(data.ticks);
    isKnown = false;
} else if (isFailure) {
    endpoint.fails += 1;
    endpoint.since = endpoint.since || msg.payload.time;
    endpoint.ticks += count(data.ticks);
    endpoint.category = String(data.category);
    endpoint.message = String(data.message || "").slice(0, MAX_MESSAGE);
    isKnown = endpoint.fails >= (Number(env.get("FAILED_POLLS")) || 1);
    Object.assign(condition, { on: true, since: endpoint.since, cause: endpoint.category, message: endpoint.message });
} else {
    Object.assign(condition, { on: false, failedTicks: endpoint.ticks });
    Object.assign(endpoint, { fails: 0, since: null, ticks: 0, category: "", message: "" });
}
flow.set("endpoints", endpoints);
const failing = Object.values(endpoints).filter((other) => other.since).length;
node.status({ fill: failing ? "red" : "green", shape: "dot", text: `${failing} of ${Object.keys(endpoints).length} fail` });
return isKnown ? { condition } : null;
