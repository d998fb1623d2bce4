// Turns what is so into what begins and ends: one message when an alarm begins, one when it ends.
// msg.topic is a line for a subject, msg.payload a text, msg.alarm the same for flows that compute.
const MAX_OPEN = 10000; // as many as there can be endpoints
const KEPT = 50; // alarms that the page can show
const LATE_MS = 2 * 60 * 1000; // an event older than this, or than three intervals, was held up

const now = Date.now();
const { on, ...what } = msg.condition;
const key = `${what.alarm} ${what.about}`;
const open = flow.get("open") || {};
const begun = open[key];

if (on && begun) {
    // It goes on; the page shows the newest cause.
    Object.assign(begun, { cause: what.cause, message: what.message });
    flow.set("open", open);
    return null;
}
if (on ? Object.keys(open).length >= MAX_OPEN : !begun) {
    return null;
}

const seconds = (ms) => {
    const s = Math.max(0, Math.round(ms / 1000));
    return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
};
const since = on ? what.since || what.time : begun.since;
const ended = what.time || new Date(now).toISOString();
const durationS = on ? 0 : Math.max(0, Math.round((Date.parse(ended) - Date.parse(since)) / 1000));
const program = `${what.process} ${what.instance}`;
const source = what.source === "sessions" ? `sessions at ${what.virtualProxy}` : what.source;
const cause = what.message ? `${what.cause}: ${what.message}` : what.cause;
const lasted = what.forgotten ? "nothing was heard of it for a day, or it was removed" : `after ${seconds(durationS * 1000)}`;
const texts = {
    saturated: [`${what.server} is saturated (${cause})`, `${what.server} is no longer saturated, ${lasted}`],
    failing: [`${what.server}: polling ${source} fails (${cause})`, `${what.server}: ${source} is polled again, ${lasted}`],
    silent: [`${program} is silent (${cause})`, `${program} is no longer silent, ${lasted}`],
    "not working": [`${program} does not do its work (${cause})`, `${program} does its work again, ${lasted}`],
    broker: ["Node-RED has lost the broker", `Node-RED has the broker again, ${lasted}`],
};
const line = (texts[what.alarm] || ["", ""])[on ? 0 : 1];

const { about, intervalMs, ...told } = what;
const alarm = {
    ...told,
    state: on ? "begins" : "ends",
    cause: on ? what.cause : begun.cause,
    message: on ? what.message : begun.message,
    since,
    durationS,
    late: now - Date.parse(ended) > Math.max(LATE_MS, 3 * (intervalMs || 0)),
    text: line,
};
if (on) {
    open[key] = { alarm: what.alarm, since, text: line, cause: what.cause, message: what.message, server: what.server };
} else {
    delete open[key];
}
flow.set("open", open);
flow.set("history", [{ time: ended, state: alarm.state, text: line }, ...(flow.get("history") || [])].slice(0, KEPT));
const number = Object.keys(open).length;
node.status({ fill: number ? "red" : "green", shape: "dot", text: number ? `${number} alarms` : "no alarm" });

const headline = line.split("\n")[0].slice(0, 200);
return { topic: `Footman: ${headline}`, payload: `${line}\n${alarm.state} ${ended}${alarm.late ? " (heard late)" : ""}`, alarm };
