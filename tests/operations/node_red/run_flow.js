// Runs a flow as Node-RED does, as far as its function, switch and link nodes go: reads {nodes, steps} from
// standard input, and prints what came to the nodes at the ends of the wires. A step is a moment of the
// clock, a message of the broker, a status of its connection, a click, or a look at a page.
"use strict";
const { nodes, steps } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const byId = new Map(nodes.map((node) => [node.id, node]));
const settings = nodes.find((node) => node.type === "tab").env;
const arrived = {};
let clock = 0;

class Clock extends Date {
    static now() {
        return clock;
    }
}

// What is kept must survive a context store on a disk.
const store = () => {
    const kept = {};
    return {
        get: (name) => (kept[name] === undefined ? undefined : JSON.parse(kept[name])),
        set: (name, value) => { kept[name] = JSON.stringify(value); },
    };
};
const flow = store();
const env = { get: (name) => settings.find((setting) => setting.name === name)?.value };

const compiled = new Map();
for (const node of nodes.filter((one) => one.type === "function")) {
    const run = new Function("msg", "node", "flow", "context", "env", "Date", `"use strict";${node.func}\n`);
    const context = store();
    compiled.set(node.id, (msg) => run(msg, { status() {} }, flow, context, env, Clock));
}

const filters = (filter, topic) => {
    const [want, have] = [filter.split("/"), topic.split("/")];
    return want.length === have.length && want.every((level, at) => level === "+" || level === have[at]);
};
const along = (node, output, msg) => {
    for (const sent of Array.isArray(msg) ? msg : [msg]) {
        for (const id of sent ? node.wires[output] : []) {
            reach(byId.get(id), structuredClone(sent));
        }
    }
};
const reach = (node, msg) => {
    if (node.type === "function") {
        const result = compiled.get(node.id)(msg);
        const outputs = Array.isArray(result) ? result : [result];
        outputs.forEach((sent, output) => along(node, output, sent));
    } else if (node.type === "switch") {
        const value = node.property.split(".").reduce((part, name) => part?.[name], msg);
        node.rules.forEach((rule, output) => rule.v === value && along(node, output, msg));
    } else {
        (arrived[node.name] ??= []).push(msg);
    }
};
const begin = (node, msg) => node.wires.forEach((_, output) => along(node, output, msg));
const detected = (text) => {
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
};

for (const step of steps) {
    if ("at" in step) {
        clock = step.at;
    } else if ("topic" in step) {
        const into = nodes.filter((node) => node.type === "mqtt in" && filters(node.topic, step.topic));
        if (into.length !== 1) {
            throw new Error(`${into.length} subscriptions to ${step.topic}`);
        }
        begin(into[0], { topic: step.topic, payload: detected(step.payload), retain: step.retain === true });
    } else if ("connection" in step) {
        nodes.filter((node) => node.type === "status").forEach((node) => begin(node, { status: { fill: step.connection } }));
    } else if ("click" in step) {
        nodes.filter((node) => node.type === "inject" && node.name === step.click).forEach((node) => begin(node, { payload: clock }));
    } else {
        nodes.filter((node) => node.type === "http in" && node.url === step.page).forEach((node) => begin(node, { req: { path: step.page } }));
    }
}
process.stdout.write(JSON.stringify(arrived, (name, value) => (name === "req" ? undefined : value)));
