// What the broker keeps of each program: `online`, or `offline` as its last will (MQTT only).
// It tells of programs that fell silent before Node-RED was started. An empty message forgets one.
const MAX_PROGRAMS = 500;

const levels = String(msg.topic).split("/").slice(-2);
const key = "/" + levels.join("/");
const programs = flow.get("programs") || {};
const program = programs[key];
const said = Buffer.isBuffer(msg.payload) ? msg.payload.toString() : msg.payload;

if (said === "" || said === null || said === undefined) {
    if (!program) {
        return null;
    }
    delete programs[key];
    flow.set("programs", programs);
    const about = { about: key, process: program.process, instance: program.instance, forgotten: true };
    return [["silent", "not working"].map((alarm) => ({ condition: { alarm, on: false, ...about } }))];
}
if (said !== "online" && said !== "offline") {
    return null;
}
if (program) {
    program.said = said;
} else if (Object.keys(programs).length < MAX_PROGRAMS) {
    // No heartbeat with the true names has come yet.
    const name = (level) => {
        try {
            return decodeURIComponent(level);
        } catch (error) {
            return level;
        }
    };
    programs[key] = { process: name(levels[0]), instance: name(levels[1]), said, heardAt: Date.now(), unwell: 0 };
}
flow.set("programs", programs);
return null;
