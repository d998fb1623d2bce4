// Lets Footman's events through and nothing else, and says where each belongs.
// Names that people read come from the payload alone. The levels of the topic tell two servers of one
// name apart, and are never shown.
const LEVELS = { health: 1, sessions: 2, "app-names": 1, "failed-polls": 2, heartbeats: 2 };

const event = msg.payload;
const isObject = (value) => typeof value === "object" && value !== null;
const kind = isObject(event) ? (/^qliksense\.(.+)\.v1$/.exec(event.type) || [])[1] : undefined;
const moment = isObject(event) ? Date.parse(event.time) : NaN;
const heard = flow.get("heard") || { events: 0, ignored: 0 };

if (!isObject(event) || !LEVELS[kind] || Number.isNaN(moment) || !isObject(event.data)) {
    heard.ignored += 1;
    flow.set("heard", heard);
    return null;
}
heard.events += 1;
heard.time = event.time;
flow.set("heard", heard);
node.status({ fill: "green", shape: "dot", text: `${heard.events} events` });

// Times have nanoseconds, which Date does not know: as text of one length they can be compared.
const fraction = (/\.(\d+)/.exec(event.time) || ["", ""])[1];
const time = new Date(moment).toISOString().slice(0, 19) + "." + fraction.padEnd(9, "0").slice(0, 9);

msg.kind = kind;
msg.about = String(msg.topic).split("/").slice(-LEVELS[kind]);
msg.place = { epoch: String(event.epoch), sequence: String(event.sequence), time };
return msg;
