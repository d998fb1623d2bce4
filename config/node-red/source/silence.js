// Looks every ten seconds for who has said nothing for too long, and forgets what is gone.
const silenceMs = (Number(env.get("SILENCE_SECONDS")) || 90) * 1000;
const FORGET_MS = 24 * 60 * 60 * 1000; // a server or program that said nothing for a day is gone
const ASLEEP_MS = 60 * 1000; // a look so late means that this machine slept, and heard nobody

const now = Date.now();
let link = flow.get("link") || { connected: false, since: now };
const before = context.get("looked") || now;
context.set("looked", now);
if (now - before > ASLEEP_MS) {
    link = { ...link, since: now };
}
flow.set("link", link);

const conditions = [];
const say = (condition) => conditions.push({ condition: { time: new Date(now).toISOString(), ...condition } });
const waited = now - link.since > silenceMs;

if (!link.connected) {
    // Nobody can be heard now, so nobody is judged.
    if (waited) {
        say({ alarm: "broker", about: "/", on: true, cause: "no connection" });
    }
    return [conditions];
}
say({ alarm: "broker", about: "/", on: false });

const programs = flow.get("programs") || {};
const isCollecting = (program) => program.process === "collector" || program.process === "footman";
const somebody = Object.values(programs).some(isCollecting);
if (somebody || waited) {
    say({ alarm: "silent", about: "/", process: "collector", instance: "any", on: !somebody, cause: "no collector was heard" });
}
for (const [about, program] of Object.entries(programs)) {
    const { process, instance } = program;
    const silentMs = now - Math.max(program.heardAt, link.since);
    if (silentMs > FORGET_MS) {
        delete programs[about];
        for (const alarm of ["silent", "not working"]) {
            say({ alarm, about, process, instance, on: false, forgotten: true });
        }
    } else if (silentMs > silenceMs) {
        const cause = `no heartbeat for ${Math.round((now - program.heardAt) / 1000)} s`;
        say({ alarm: "silent", about, process, instance, on: true, cause: program.said === "offline" ? `${cause}; it is offline` : cause });
    }
}
flow.set("programs", programs);

const alarms = { servers: "saturated", endpoints: "failing", proxies: null };
for (const [place, alarm] of Object.entries(alarms)) {
    const known = flow.get(place) || {};
    for (const [about, entry] of Object.entries(known)) {
        if (now - Math.max(entry.heardAt, link.since) > FORGET_MS) {
            delete known[about];
            if (alarm) {
                say({ alarm, about, server: entry.server || entry.reading.server, source: entry.source, virtualProxy: entry.virtualProxy, on: false, forgotten: true });
            }
        }
    }
    flow.set(place, known);
}
return [conditions];
