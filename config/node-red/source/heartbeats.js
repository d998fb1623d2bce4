// Keeps the newest heartbeat of each program. Who beats is not silent; who says twice in a row that it
// does not do its work gives an alarm.
const MAX_PROGRAMS = 500; // far more than run anywhere; names come from outside
const MAX_WHY = 500; // characters that are kept of a reason
const BEATS_BEFORE_ALARM = 2; // a minute: what a program needs at its start is not there at once

const data = msg.payload.data;
const programs = flow.get("programs") || {};
const key = "/" + msg.about.join("/");
const before = programs[key];
if (!before && Object.keys(programs).length >= MAX_PROGRAMS) {
    return null;
}
// A program that was started again may have another clock, so only its own sequence counts.
if (before && before.place && before.place.epoch === msg.place.epoch && before.place.sequence >= msg.place.sequence) {
    return null;
}
// Beats for the schedule of `uptimeMonitor` come as often as it says.
const step = data.uptimeMonitor === true ? 0 : 1;
const unwell = data.honest === false ? ((before && before.unwell) || 0) + step : 0;
const program = {
    place: msg.place,
    heardAt: Date.now(),
    process: String(data.process),
    instance: String(data.instance),
    said: before ? before.said : null,
    version: data.version || "",
    started: data.started || "",
    time: msg.payload.time,
    honest: data.honest === true,
    why: String(data.why || "").slice(0, MAX_WHY),
    counters: data.counters || {},
    unwell,
};
programs[key] = program;
flow.set("programs", programs);
node.status({ fill: "green", shape: "dot", text: `${Object.keys(programs).length} programs` });

const about = { about: key, process: program.process, instance: program.instance, time: program.time };
const conditions = [{ condition: { alarm: "silent", on: false, ...about } }];
if (unwell === 0 || unwell >= BEATS_BEFORE_ALARM) {
    conditions.push({ condition: { alarm: "not working", on: unwell > 0, cause: program.why, ...about } });
}
return [conditions];
